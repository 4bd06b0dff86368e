"""A stored prediction of neurons against ground truth: over all thresholds, and the network's maps themselves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import zarr

from ..errors import GroundTruthError
from ..evaluation.files import Evaluation
from ..evaluation.neurons import NeuronTables, agreement_over_thresholds, edge_accuracy, mean_metrics, neurons_of
from ..geometry import FINEST, Region
from ..location import Location, Url
from ..tasks.protocol import LabelArray
from ..volumes import open_volume, read_labels
from .store import MAPS, SUFFIX, StoredPrediction

_SLICES = 16


def stored_neurons(path: Location) -> StoredPrediction | None:
    """Return the finished prediction that a path is, or that is kept beside an output, if its threshold joins."""
    if isinstance(path, Url):
        return None
    for store in (path, path.with_name(path.name + SUFFIX)):
        if (store / "prediction.json").is_file():
            stored = StoredPrediction.open(store)
            return stored if stored.info.agglomerates else None
    return None


def evaluate_stored(stored: StoredPrediction, truth: Location, *, sparse: bool = False) -> Evaluation:
    """Compare a stored prediction with ground truth.

    Parameters
    ----------
    stored : StoredPrediction
        With fragments and a merge tree; corrections are in force.
    truth : Path or Url
        Labels of the image, or of what was predicted of it. Arrays are held in memory.
    sparse : bool
        Whether 0 in the truth means unlabelled.

    Returns
    -------
    Evaluation
        Metrics at the model's threshold, the best ones over all thresholds, and how right the affinities are.

    Raises
    ------
    GroundTruthError
        If the shapes do not fit.
    """
    info = stored.info
    true, why = neurons_of(_truth_of(stored, truth), info.dims)
    known = true > 0 if sparse else true >= 0
    tables = NeuronTables.count(stored.fragments(), true, known, info.dims, stored.merges)
    curve = agreement_over_thresholds([tables], info.threshold)
    figures = mean_metrics([tables], info.threshold)
    edges = edge_accuracy(_slabs(stored), info.offsets, true, known)
    how = f"Segments at threshold {info.threshold:.2f}, the model's own."
    if info.dims == 2:
        how += " Slices are measured one by one; figures are means over slices."
    return Evaluation("neurons", f"{how} {why}".strip(), {**figures, **curve.extremes(), **edges}, agreement=curve)


def _truth_of(stored: StoredPrediction, path: Location) -> LabelArray:
    volume = open_volume(path, kind="labels")
    info, whole = stored.info, volume.region
    if volume.shape == info.shape:
        return read_labels(volume, whole)
    where = Region.from_shape(info.shape, info.start)
    if info.magnification != FINEST or not whole.contains(where):
        raise GroundTruthError(
            f"the prediction has shape {info.shape}, and its ground truth {volume.shape}",
            "ground truth of what was predicted, at the same magnification, or of the whole image",
            "give labels of the same voxels as the prediction",
        )
    return read_labels(volume, where)


def _slabs(stored: StoredPrediction) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    maps = zarr.open_array(stored.folder / MAPS, mode="r")
    for start in range(0, stored.shape[0], _SLICES):
        yield start, np.asarray(maps[:, start : start + _SLICES])
