"""One pass over a block of labels and image: everything that the features of its objects are made from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import fastremap
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..geometry import Region, Triple, triple
from .directions import Spacing, extent_directions, steps
from .sums import Float64Array, IntArray, Sums

FloatArray = npt.NDArray[np.float32]

BINS = 48
LOWEST, HIGHEST = -0.5, 2.0
"""Histograms of normalised intensities: brighter and darker voxels are counted at the ends."""
SCALES = (1.0, 2.0, 4.0)
"""Of texture, in voxels of the finest axis."""
BEYOND = 3
"""How many voxels off the surface the surroundings of an object are looked at, along the finest axes."""
RESPONSES = 1 + 2 * len(SCALES)
"""Sums of texture per channel: slope, and of each scale the difference of Gaussians and its square."""
_TRUNCATE = 3.0
_OUTSIDE = -1


@dataclass(frozen=True)
class Columns:
    """Where in `Sums.added` what is found, for images of so many channels.

    Parameters
    ----------
    dims : {2, 3}
        How surfaces are crossed.
    channels : int
        Of the image.
    """

    dims: int
    channels: int

    @property
    def crossings(self) -> slice:
        """Of the surface, per step of `directions.steps`."""
        return slice(0, len(steps(self.dims)))

    @property
    def faces(self) -> slice:
        """Of the surface: all of it, to other objects, and at the end of the image; in units of area or length."""
        start = self.crossings.stop
        return slice(start, start + 3)

    def _of(self, channel: int, start: int, width: int) -> slice:
        first = self.faces.stop + channel * self.per_channel + start
        return slice(first, first + width)

    @property
    def per_channel(self) -> int:
        """Columns of one channel."""
        return 2 + 2 + 2 + RESPONSES + BINS

    def intensity(self, channel: int) -> slice:
        """Sum and sum of squares."""
        return self._of(channel, 0, 2)

    def rim(self, channel: int) -> slice:
        """Sum over the voxels at the surface, and their number."""
        return self._of(channel, 2, 2)

    def beyond(self, channel: int) -> slice:
        """Sum over voxels a little beyond the surface, and their number."""
        return self._of(channel, 4, 2)

    def texture(self, channel: int) -> slice:
        """See `RESPONSES`."""
        return self._of(channel, 6, RESPONSES)

    def histogram(self, channel: int) -> slice:
        """Voxels per bin of intensity."""
        return self._of(channel, 6 + RESPONSES, BINS)

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.faces.stop) + self.channels * self.per_channel


def halo(spacing: Spacing, dims: int) -> Triple:
    """Return how far around a block is looked at, so that blocks add up to what one pass gives."""
    reach = [max(1, BEYOND if s == 1 else 0, math.ceil(_TRUNCATE * max(SCALES) / s) + 1) for s in relative(spacing)]
    return triple([0 if axis == 0 and dims == 2 else n for axis, n in enumerate(reach)])


def relative(spacing: Spacing) -> Spacing:
    """Return lengths of a voxel in those of the finest axis of the plane."""
    finest = min(spacing[1:])
    z, y, x = (s / finest for s in spacing)
    return z, y, x


def sum_block(
    labels: npt.NDArray[np.int32],
    image: FloatArray,
    outer: Region,
    core: Region,
    spacing: Spacing,
    dims: int,
) -> Sums:
    """Return sums over the voxels of a block.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        Of `outer`; 0 is background.
    image : ndarray of float32, shape (c, z, y, x)
        Normalised, of `outer`; c may be 0.
    outer, core : Region
        What was read, and the voxels that are summed. Where `outer` ends less than a voxel beyond `core`, the image
        ends.
    spacing : tuple of float
        Length of a voxel, z, y, x.
    dims : {2, 3}
        With 2 every slice is on its own.
    """
    inside = core.relative_to(outer.start).slices
    ids, numbers = _numbered(labels[inside])
    columns = Columns(dims, len(image))
    where = np.flatnonzero(numbers)
    owner = numbers.ravel()[where] - 1
    count = np.bincount(owner, minlength=len(ids)).astype(np.float64)
    added, most = np.zeros((len(ids), columns.width)), np.zeros((len(ids), 2 * len(extent_directions(dims))))
    if not len(ids):
        return Sums(ids, count, np.zeros((0, 3)), np.zeros((0, 3, 3)), added, most, np.zeros((0, 2), np.int64))
    mean, second = _moments(where, owner, count, core, spacing)
    surface = _Surface.of(labels, outer, core, numbers, dims)
    surface.count_crossings(added[:, columns.crossings])
    pairs = surface.count_faces(added[:, columns.faces], ids, spacing)
    most[:] = surface.extents(len(ids), core, spacing)
    for channel, values in enumerate(image):
        _sum_channel(values, labels, inside, where, owner, surface, columns, channel, spacing, added)
    return Sums(ids, count, mean, second, added, most, pairs)


def _numbered(labels: npt.NDArray[np.int32]) -> tuple[IntArray, npt.NDArray[np.int64]]:
    """Return ids in rising order, and labels numbered from 1 in that order."""
    if not labels.any():
        return np.zeros(0, np.int64), np.zeros(labels.shape, np.int64)
    ids = fastremap.unique(labels).astype(np.int64)
    ids = ids[ids > 0]
    last = int(ids[-1])
    if last <= 4 * labels.size + 1000:
        table = np.zeros(last + 1, np.int64)
        table[ids] = np.arange(1, len(ids) + 1)
        return ids, table[np.maximum(labels, 0)]
    found = np.searchsorted(ids, labels) + 1
    return ids, np.where(labels > 0, found, 0)


def _moments(
    where: IntArray, owner: IntArray, count: Float64Array, core: Region, spacing: Spacing
) -> tuple[Float64Array, Float64Array]:
    places = [
        (index + 0.5) * length for index, length in zip(np.unravel_index(where, core.shape), spacing, strict=True)
    ]
    k = len(count)
    mean = np.stack([np.bincount(owner, place, k) for place in places], axis=1) / count[:, None]
    second = np.zeros((k, 3, 3))
    off = [place - mean[owner, axis] for axis, place in enumerate(places)]
    for a in range(3):
        for b in range(a, 3):
            second[:, a, b] = second[:, b, a] = np.bincount(owner, off[a] * off[b], k)
    return mean + np.asarray(core.start) * spacing, second


@dataclass(frozen=True)
class _Surface:
    """The voxels of objects that have a neighbour of another label, at a corner at least.

    `padded` holds labels with one voxel more on every side, `at` where the voxels are in it, `owner` their objects.
    """

    padded: npt.NDArray[np.int32]
    at: IntArray
    owner: IntArray
    dims: int

    @classmethod
    def of(cls, labels: npt.NDArray[np.int32], outer: Region, core: Region, numbers: IntArray, dims: int) -> _Surface:
        grown = core.grow((1, 1, 1))
        there = grown.intersect(outer)
        before = np.subtract(there.start, grown.start)
        after = np.subtract(grown.stop, there.stop)
        padded = np.pad(
            labels[there.relative_to(outer.start).slices],
            list(zip(before, after, strict=True)),
            constant_values=_OUTSIDE,
        )
        axes = (1, 2) if dims == 2 else (0, 1, 2)
        low, high = _around(padded, axes, np.minimum), _around(padded, axes, np.maximum)
        if dims == 2:
            low, high = low[1:-1], high[1:-1]
        edge = np.flatnonzero((low != high) & (numbers > 0))
        z, y, x = np.unravel_index(edge, core.shape)
        at = np.ravel_multi_index((z + 1, y + 1, x + 1), padded.shape)
        return cls(padded, np.asarray(at, np.int64), numbers.ravel()[edge] - 1, dims)

    def _stride(self, step: Sequence[int]) -> int:
        _, y, x = self.padded.shape
        return int(step[0] * y * x + step[1] * x + step[2])

    def count_crossings(self, out: Float64Array) -> None:
        flat = self.padded.ravel()
        own = flat[self.at]
        for column, step in enumerate(steps(self.dims)):
            stride = self._stride(step)
            for sign in (stride, -stride):
                crossed = flat[self.at + sign] != own
                out[:, column] += np.bincount(self.owner[crossed], minlength=len(out))

    def count_faces(self, out: Float64Array, ids: IntArray, spacing: Spacing) -> IntArray:
        """Sum faces, and return the pairs of ids that share one."""
        flat = self.padded.ravel()
        own = flat[self.at]
        cell = math.prod(spacing[3 - self.dims :])
        pairs = []
        for axis in range(3 - self.dims, 3):
            step = [0, 0, 0]
            step[axis] = 1
            stride = self._stride(step)
            for sign in (stride, -stride):
                other = flat[self.at + sign]
                area = cell / spacing[axis]
                for column, found in enumerate((other != own, (other > 0) & (other != own), other == _OUTSIDE)):
                    out[:, column] += area * np.bincount(self.owner[found], minlength=len(out))
                touching = (other > 0) & (other != own)
                pairs.append(np.stack([own[touching], other[touching]], axis=1).astype(np.int64))
        both = np.sort(np.concatenate(pairs), axis=1)
        return np.unique(both, axis=0)

    def extents(self, k: int, core: Region, spacing: Spacing) -> Float64Array:
        """Return how far objects reach along each direction, and then along its opposite."""
        order = np.argsort(self.owner, kind="stable")
        there, first = np.unique(self.owner[order], return_index=True)
        index = np.unravel_index(self.at[order], self.padded.shape)
        places = [(i - 1 + 0.5 + s) * d for i, s, d in zip(index, core.start, spacing, strict=True)]
        directions = extent_directions(self.dims)
        # Of an object of several blocks some may hold only its inside.
        found = np.full((k, 2 * len(directions)), -np.inf)
        if not len(there):
            return found
        for column, direction in enumerate(directions):
            along = sum(place * part for place, part in zip(places, direction, strict=True))
            # The corners of a voxel reach farther than its middle.
            half = float(np.abs(direction) @ spacing) / 2
            found[there, column] = np.maximum.reduceat(along, first) + half
            found[there, len(directions) + column] = -np.minimum.reduceat(along, first) + half
        return found


def _around(values: npt.NDArray[np.int32], axes: Sequence[int], best: Any) -> npt.NDArray[np.int32]:
    """Return the smallest or largest of each voxel and its neighbours; one voxel less on every side of the axes."""
    for axis in axes:
        n = values.shape[axis]
        parts = [values[(slice(None),) * axis + (slice(a, n - 2 + a),)] for a in range(3)]
        values = best(best(parts[0], parts[1]), parts[2])
    return values


def _sum_channel(
    values: FloatArray,
    labels: npt.NDArray[np.int32],
    inside: tuple[slice, slice, slice],
    where: IntArray,
    owner: IntArray,
    surface: _Surface,
    columns: Columns,
    channel: int,
    spacing: Spacing,
    added: Float64Array,
) -> None:
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
    surface: _Surface,
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
