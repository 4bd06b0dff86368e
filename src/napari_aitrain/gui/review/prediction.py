"""What one prediction is, apart from how it is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...geometry import Region, triple
from ...inference.store import StoredPrediction
from ...jobs.folder import CONFIG
from ...models.folder import CARD
from ...tasks.protocol import FloatArray, LabelArray
from ...volumes.units import VoxelSize
from .maps import Maps
from .prediction_layer import Placement, PredictionLayer
from .thresholded import Thresholded

BINS = 50
_SAMPLE = 2**22


@dataclass
class Prediction:
    """What a model made of a region of an image, and the layer that shows it.

    Parameters
    ----------
    model : Path
        The job folder or model folder that made it: predictions of one model share a threshold.
    data : Thresholded
        Labels and scores.
    placement : Placement
        Where it lies.
    layer : PredictionLayer
        What shows it.
    step : int, optional
        Training step of the model; None when the training has ended.
    by : str
        ``network``, ``forest`` for a first guess from pixel features, or ``both`` for their mean.
    time : float
        When it was made, in seconds since 1970.
    voxel_size : tuple of float, optional
        nm, z, y, x.
    class_names, class_colours : mapping of int to str
        Of class maps.
    sizes : ndarray of int, optional
        Voxels per object id, where a table tells.
    bounds : tuple of ndarray, optional
        First and last + 1 voxel per object id, shape (n + 1, 3), where a table tells.
    stored : StoredPrediction, optional
        Where it is kept once it is finished.
    growing : bool
        Whether more of it comes.
    agglomerates : bool
        Whether its objects are fragments, which a threshold joins once all are there.
    maps : Maps, optional
        From which objects can be made again.
    """

    model: Path
    data: Thresholded
    placement: Placement
    layer: PredictionLayer
    step: int | None = None
    by: str = "network"
    time: float = 0.0
    voxel_size: VoxelSize | None = None
    class_names: Mapping[int, str] = field(default_factory=dict)
    class_colours: Mapping[int, str] = field(default_factory=dict)
    sizes: npt.NDArray[np.int64] | None = None
    bounds: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None
    stored: StoredPrediction | None = None
    growing: bool = False
    agglomerates: bool = False
    maps: Maps | None = None
    _counted: tuple[FloatArray, npt.NDArray[np.int64]] | None = field(default=None, repr=False, compare=False)

    @property
    def whole(self) -> Region:
        """All of it, in its own voxels."""
        return Region.from_shape(self.data.labels.shape)

    @property
    def provisional(self) -> bool:
        """Whether scores of objects are not fitted yet, so that a threshold for them is none for the trained model."""
        return self.step is not None and self.data.instances

    def take_table(self, stored: StoredPrediction) -> None:
        """Take sizes and bounds of the objects of a stored prediction."""
        self.stored = stored
        objects = stored.objects
        self.sizes, self.bounds = objects.size, (objects.start, objects.stop)

    @property
    def joins(self) -> bool:
        """Whether a threshold joins fragments, instead of leaving out objects."""
        return self.data.merges is not None

    def members(self, identity: int) -> npt.NDArray[np.int64]:
        """Return the stored ids that an object has at the threshold: its fragments, or itself."""
        segments = self.data.segments
        return np.array([identity]) if segments is None else np.flatnonzero(segments == identity)

    def weakest(self, identity: int) -> float | None:
        """Return the score of the least sure merge within a segment; None for a single fragment."""
        merges = self.data.merges
        if merges is None or len(self.members(identity)) < 2:
            return None
        return float(merges.weakest(self.data.threshold)[identity])

    def classes(self) -> tuple[int, ...]:
        """Return the classes that can be drawn."""
        if not self.data.instances:
            return tuple(sorted(c for c in self.class_names if c != self.data.background))
        if self.data.classes is None:
            return ()
        return tuple(int(c) for c in np.unique(self.data.classes[1:]))

    def histogram(self) -> npt.NDArray[np.int64]:
        """Return how many objects, merges, or voxels of class maps have which score, in `BINS` bins from 0 to 1."""
        if self.data.merges is not None:
            return self.data.merges.histogram(BINS)[0]
        if self.data.scores is not None:
            # Of millions of objects it is not counted anew with every look of the dock.
            if self._counted is None or self._counted[0] is not self.data.scores:
                self._counted = self.data.scores, np.histogram(self.data.scores[1:], BINS, (0, 1))[0]
            return self._counted[1]
        if self.data.certainty is None:
            return np.zeros(BINS, np.int64)
        if self.data.tiles:
            return _histogram_of_levels(self.data)
        part = _sample(self.whole)
        labels = np.asarray(self.data.labels[part])
        counts = np.bincount(self.data.certain(part)[labels != self.data.background], minlength=256)
        return np.histogram(np.arange(256) / 255, BINS, (0, 1), weights=counts)[0].astype(np.int64)

    def size_of(self, identity: int) -> int | None:
        """Return the voxels of an object; None where counting them would take long."""
        if self.data.merges is not None:
            return int(self.data.merges.sizes[self.members(identity)].sum())
        if self.sizes is not None:
            return int(self.sizes[identity]) if identity < len(self.sizes) else None
        labels = self.data.labels
        return int(np.count_nonzero(labels == identity)) if isinstance(labels, np.ndarray) else None

    def bounds_of(self, identity: int) -> Region:
        """Return a region that holds an object."""
        if self.bounds is not None and identity < len(self.bounds[0]):
            start, stop = (edges[self.members(identity)] for edges in self.bounds)
            return Region(triple(start.min(axis=0)), triple(stop.max(axis=0)))
        return self.whole

    def shown(self, region: Region) -> tuple[LabelArray, npt.NDArray[np.bool_]]:
        """Return labels of a region, and which of them the threshold leaves."""
        labels = self.data.named(np.asarray(self.data.labels[region.slices]))
        lead = (0,) * self.data.leading
        inner = region.slices[1:] if self.data.flat else region.slices
        kept = self.data[(*lead, *inner)] > 0
        return labels, kept.reshape(labels.shape)

    def voxel_at(self, position: Any) -> tuple[int, int, int] | None:
        """Return the voxel at a place in the viewer, z, y, x; None if it is beside the prediction."""
        layer = self.layer.layer
        if layer is None:
            return None
        data = np.round(np.asarray(layer.world_to_data(np.asarray(position)[-layer.ndim :]))).astype(int)
        if np.any(data[: self.data.leading] != 0):
            return None
        spatial = data[self.data.leading :]
        z, y, x = (0, *spatial) if self.data.flat else spatial
        voxel = int(z), int(y), int(x)
        return voxel if all(0 <= v < n for v, n in zip(voxel, self.whole.shape, strict=True)) else None


def _histogram_of_levels(data: Thresholded) -> npt.NDArray[np.int64]:
    """Return the histogram of what was read for the screen: no more is read for it."""
    labels, certainty = data.tiles
    there = labels.known(_SAMPLE // 4) != data.background
    sure = certainty.known(_SAMPLE // 4)
    # Both are asked for the same places, but one may be ahead of the other.
    count = min(len(there), len(sure))
    counts = np.bincount(sure[:count][there[:count]], minlength=256)
    return np.histogram(np.arange(256) / 255, BINS, (0, 1), weights=counts)[0].astype(np.int64)


def _sample(whole: Region) -> tuple[slice, slice, slice]:
    """Return the middle of what is too large to be read at once."""
    slices = []
    left = _SAMPLE
    for n in reversed(whole.shape):
        extent = min(n, max(1, left))
        slices.append(slice((n - extent) // 2, (n - extent) // 2 + extent))
        left //= extent
    x, y, z = slices
    return z, y, x


def model_key(folder: Path) -> Path:
    """Return the folder that stands for a model: that of its job, if a job made it."""
    return folder.parent if folder.name == "model" and (folder.parent / CONFIG).is_file() else folder


def has_model(folder: Path) -> bool:
    """Whether a folder is that of a model, or of a job that has saved one."""
    return (folder / CARD).is_file() or (folder / "model" / CARD).is_file()
