"""Fragments: small pieces that hardly ever reach across a membrane, from affinities by a watershed of the distance."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import bioimage_cpp
import edt
import numpy as np
import numpy.typing as npt

from ..geometry import Triple
from .fragment_borders import settle_borders
from .maps import connected_pieces, outline_spacing
from .protocol import BoolArray, FloatArray, LabelArray, VoxelSize
from .region_graph import ByteArray

Affinities = npt.NDArray[np.float32] | ByteArray

FLAT = 3.0
"""Sections that are this many times farther apart than the voxels within them are divided one by one."""

SLAB = 48
"""Slices of a volume that are divided together. It does not depend on the machine, so that the result does not."""

CLEAR = 128
"""Affinity to all next voxels, of 255, from which a voxel is inside a neuron, for the distance to its membrane."""

ALONE = 64
"""Affinity to its next voxels, of 255, below which a voxel is background, where there is background at all."""

SMOOTHING = 1.5
"""Of the distance, in voxels of the finest axis: fewer maxima along ridges."""

FIRM = 4.0
"""What an affinity of 1 weighs against a distance in voxels where a voxel has several ways up."""


def as_bytes(affinities: Affinities) -> ByteArray:
    """Return affinities as they are stored, ×255."""
    if affinities.dtype == np.uint8:
        return affinities  # type: ignore[return-value]
    scaled = np.empty(affinities.shape, np.uint8)
    for channel, values in zip(scaled, affinities, strict=True):
        for plane, part in zip(channel, values, strict=True):
            plane[...] = np.clip(np.nan_to_num(part, nan=0.0), 0, 1) * np.float32(255) + np.float32(0.5)
    return scaled


def near_channels(offsets: Sequence[Triple]) -> list[tuple[int, int]]:
    """Return axis and channel of the affinities to the next voxel; an axis may have none."""
    found = []
    for axis in range(3):
        along = [k for k, o in enumerate(offsets) if abs(o[axis]) == 1 and sum(map(abs, o)) == 1]
        found += [(axis, k) for k in along[:1]]
    return found


def find_fragments(
    affinities: ByteArray,
    offsets: Sequence[Triple],
    voxel_size: VoxelSize | None,
    dims: int,
    background: bool = False,
) -> LabelArray:
    """Return fragments as ids ``1 … n``.

    Parameters
    ----------
    affinities : ndarray of uint8, shape (k, z, y, x)
        Whether each voxel and the one before it by each offset are of one object.
    offsets : sequence of tuple of int
        z, y, x, one per channel.
    voxel_size : tuple of float, optional
        nm, z, y, x.
    dims : {2, 3}
        With 2 every slice is divided on its own, as are sections far apart in any case.
    background : bool
        Whether voxels that belong with none of their neighbours are left out.

    Returns
    -------
    ndarray of int32, shape (z, y, x)

    Notes
    -----
    Each voxel goes up to a neighbour that is farther from the membrane, rather across a firm edge than a weak one, and
    those that end at one maximum are a fragment: a watershed by steepest ascent on edges (drop of water principle,
    Cousty et al. 2009, doi:10.1109/TPAMI.2008.173), with the distance in place of the height as in Beier et al. 2017
    (doi:10.1038/nmeth.4151). Every step is a pass over arrays. Then `settle_borders` puts the borders between them in
    their exact places. Slices or slabs are divided side by side in threads:
    what a slab cuts, agglomeration joins first.
    """
    spacing = outline_spacing(voxel_size, dims)
    depth = affinities.shape[1]
    flat = dims == 2 or depth == 1 or spacing[0] >= FLAT * max(spacing[1:])
    near = [(a, k) for a, k in near_channels(offsets) if not (flat and a == 0)]
    count = depth if flat else -(-depth // SLAB)
    parts = [slice(low, high) for low, high in itertools.pairwise(depth * i // count for i in range(count + 1))]

    def divide(part: slice) -> tuple[LabelArray, int]:
        maps = [(axis, affinities[k, part]) for axis, k in near]
        return _divide(maps, affinities[0, part].shape, spacing, background)

    labels: LabelArray = np.zeros(affinities.shape[1:], np.int32)
    offset = 0
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for part, (found, number) in zip(parts, threads.map(divide, parts), strict=True):
            np.add(found, np.int32(offset), out=labels[part], where=found > 0)
            offset += number
    return labels


def _divide(
    near: Sequence[tuple[int, ByteArray]], shape: Sequence[int], spacing: VoxelSize, background: bool
) -> tuple[LabelArray, int]:
    """Return the fragments of a slab or a slice, and how many there are."""
    foreground = _together(near, shape) >= ALONE if background else None
    clear = _least(near, shape) >= CLEAR
    if clear.all() or not clear.any():
        # No membrane to keep away from, or nothing else: connected pieces are all that can be told.
        whole = connected_pieces(np.ones(shape, bool) if foreground is None else foreground)
        return whole, int(whole.max(initial=0))
    direction = _ways_up(near, _height(clear, near, spacing))
    strides = np.array([0, *(s for axis in range(3) for s in (-1 * _stride(shape, axis), _stride(shape, axis)))])
    goal = np.arange(direction.size)
    goal += np.take(strides, direction.ravel())
    tops = np.flatnonzero(direction.ravel() == 0)
    while True:
        further = np.take(goal, goal)
        if np.array_equal(further, goal):
            break
        goal = further
    names = np.zeros(direction.size, np.int32)
    names[tops] = np.arange(1, len(tops) + 1)
    labels = settle_borders(np.take(names, goal).reshape(shape), near, foreground)
    if foreground is None:
        return labels, len(tops)
    labels[~foreground] = 0
    kept = np.bincount(labels.ravel(), minlength=len(tops) + 1) > 0
    kept[0] = False
    return np.where(kept, np.cumsum(kept), 0).astype(np.int32)[labels], int(kept.sum())


def _height(clear: BoolArray, near: Sequence[tuple[int, ByteArray]], spacing: VoxelSize) -> FloatArray:
    """Return the smoothed distance to the next membrane in voxels of the finest axis."""
    axes = [n > 1 for n in clear.shape]
    used = np.squeeze(clear, axis=tuple(a for a, several in enumerate(axes) if not several))
    sampling = [s for s, several in zip(spacing, axes, strict=True) if several]
    distance = edt.edt(np.ascontiguousarray(used), anisotropy=tuple(sampling), black_border=False, parallel=1)
    # Within a membrane too, there is a way up: towards where it is least sure.
    distance += _least(near, clear.shape).reshape(used.shape) * np.float32(1 / 255)
    if distance.ndim == 1:
        return np.asarray(distance.reshape(clear.shape), np.float32)
    sigma = [SMOOTHING / s for s in sampling]
    smoothed: FloatArray = bioimage_cpp.filters.gaussian_smoothing(distance, sigma)
    return smoothed.reshape(clear.shape)


def _ways_up(near: Sequence[tuple[int, ByteArray]], height: FloatArray) -> npt.NDArray[np.int8]:
    """Return where each voxel goes: 0 nowhere, ``1 + 2 · axis`` to the voxel before it, one more to the one after."""
    direction = np.zeros(height.shape, np.int8)
    firm = np.float32(FIRM / 255)
    depth, all_of = len(height), (slice(None), slice(None))
    # Slice by slice, so that everything stays in the cache.
    for z in range(depth):
        here, best = height[z], np.full(height.shape[1:], -np.inf, np.float32)
        for axis, values in near:
            for side in (0, 1):
                if axis == 0:
                    other = z - 1 + 2 * side
                    if not 0 <= other < depth:
                        continue
                    at, to, edge, there = all_of, all_of, values[max(z, other)], height[other]
                else:
                    low, high = (slice(None, -1), slice(1, None))
                    pick = (low, high) if side else (high, low)
                    at, to = ((p, all_of[1]) if axis == 1 else (all_of[0], p) for p in pick)
                    edge, there = values[z][(high, all_of[1]) if axis == 1 else (all_of[0], high)], here
                gain = edge * firm
                gain += there[to]
                up = there[to] > here[at] if side else there[to] >= here[at]
                up &= gain > best[at]
                np.copyto(best[at], gain, where=up)
                np.copyto(direction[z][at], np.int8(1 + 2 * axis + side), where=up)
    return direction


def _least(near: Sequence[tuple[int, ByteArray]], shape: Sequence[int]) -> ByteArray:
    """Return the least affinity of each voxel to those before it."""
    least = np.full(tuple(shape), 255, np.uint8)
    for axis, values in near:
        inner = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        np.minimum(least[inner], values[inner], out=least[inner])
    return least


def _together(near: Sequence[tuple[int, ByteArray]], shape: Sequence[int]) -> ByteArray:
    """Return the highest affinity of each voxel to its next voxels, before and after it; 255 where it has none."""
    alone = all(shape[axis] == 1 for axis, _ in near)
    most = np.full(tuple(shape), 255 if alone else 0, np.uint8)
    for axis, values in near:
        here = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        before = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        for side in (here, before):
            np.maximum(most[side], values[here], out=most[side])
    return most


def _stride(shape: Sequence[int], axis: int) -> int:
    return int(np.prod(shape[axis + 1 :], dtype=np.int64))
