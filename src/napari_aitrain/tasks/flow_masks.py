"""Objects from flows: voxels follow them, and those that arrive at one place are one object.

The steps of `cellpose.dynamics.compute_masks` (Stringer et al. 2021), on the voxels of cells alone and without torch,
so that thresholds can be moved while somebody looks.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from .flow_paths import arrivals, crowds
from .flow_targets import flow_targets
from .holes import fill_holes
from .maps import as_shares, is_above
from .objects import relabel_large
from .protocol import FloatArray, LabelArray, MapArray
from .voxel_list import VoxelList

FEATURE_NAMES = ("raw", "log_size", "mean_cell", "rim_cell", "flow_length", "flow_error", "towards", "rim_share")
MOST_KEPT = 2**22
"""Values of maps of which results are remembered."""


@dataclass(frozen=True)
class Following:
    """How flows become objects.

    Parameters
    ----------
    cellprob_threshold : float
        Logit of the cell probability above which voxels are followed.
    flow_threshold : float, optional
        Objects whose flows are farther from those of their shape are left out; 0 keeps all. None for volumes, where
        it is not looked at.
    minimum_size : int
        In voxels.
    iterations : int
        Most steps.
    """

    cellprob_threshold: float = 0.0
    flow_threshold: float | None = 0.4
    minimum_size: int = 15
    iterations: int = 200


def follow(maps: MapArray, how: Following) -> tuple[LabelArray, FloatArray]:
    """Return the objects in maps of a slice or a volume, and their features.

    Parameters
    ----------
    maps : ndarray of float32 or uint8, shape (3, y, x) or (4, z, y, x)
        Flows, of which 0 … 1 stands for −1 … 1, and cell probability. In a volume both are the means over the slices
        along two and three axes; Cellpose takes the sums.
    how : Following
        The rules.

    Returns
    -------
    labels : ndarray of int32
        Ids ``1 … n``.
    features : ndarray of float32, shape (n + 1, len(FEATURE_NAMES))
        Row 0 is 0.
    """
    gathered = _last.gathered(maps, how)
    labels, errors = gathered.labels, gathered.errors
    if how.flow_threshold:
        labels = np.where(errors > how.flow_threshold, 0, np.arange(len(errors))).astype(np.int32)[labels]
    labels = relabel_large(fill_holes(relabel_large(labels, how.minimum_size)), how.minimum_size)
    own = (labels > 0) & (gathered.labels > 0)
    before = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
    before[labels[own]] = gathered.labels[own]
    return labels, _features(labels, maps, gathered.flows, errors[before])


@dataclass(frozen=True)
class _Gathered:
    """Voxels that arrive at one place, and by how much their flows differ from those of their shape."""

    labels: LabelArray
    flows: FloatArray
    errors: npt.NDArray[np.float64]

    @classmethod
    def of(cls, maps: MapArray, how: Following) -> Self:
        """Follow the flows."""
        axes, shape = len(maps) - 1, maps.shape[1:]
        inside = _is_cell(maps[-1], how.cellprob_threshold / (1 if axes == 2 else 3))
        flows = np.stack([_flow(maps[axis]) for axis in range(axes)]) * np.float32(1 if axes == 2 else 2)
        voxels = VoxelList.of(inside)
        labels = np.zeros(shape, np.int32)
        if len(voxels):
            labels = voxels.array(crowds(arrivals(flows * inside, voxels.at, how.iterations), shape))
        nothing = np.zeros(int(labels.max(initial=0)) + 1)
        return cls(labels, flows, nothing if how.flow_threshold is None else flow_errors(labels, flows))


class _Last:
    """Remembers what was gathered last: while the flow threshold moves it stays the same."""

    def __init__(self) -> None:
        self._known: tuple[object, _Gathered] | None = None

    def gathered(self, maps: MapArray, how: Following) -> _Gathered:
        """Return what is gathered from maps."""
        if maps.size > MOST_KEPT:
            return _Gathered.of(maps, how)
        checksum = hashlib.blake2b(np.ascontiguousarray(maps).data).digest()
        flat = how.flow_threshold is None
        key = (checksum, maps.shape, maps.dtype.str, how.cellprob_threshold, how.iterations, flat)
        known = self._known
        if known is None or known[0] != key:
            self._known = known = key, _Gathered.of(maps, how)
        return known[1]


_last = _Last()


def flow_errors(labels: LabelArray, flows: FloatArray) -> npt.NDArray[np.float64]:
    """Return by how much the flows of each object, by its shape, differ from those that were predicted.

    Parameters
    ----------
    labels : ndarray of int32, shape (y, x)
        Objects.
    flows : ndarray of float32, shape (2, y, x)
        As predicted, −1 … 1.

    Returns
    -------
    ndarray of float64, shape (n + 1,)
        Mean square length of the difference, by id; 0 for the background.
    """
    voxels = VoxelList.of(labels > 0)
    ids = voxels.take(labels)
    away = sum((voxels.take(a) - voxels.take(b)) ** 2 for a, b in zip(flow_targets(labels), flows, strict=True))
    total = np.bincount(ids, away, int(labels.max(initial=0)) + 1)
    return total / np.maximum(np.bincount(ids, minlength=len(total)), 1)


def _is_cell(cell: MapArray, logit: float) -> npt.NDArray[np.bool_]:
    return is_above(cell, float(1 / (1 + np.exp(-logit))))


def _flow(values: MapArray) -> FloatArray:
    """Return flows of −1 … 1; no byte stands for 0, so the two beside it do."""
    flow = 2 * as_shares(values) - 1
    if values.dtype == np.uint8:
        flow[np.abs(flow) < 1 / 254] = 0
    return flow


def _features(labels: LabelArray, maps: MapArray, flows: FloatArray, errors: npt.NDArray[np.float64]) -> FloatArray:
    """Return what is known of each object; row 0 is 0."""
    count = int(labels.max(initial=0)) + 1
    voxels = VoxelList.of(labels > 0)
    ids = voxels.take(labels)
    cell, rim = as_shares(voxels.take(maps[-1])), voxels.rim(ids)
    sizes = np.bincount(ids, minlength=count)

    def mean(values: npt.NDArray[np.floating], chosen: npt.NDArray[np.bool_] | None = None) -> FloatArray:
        where = ids if chosen is None else ids[chosen]
        total = np.bincount(where, values if chosen is None else values[chosen], count)
        return (total / np.maximum(np.bincount(where, minlength=count), 1)).astype(np.float32)

    here = [voxels.take(flow) for flow in flows]
    length = np.sqrt(sum(flow**2 for flow in here))
    places = np.unravel_index(voxels.at, labels.shape)
    away = [mean(place.astype(np.float64))[ids] - place for place in places]
    far = np.sqrt(sum(distance**2 for distance in away))
    along = sum(flow * distance for flow, distance in zip(here, away, strict=True)) / np.maximum(length * far, 1e-6)
    sure = mean(cell)
    table = np.stack([sure * np.exp(-2 * errors), np.log1p(sizes), sure, mean(cell, rim), mean(length), errors,
                      mean(along), mean(rim.astype(np.float32))], axis=1).astype(np.float32)  # fmt: skip
    table[0] = 0
    return table
