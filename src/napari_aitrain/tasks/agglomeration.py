"""From affinities to fragments and their merge tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..geometry import Triple
from .fragments import Affinities, find_fragments
from .matching import IntArray
from .merge_tree import MergeTree
from .protocol import LabelArray, Objects, VoxelSize

Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RegionGraph:
    """Which fragments touch, and how sure the network is that they belong together.

    Parameters
    ----------
    pairs : ndarray of int64, shape (e, 2)
        Ids, the lower first; sorted, none twice.
    total : ndarray of float64, shape (e,)
        Sum of the affinities, 0 … 1 each, between the two.
    count : ndarray of float64, shape (e,)
        How many there are.
    """

    pairs: IntArray
    total: Float64Array
    count: Float64Array


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
    labels = find_fragments(affinities, offsets, voxel_size, dims, background)
    sizes = np.bincount(labels.ravel(), minlength=1).astype(np.int64)
    graph = region_graph(labels, affinities, offsets)
    tree = agglomerate(graph, sizes)
    scores = np.ones(len(sizes), np.float32)
    scores[0] = 0
    flat = dims == 2 or labels.shape[0] == 1
    return Objects(labels, scores, np.zeros((len(sizes), 0), np.float32), extra={"dims": 2 if flat else 3}, merges=tree)


def region_graph(labels: LabelArray, affinities: Affinities, offsets: Sequence[Triple]) -> RegionGraph:
    """Sum the affinities between fragments over all offsets."""
    width = int(labels.max(initial=0)) + 1
    keys, values = [np.zeros(0, np.int64)], [np.zeros(0)]
    for channel, offset in enumerate(offsets):
        step = [abs(o) for o in offset]
        here = tuple(slice(s, None) for s in step)
        before = tuple(slice(None, n - s if s < n else 0) for n, s in zip(labels.shape, step, strict=True))
        one, other = labels[here], labels[before]
        apart = (one != other) & (one > 0) & (other > 0)
        a, b = one[apart].astype(np.int64), other[apart].astype(np.int64)
        keys.append(np.minimum(a, b) * width + np.maximum(a, b))
        values.append(affinities[channel][here][apart].astype(np.float64))
    ids, position = np.unique(np.concatenate(keys), return_inverse=True)
    scale = 255 if affinities.dtype == np.uint8 else 1
    total = np.bincount(position, np.concatenate(values), len(ids)) / scale
    count = np.bincount(position, minlength=len(ids)).astype(np.float64)
    return RegionGraph(np.stack(np.divmod(ids, width), axis=1), total, count)


def agglomerate(graph: RegionGraph, sizes: IntArray) -> MergeTree:
    """Join fragments by the mean affinity between clusters, the highest first.

    Notes
    -----
    Pairs of clusters that are each other's best partner are joined all at once, round by round. A mean of sums lies
    between the two it is made from, so no later merge can beat one of these: the tree is that of joining one best pair
    after the other (reciprocal nearest neighbours; Sumengen et al. 2021, arXiv 2105.11653).
    """
    first, second = graph.pairs[:, 0].copy(), graph.pairs[:, 1].copy()
    total, count = graph.total.copy(), graph.count.copy()
    strongest = np.arange(len(first))
    number = len(sizes)
    made_pairs, made_scores = [], []
    while len(first):
        score = total / count
        # Ties are broken by the lowest pair of ids, the same for both ends.
        place = np.empty(len(first), np.int64)
        order = np.lexsort((second, first, -score))
        place[order] = np.arange(len(order))
        best = np.full(number, len(first), np.int64)
        np.minimum.at(best, first, place)
        np.minimum.at(best, second, place)
        chosen = order[np.unique(best[best < len(first)])]
        chosen = chosen[(best[first[chosen]] == place[chosen]) & (best[second[chosen]] == place[chosen])]
        made_pairs.append(graph.pairs[strongest[chosen]])
        made_scores.append(score[chosen])
        owner = np.arange(number)
        owner[second[chosen]] = first[chosen]
        first, second = owner[first], owner[second]
        low, high = np.minimum(first, second), np.maximum(first, second)
        kept = low != high
        key, position = np.unique(low[kept] * number + high[kept], return_inverse=True)
        stronger = np.full(len(key), -1, np.int64)
        by_strength = np.argsort((graph.total / graph.count)[strongest[kept]], kind="stable")
        stronger[position[by_strength]] = strongest[kept][by_strength]
        total = np.bincount(position, total[kept], len(key))
        count = np.bincount(position, count[kept], len(key))
        first, second, strongest = key // number, key % number, stronger
    if not made_pairs:
        return MergeTree(sizes, np.zeros((0, 2), np.int32), np.zeros(0, np.float32))
    pairs, scores = np.concatenate(made_pairs), np.concatenate(made_scores).astype(np.float32)
    order = np.argsort(-scores, kind="stable")
    return MergeTree(sizes, pairs[order].astype(np.int32), np.clip(scores[order], 0, 1))
