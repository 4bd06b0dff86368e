"""From affinities to fragments and their merge tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ..geometry import Triple
from .fragments import Affinities, as_bytes, find_fragments
from .matching import IntArray
from .merge_tree import MergeTree
from .protocol import BoolArray, LabelArray, Objects, Task, VoxelSize
from .region_graph import ByteArray, Float64Array, RegionGraph, region_graph

FAR_WEIGHT = 1.0
"""How much an affinity to a far voxel counts, that to the next one being 1."""

DOUBT = 1.0
"""Affinities of 0 that each contact of two fragments gets besides its own: one high value alone joins nothing."""


class AgglomeratingTask(Task, Protocol):
    """A task that `agglomerates`: what a stored prediction asks of it to find fragments block by block."""

    @property
    def offsets(self) -> tuple[Triple, ...]:
        """Neighbours that the maps are affinities to, z, y, x."""
        ...

    def fragments(self, maps: ByteArray, voxel_size: VoxelSize | None, dims: int) -> LabelArray:
        """Return fragments as ids ``1 … n`` from maps as bytes, shape (heads, z, y, x)."""
        ...


def decode_affinities(
    affinities: Affinities,
    offsets: Sequence[Triple],
    voxel_size: VoxelSize | None,
    dims: int,
    *,
    background: bool = False,
) -> Objects:
    """Turn affinities into fragments and the merge tree over them.

    Parameters
    ----------
    affinities : ndarray of float32 in [0, 1] or of uint8, shape (k, z, y, x)
        Channel k at voxel v says whether v and the voxel before it by ``abs(offsets[k])`` are of one object.
    offsets : sequence of tuple of int
        z, y, x, one per channel.
    voxel_size : tuple of float, optional
        nm, z, y, x.
    dims : {2, 3}
        With 2 every slice is decoded on its own; ids are unique over slices.
    background : bool
        Whether voxels that belong with none of their neighbours are left out.

    Returns
    -------
    Objects
        ``labels`` are fragments, ``merges`` joins them.
    """
    maps = as_bytes(affinities)
    labels = find_fragments(maps, offsets, voxel_size, dims, background)
    sizes = np.bincount(labels.ravel(), minlength=1).astype(np.int64)
    tree = agglomerate(contacts(labels, maps, offsets, dims), sizes)
    scores = np.ones(len(sizes), np.float32)
    scores[0] = 0
    flat = dims == 2 or labels.shape[0] == 1
    return Objects(labels, scores, np.zeros((len(sizes), 0), np.float32), extra={"dims": 2 if flat else 3}, merges=tree)


def contacts(
    labels: LabelArray, maps: ByteArray, offsets: Sequence[Triple], dims: int, before: Triple = (0, 0, 0)
) -> RegionGraph:
    """Return `region_graph`, with ``dims == 2`` of affinities within slices alone."""
    used = [k for k, offset in enumerate(offsets) if dims == 3 or offset[0] == 0]
    return region_graph(labels, maps if len(used) == len(offsets) else maps[used], [offsets[k] for k in used], before)


def agglomerate(graph: RegionGraph, sizes: IntArray, far_weight: float = FAR_WEIGHT, doubt: float = DOUBT) -> MergeTree:
    """Join fragments by the mean affinity between clusters, the highest first.

    Parameters
    ----------
    graph : RegionGraph
        Of fragments.
    sizes : ndarray of int64, shape (n + 1,)
        Voxels per fragment.
    far_weight : float
        How much a far affinity counts in the mean.
    doubt : float
        How many affinities of 0 are added to each contact of two fragments. A border that is a voxel off touches the
        object behind it in a few voxels that are sure to belong together; blocks that cut objects into thin slices
        have many of these.

    Notes
    -----
    Pairs of clusters that are each other's best partner are joined all at once, round by round. The mean over a
    merged contact lies between those of the two it is made from, so no later merge can beat one of these, and the tree
    is that of joining one best pair after the other (reciprocal nearest neighbours; Sumengen et al. 2021,
    arXiv 2105.11653). This takes tens of passes over arrays instead of a heap.
    """
    first, second = graph.pairs[:, 0].copy(), graph.pairs[:, 1].copy()
    total, count = (graph.near + far_weight * graph.far + [0.0, doubt]).T.copy()
    # The contact that stands for a merge is the strongest of those between the two clusters.
    by_strength = np.argsort(total / np.maximum(count, 1e-9), kind="stable")
    strength = np.empty(len(first), np.int64)
    strength[by_strength] = np.arange(len(first))
    owner = np.arange(len(sizes))
    pairs, scores = [np.zeros((0, 2), np.int64)], [np.zeros(0)]
    while len(first):
        score = total / count
        chosen = _best_pairs(first, second, score, len(sizes))
        pairs.append(graph.pairs[by_strength[strength[chosen]]])
        scores.append(score[chosen])
        owner[second[chosen]] = first[chosen]
        touched = np.zeros(len(sizes), bool)
        touched[first[chosen]] = touched[second[chosen]] = True
        first, second, total, count, strength = _contract(first, second, total, count, strength, owner, touched)
    all_scores = np.clip(np.concatenate(scores), 0, 1).astype(np.float32)
    order = np.argsort(-all_scores, kind="stable")
    return MergeTree(sizes, np.concatenate(pairs)[order].astype(np.int32), all_scores[order])


def _best_pairs(first: IntArray, second: IntArray, score: Float64Array, number: int) -> IntArray:
    """Return the edges that are the best of both their ends; of equally good ones those that come first."""
    best = np.full(number, -1.0)
    np.maximum.at(best, first, score)
    np.maximum.at(best, second, score)
    mutual = np.flatnonzero((score == best[first]) & (score == best[second]))
    earliest = np.full(number, len(first))
    np.minimum.at(earliest, first[mutual], mutual)
    np.minimum.at(earliest, second[mutual], mutual)
    found: IntArray = mutual[(earliest[first[mutual]] == mutual) & (earliest[second[mutual]] == mutual)]
    return found


def _contract(
    first: IntArray,
    second: IntArray,
    total: Float64Array,
    count: Float64Array,
    strength: IntArray,
    owner: IntArray,
    touched: BoolArray,
) -> tuple[IntArray, IntArray, Float64Array, Float64Array, IntArray]:
    """Return the edges after clusters were joined; only edges of these can become parallel or vanish."""
    changed = touched[first] | touched[second]
    one, other = owner[first[changed]], owner[second[changed]]
    low, high = np.minimum(one, other), np.maximum(one, other)
    between = low != high
    keys, place = np.unique(low[between] * len(owner) + high[between], return_inverse=True)
    strongest = np.zeros(len(keys), np.int64)
    np.maximum.at(strongest, place, strength[changed][between])
    new = (
        keys // len(owner),
        keys % len(owner),
        np.bincount(place, total[changed][between], len(keys)),
        np.bincount(place, count[changed][between], len(keys)),
        strongest,
    )
    old = (first, second, total, count, strength)
    a, b, c, d, e = (np.concatenate([o[~changed], n]) for o, n in zip(old, new, strict=True))
    return a, b, c, d, e
