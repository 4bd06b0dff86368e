"""A volume seen at another voxel size: linear between the voxels of an image, computed when a region is read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..geometry import Region, Triple, triple
from .units import VoxelSize
from .volume import Volume

Factors = tuple[float, float, float]


def resampled_shape(shape: Triple, factors: Sequence[float]) -> Triple:
    """Return the extent in voxels that are `factors` times as long, at least 1 along each axis."""
    return triple([max(1, round(n / f)) for n, f in zip(shape, factors, strict=True)])


def nearest_voxels(start: int, stop: int, factor: float, extent: int) -> npt.NDArray[np.int64]:
    """Return, for voxels `start` to `stop` of an axis, the voxels `factor` times as long that their middles lie in."""
    middles = (np.arange(start, stop) + 0.5) / factor
    nearest: npt.NDArray[np.int64] = np.clip(np.floor(middles), 0, extent - 1).astype(np.int64)
    return nearest


def inside_resampled(region: Region, factors: Sequence[float]) -> Region:
    """Return the voxels `factors` times as long that lie in a region; a hair's breadth does not count."""
    start = triple([math.ceil(n / f - 1e-6) for n, f in zip(region.start, factors, strict=True)])
    stop = [max(s, math.floor(n / f + 1e-6)) for s, n, f in zip(start, region.stop, factors, strict=True)]
    return Region(start, triple(stop))


def resample(volume: Volume, factors: Factors) -> Volume:
    """Return an image with voxels that are `factors` times as long; nothing is read yet.

    The corners of both lie on each other. Between the middles of two voxels intensities are linear, and beyond those at
    the border they are constant. Meant for factors near 1: where voxels become much longer, take a magnification first.

    Parameters
    ----------
    volume : Volume
        An image.
    factors : tuple of float
        Along z, y and x, above 0.

    Returns
    -------
    Volume
        float32, of the channels and the path of `volume`.
    """
    size: VoxelSize | None = None
    if volume.voxel_size is not None:
        z, y, x = (v * f for v, f in zip(volume.voxel_size, factors, strict=True))
        size = (z, y, x)
    seen = Volume.from_array(
        _Resampled(volume, factors), name=volume.name, axes="czyx", channels=volume.channels, voxel_size=size
    )
    return replace(seen, path=volume.path)


class _Resampled:
    """Array-like of shape (c, z, y, x)."""

    def __init__(self, volume: Volume, factors: Factors) -> None:
        self._volume, self._factors = volume, factors
        self.shape = (len(volume.channels), *resampled_shape(volume.shape, factors))
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, key: Any, /) -> Any:
        channels, *spans = key
        first, last, weights = [], [], []
        for span, extent, factor, there in zip(spans, self.shape[1:], self._factors, self._volume.shape, strict=True):
            start, stop, _ = span.indices(extent)
            at = np.clip((np.arange(start, stop) + 0.5) * factor - 0.5, 0, there - 1)
            low = np.minimum(np.floor(at).astype(np.int64), max(0, there - 2))
            first.append(int(low[0]))
            last.append(min(there, int(low[-1]) + 2))
            weights.append((low - first[-1], (at - low).astype(np.float32)))
        array = self._volume.read(Region(triple(first), triple(last)))[channels].astype(np.float32)
        for axis, (low, share) in enumerate(weights, start=1):
            array = _between(array, axis, low, share)
        return array


def _between(
    array: npt.NDArray[np.float32], axis: int, low: npt.NDArray[np.int64], share: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    if not share.any() and np.array_equal(low, np.arange(array.shape[axis])):
        return array
    shape = [1, 1, 1, 1]
    shape[axis] = len(share)
    share = share.reshape(shape)
    here = array.take(low, axis=axis)
    following = array.take(np.minimum(low + 1, array.shape[axis] - 1), axis=axis)
    mixed: npt.NDArray[np.float32] = here + share * (following - here)
    return mixed


def is_same(factor: float) -> bool:
    """Whether a factor is so near to 1 that nothing needs to be resampled."""
    return abs(math.log(factor)) < 0.02
