"""Sums of what one channel of an image shows of objects: intensity, rim, surroundings and texture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..geometry import Triple, triple
from .columns import BINS, HIGHEST, LOWEST, SCALES, Columns
from .directions import Spacing, relative
from .sums import Float64Array, IntArray
from .surface import Surface

FloatArray = npt.NDArray[np.float32]

BEYOND = 3
"""How many voxels off the surface the surroundings of an object are looked at, along the finest axes."""
_TRUNCATE = 3.0


def halo(spacing: Spacing, dims: int) -> Triple:
    """Return how far around a block is looked at, so that blocks add up to what one pass gives."""
    reach = [max(1, BEYOND if s == 1 else 0, math.ceil(_TRUNCATE * max(SCALES) / s) + 1) for s in relative(spacing)]
    return triple([0 if axis == 0 and dims == 2 else n for axis, n in enumerate(reach)])


def sum_channel(
    values: FloatArray,
    labels: npt.NDArray[np.int32],
    inside: tuple[slice, slice, slice],
    where: IntArray,
    owner: IntArray,
    surface: Surface,
    columns: Columns,
    channel: int,
    spacing: Spacing,
    added: Float64Array,
) -> None:
    """Sum one channel over the voxels of objects.

    Parameters
    ----------
    values : ndarray of float32, shape (z, y, x)
        The normalised channel.
    labels : ndarray of int32, shape (z, y, x)
        Of the same voxels; 0 is background.
    inside : tuple of slice
        The voxels of both that are summed, z, y, x.
    where, owner : ndarray of int64, shape (n,)
        Which of these belong to objects, by flat index, and the row of the object.
    surface : Surface
        Of the same objects.
    columns : Columns
        Where sums go.
    channel : int
        Number of the channel.
    spacing : tuple of float
        Length of a voxel, z, y, x.
    added : ndarray, shape (k, columns.width)
        The sums of objects, one row each; those of the channel are filled in.
    """
    k = len(added)
    own = values[inside].ravel()[where]
    added[:, columns.intensity(channel)] = np.stack([np.bincount(owner, own, k), np.bincount(owner, own * own, k)], 1)
    bins = np.clip((own - LOWEST) * np.float32(BINS / (HIGHEST - LOWEST)), 0, BINS - 1).astype(np.int64)
    added[:, columns.histogram(channel)] = np.bincount(owner * BINS + bins, minlength=k * BINS).reshape(k, BINS)
    index = np.unravel_index(surface.at, surface.padded.shape)
    at = [i - 1 + part.start for i, part in zip(index, inside, strict=True)]
    rim = [np.bincount(surface.owner, values[tuple(at)], k), np.bincount(surface.owner, minlength=k)]
    added[:, columns.rim(channel)] = np.stack(rim, axis=1)
    added[:, columns.beyond(channel)] = _beyond(values, labels, at, surface, spacing, k)
    sums = [np.bincount(owner, one[inside].ravel()[where], k) for one in _responses(values, spacing, columns.dims)]
    added[:, columns.texture(channel)] = np.stack(sums, axis=1)


def _beyond(
    values: FloatArray,
    labels: npt.NDArray[np.int32],
    at: Sequence[IntArray],
    surface: Surface,
    spacing: Spacing,
    k: int,
) -> Float64Array:
    """Sum the background a little off the surface, along the axes, and return how many voxels were looked at."""
    total, number = np.zeros(k), np.zeros(k)
    lengths = relative(spacing)
    for axis in range(3 - surface.dims, 3):
        step = max(1, round(BEYOND / lengths[axis]))
        for place in (at[axis] - step, at[axis] + step):
            ok = (place >= 0) & (place < values.shape[axis])
            there = tuple((place if a == axis else one)[ok] for a, one in enumerate(at))
            free = labels[there] == 0
            owner = surface.owner[ok][free]
            total += np.bincount(owner, values[tuple(one[free] for one in there)], k)
            number += np.bincount(owner, minlength=k)
    return np.stack([total, number], axis=1)


def _responses(values: FloatArray, spacing: Spacing, dims: int) -> Iterator[FloatArray]:
    """Yield slope, and of each scale the difference of Gaussians and its square."""
    before = values
    for scale in SCALES:
        sigma = [0.0 if axis == 0 and dims == 2 else scale / s for axis, s in enumerate(relative(spacing))]
        smooth = ndimage.gaussian_filter(values, sigma, mode="nearest", truncate=_TRUNCATE)
        if scale == SCALES[0]:
            yield _slope(smooth, dims, spacing)
        band = before - smooth
        yield band
        yield band * band
        before = smooth


def _slope(values: FloatArray, dims: int, spacing: Spacing) -> FloatArray:
    total = np.zeros(values.shape, np.float32)
    for axis, length in enumerate(relative(spacing)):
        if (axis == 0 and dims == 2) or values.shape[axis] < 2:
            continue
        total += (np.gradient(values, axis=axis) / np.float32(length)) ** 2
    return np.sqrt(total, out=total)
