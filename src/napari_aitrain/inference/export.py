"""From a stored prediction to files for people: labels at a threshold, and the scores of the objects in them."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import numpy as np

from ..errors import OutputExistsError
from ..geometry import Region, Triple, tiles
from ..volumes import LabelsWriter, atomic_write_text, check_output
from ..volumes.atomic import beside, move_into_place, storage_errors
from .on_image import output_shape, output_voxel_size, read_output
from .store import StoredPrediction, check_threshold

_BLOCK: Triple = (64, 512, 512)


def scores_path(out: Path) -> Path:
    """Return where the scores of an output lie: ``OUT.scores.csv`` beside it."""
    return out.with_name(out.name + ".scores.csv")


def check_export(out: Path, prediction: StoredPrediction | None = None) -> None:
    """Check that labels and scores could be written to `out` and beside it.

    Raises
    ------
    ConfigError
        If the ending is not known.
    OutputExistsError
        If something is there that is not an unchanged output of `prediction`.
    """
    if not os.path.lexists(out):
        check_output(out)
    for path in (out, scores_path(out)):
        if os.path.lexists(path) and not (prediction is not None and prediction.wrote(path)):
            raise OutputExistsError(
                f"{path} exists already" + ("" if prediction is None else " and is not as this prediction left it"),
                "a path at which there is nothing yet, or an untouched output of the same model and image",
                "choose another name, or move the old one away first",
            )


def export(prediction: StoredPrediction, out: Path | str, threshold: float | None = None) -> Path:
    """Write labels as a threshold leaves them, with their voxel size, and a table of their scores beside.

    An output of the same prediction that nobody has changed since is replaced, at one moment; nothing else ever is.

    Parameters
    ----------
    prediction : StoredPrediction
        The network is not run again.
    out : path-like
        ``.tif``, ``.tiff``, ``.zarr``, ``.ome.zarr`` or ``.webknossos``.
    threshold : float, optional
        0 … 1; the model's own if not given.

    Returns
    -------
    Path
        The table: id, score, size, centroid, bounding box and class of each object, ids as in the labels; the score of
        a segment is that of its least sure merge. For classes id, mean probability of the most probable class, and
        size.

    Raises
    ------
    OutputExistsError
        If something else is at `out`.
    StorageError
        If it cannot be written.
    """
    out, info = Path(out), prediction.info
    threshold = check_threshold(info.threshold if threshold is None else threshold)
    check_export(out, prediction)
    ours, table = out.exists(), scores_path(out)
    target = beside(out).with_suffix(out.suffix) if ours else out
    rows = _write_labels(prediction, target, threshold)
    if ours:
        _replace(target, out)
    atomic_write_text(table, rows)
    prediction.record([out, table], threshold)
    return table


def _write_labels(prediction: StoredPrediction, out: Path, threshold: float) -> str:
    """Write the labels and return the table of their scores."""
    info = prediction.info
    largest = len(prediction.objects) if info.instances else max(info.classes)
    size, total = np.zeros(largest + 1, np.int64), np.zeros(largest + 1)
    shape = output_shape(info)
    with LabelsWriter(out, shape, voxel_size=output_voxel_size(info), max_id=largest, place=info.place) as writer:
        for tile in tiles(Region.from_shape(shape), _BLOCK):
            labels = read_output(info, lambda region: prediction.labels(region, threshold), tile.core)
            writer.write(tile.core, labels)
            if not info.instances:
                flat = labels.ravel()
                size += np.bincount(flat, minlength=largest + 1)
                sure = read_output(info, prediction.maps, tile.core).max(axis=0)
                total += np.bincount(flat, sure.ravel(), largest + 1)
    if info.instances:
        return prediction.table(threshold).csv()
    lines = [f"{c},{total[c] / max(size[c], 1):.4f},{size[c]}\n" for c in info.classes]
    return "id,score,size\n" + "".join(lines)


def _replace(new: Path, out: Path) -> None:
    """Put a new output in the place of the old; a folder cannot be replaced in one step, so the old one steps aside."""
    with storage_errors(out):
        if out.is_file():
            move_into_place(new, out)
            return
        old = beside(out)
        move_into_place(out, old)
        try:
            move_into_place(new, out)
        except OSError:
            with contextlib.suppress(OSError):
                move_into_place(old, out)
            raise
        shutil.rmtree(old, ignore_errors=True)
