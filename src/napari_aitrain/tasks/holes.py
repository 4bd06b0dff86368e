"""Holes in objects."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cc3d
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .matching import IntArray
from .protocol import BoolArray, LabelArray

SLAB = 2**20
"""Voxels that are looked at at once, so that passes over them find them in the processor's cache, or nearly."""


def fill_holes(labels: LabelArray, slab: int = SLAB) -> LabelArray:
    """Give background that one single object encloses to that object; return `labels` itself if there is none.

    A gap that several objects enclose stays open, and so does one that reaches the edge of the array.

    Parameters
    ----------
    labels : ndarray of int32, 2-D or 3-D
        Ids; 0 is background.
    slab : int
        About how many voxels are looked at at once.
    """
    places, gap, count = _gaps(labels, slab)
    if not len(places):
        return labels
    # All of these have neighbours, as none is at the edge.
    flat = labels.ravel()
    nobody = np.int32(np.iinfo(np.int32).max)
    first = np.full(count, nobody, np.int32)
    last = np.zeros(count, np.int32)
    for axis in range(labels.ndim):
        step = math.prod(labels.shape[axis + 1 :])
        for beside in (flat[places - step], flat[places + step]):
            touching = beside > 0
            np.minimum.at(first, gap[touching], beside[touching])
            np.maximum.at(last, gap[touching], beside[touching])
    owner = np.where(first == last, first, 0).astype(np.int32)
    filled = labels.copy(order="C")
    filled.ravel()[places] = owner[gap]
    return filled


@dataclass(frozen=True)
class _Slab:
    """The pieces of the background in some slices.

    Parameters
    ----------
    edge : ndarray of bool, shape (n,)
        Which of the pieces reach the edge of the array.
    low, high : ndarray of int64
        Their numbers, from 1, in the first and the last slice.
    places, pieces : ndarray of int64
        Voxels of pieces that do not reach the edge, as flat positions in the array, and the numbers of their pieces.
    """

    edge: BoolArray
    low: IntArray
    high: IntArray
    places: IntArray
    pieces: IntArray


def _gaps(labels: LabelArray, slab: int) -> tuple[IntArray, IntArray, int]:
    """Return the voxels of background that does not reach the edge, and the number of the gap of each, and a bound."""
    slabs = list(_slabs(labels, slab))
    offsets = np.cumsum([0, *(len(one.edge) for one in slabs)])
    pairs = [np.zeros((0, 2), np.int64)]
    for index, (below, above) in enumerate(pairwise(slabs)):
        keys = (below.high * (len(above.edge) + 1) + above.low)[(below.high > 0) & (above.low > 0)]
        # Neighbours nearly always say the same.
        keys = np.unique(keys[np.flatnonzero(np.diff(keys, prepend=-1))])
        ends = np.divmod(keys, len(above.edge) + 1)
        pairs.append(np.stack([ends[0] + (offsets[index] - 1), ends[1] + (offsets[index + 1] - 1)], axis=1))
    one, other = np.concatenate(pairs).T
    count = int(offsets[-1])
    graph = coo_array((np.ones(len(one), bool), (one, other)), shape=(count, count))
    gaps = connected_components(graph, directed=False)[1]
    open_ = np.zeros(count, bool)
    open_[gaps[np.concatenate([np.zeros(0, bool), *(s.edge for s in slabs)])]] = True
    places = np.concatenate([np.zeros(0, np.int64), *(s.places for s in slabs)])
    pieces = [s.pieces + (offset - 1) for s, offset in zip(slabs, offsets[:-1], strict=True)]
    gap = gaps[np.concatenate([np.zeros(0, np.int64), *pieces])].astype(np.int64)
    closed = ~open_[gap]
    return places[closed], gap[closed], count


def _slabs(labels: LabelArray, slab: int) -> Iterator[_Slab]:
    """Find the pieces of the background slab by slab."""
    connectivity: Any = 4 if labels.ndim == 2 else 6
    plane = math.prod(labels.shape[1:])
    length = max(1, slab // max(1, plane))
    for start in range(0, len(labels), length):
        part = labels[start : start + length]
        found, count = cc3d.connected_components((part == 0).view(np.uint8), connectivity=connectivity, return_N=True)
        edge = np.zeros(count + 1, bool)
        for axis in range(1, labels.ndim):
            for face in (0, -1):
                edge[found.take(face, axis=axis)] = True
        if start == 0:
            edge[found[0]] = True
        if start + length >= len(labels):
            edge[found[-1]] = True
        # Nearly all of the background reaches the edge, so few voxels are left to look at.
        inside = ~edge
        inside[0] = False
        places = np.flatnonzero(inside.take(found)) if inside.any() else np.zeros(0, np.int64)
        pieces = found.ravel()[places].astype(np.int64)
        yield _Slab(edge[1:], found[0].astype(np.int64), found[-1].astype(np.int64), places + start * plane, pieces)
