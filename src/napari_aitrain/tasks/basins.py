"""Basins of attraction of peaks: a watershed on listed voxels, by climbing, and then on the few basins."""

from __future__ import annotations

import numpy as np

from .matching import IntArray
from .protocol import BoolArray, FloatArray
from .voxel_list import Contacts, Ids, VoxelList

_NUMBER = 2**32 - 1


def basins_of_peaks(voxels: VoxelList, height: FloatArray) -> tuple[Ids, BoolArray]:
    """Return the peak that each voxel climbs to, and where the peaks are.

    Parameters
    ----------
    voxels : VoxelList
        The foreground.
    height : ndarray of float32
        Of each voxel.

    Returns
    -------
    basins : ndarray of int32
        Per voxel, ``1 … n``. A peak is a connected set of voxels that have no higher neighbour.
    top : ndarray of bool
        Whether a voxel is of a peak itself.
    """
    up, top = voxels.climb(height)
    return _name_tops(voxels, top)[_ends(up)], top


def flood(voxels: VoxelList, height: FloatArray, seeds: Ids) -> Ids:
    """Grow seeds downhill, until they fill each connected piece that has one; a watershed.

    Parameters
    ----------
    voxels : VoxelList
        The foreground.
    height : ndarray of float32
        Of each voxel.
    seeds : ndarray of int32
        Of each voxel; 0 where there is none.

    Returns
    -------
    ndarray of int32
        The seed that has each voxel; 0 in pieces without one.

    Notes
    -----
    Voxels climb to a seed or a peak. A peak without a seed then belongs to what it touches across its highest saddle,
    and so on: the spanning forest that a watershed finds voxel by voxel, found on basins (Meyer 1994).
    """
    up, top = voxels.climb(height)
    seeded = np.flatnonzero(seeds)
    up[seeded] = seeded
    offset = int(seeds.max(initial=0))
    peaks = _name_tops(voxels, top & (seeds == 0))
    basins = np.where(peaks > 0, peaks + np.int32(offset), seeds)[_ends(up)]
    if not peaks.any():
        return basins
    return _forest(int(basins.max()) + 1, offset, voxels.contacts(basins, height)).take(basins)


def _ends(up: IntArray) -> IntArray:
    """Return where each voxel ends that goes on from place to place."""
    while True:
        further = up.take(up)
        if np.array_equal(further, up):
            return up
        up = further


def _name_tops(voxels: VoxelList, top: BoolArray) -> Ids:
    """Return ids ``1 … n`` of connected tops, per voxel, 0 where there is none."""
    names = np.zeros(len(voxels), np.int32)
    names[top] = voxels.only(top).pieces()
    return names


def _forest(count: int, seeds: int, contacts: Contacts) -> Ids:
    """Return the seed of each basin, 0 for none; the first `seeds` are seeds, others join across their highest contact.

    Borůvka's algorithm: in each round all that has no seed joins what it touches highest, so rounds are few.
    """
    first, second = contacts.first, contacts.second
    # Heights are not negative, so their bits order as they do; the number of the contact decides between equals.
    order = contacts.level.view(np.int32).astype(np.int64) << 32 | np.arange(len(first))
    order = order[(first > seeds) | (second > seeds)]
    owner = np.arange(count)
    done = owner <= seeds
    while True:
        numbers = order & _NUMBER
        a, b = owner.take(first.take(numbers)), owner.take(second.take(numbers))
        useful = (a != b) & ~(done.take(a) & done.take(b))
        order, a, b = order[useful], a[useful], b[useful]
        best = np.full(count, -1, np.int64)
        np.maximum.at(best, a, order)
        np.maximum.at(best, b, order)
        waiting = np.flatnonzero((best >= 0) & ~done)
        if not len(waiting):
            return np.where(owner <= seeds, owner, 0).astype(np.int32)
        contact = best[waiting] & _NUMBER
        parent = np.arange(count)
        parent[waiting] = owner[first[contact]] + owner[second[contact]] - waiting
        # Of two that chose each other, one is the end.
        ends_here = (parent[parent[waiting]] == waiting) & (waiting < parent[waiting])
        parent[waiting[ends_here]] = waiting[ends_here]
        owner = _ends(parent)[owner]
