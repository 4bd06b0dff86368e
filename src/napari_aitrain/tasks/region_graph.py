"""Which fragments touch, and how sure the network is that they belong together."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from ..geometry import Triple
from .matching import IntArray
from .protocol import LabelArray

ByteArray = npt.NDArray[np.uint8]
Float64Array = npt.NDArray[np.float64]

FAR_STEP = 2
"""Of far affinities one voxel in so many along each axis is looked at: they overlap much, and there are many."""

_VOXELS = 2**20
"""Voxels that a thread looks at together: what it needs takes 20 to 60 bytes each."""


@dataclass(frozen=True)
class RegionGraph:
    """Sums of the affinities between fragments that touch; graphs of several blocks add up.

    Parameters
    ----------
    pairs : ndarray of int64, shape (e, 2)
        Ids, the lower first; sorted, none twice.
    near, far : ndarray of float64, shape (e, 2)
        Sum of the affinities, 0 … 1 each, and their number: those to the next voxel, and those to farther ones.
    """

    pairs: IntArray
    near: Float64Array
    far: Float64Array

    @classmethod
    def empty(cls) -> RegionGraph:
        """Return the graph of fragments that do not touch."""
        return cls(np.zeros((0, 2), np.int64), np.zeros((0, 2)), np.zeros((0, 2)))

    @classmethod
    def sum_of(cls, graphs: Sequence[RegionGraph]) -> RegionGraph:
        """Return the sums of several graphs over the same ids."""
        pairs = np.concatenate([cls.empty().pairs, *(g.pairs for g in graphs)])
        width = int(pairs.max(initial=0)) + 1
        keys, place = np.unique(pairs[:, 0] * width + pairs[:, 1], return_inverse=True)

        def summed(rows: Sequence[Float64Array]) -> Float64Array:
            table = np.concatenate([np.zeros((0, 2)), *rows])
            columns = [np.bincount(place, table[:, k], len(keys)) for k in range(2)]
            return np.stack(columns, axis=1).astype(np.float64)

        near, far = summed([g.near for g in graphs]), summed([g.far for g in graphs])
        return cls(np.stack(np.divmod(keys, width), axis=1), near, far)


def region_graph(
    labels: LabelArray, affinities: ByteArray, offsets: Sequence[Triple], before: Triple = (0, 0, 0)
) -> RegionGraph:
    """Sum the affinities between fragments.

    Every affinity counts for the block that its voxel is in, so that the graphs of blocks add up to that of the whole.
    Far affinities count between fragments that touch within the block, one of `FAR_STEP` along each axis.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        Fragments; 0 is background and touches nothing. They begin `before` voxels before the affinities.
    affinities : ndarray of uint8, shape (k, z, y, x)
        Channel k at voxel v says whether v and the voxel before it by ``abs(offsets[k])`` are of one object.
    offsets : sequence of tuple of int
        z, y, x, one per channel.
    before : tuple of int
        Voxels of `labels` along each axis that lie before the first affinity.
    """
    width = int(labels.max(initial=0)) + 1
    near, far = csr_array((width, width), dtype=np.complex128), csr_array((width, width), dtype=np.complex128)
    extent = affinities.shape[1]
    step = max(1, _VOXELS // max(1, affinities[0, 0].size))
    parts = [range(low, min(low + step, extent)) for low in range(0, extent, step)]

    def summed(work: tuple[range, int]) -> tuple[bool, Any]:
        part, channel = work
        is_near = sum(map(abs, offsets[channel])) == 1
        every = 1 if is_near else FAR_STEP
        return is_near, _sums(labels, affinities[channel], offsets[channel], before, part, width, every)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for is_near, found in threads.map(summed, itertools.product(parts, range(len(offsets)))):
            if is_near:
                near = near + found
            else:
                far = far + found
    return _graph(near, far)


def _graph(near: Any, far: Any) -> RegionGraph:
    near.sort_indices()
    touching = csr_array((np.ones(near.nnz), near.indices, near.indptr), shape=near.shape)
    # Zeros of the same pattern keep an entry for pairs without a far affinity.
    far = (far.multiply(touching) + touching * 1e-300).tocsr()
    far.sort_indices()
    rows = np.repeat(np.arange(near.shape[0]), np.diff(near.indptr))
    pairs = np.stack([rows, near.indices], axis=1).astype(np.int64)
    sums = [np.stack([part.data.real / 255, np.rint(part.data.imag)], axis=1) for part in (near, far)]
    return RegionGraph(pairs, *sums)


def _sums(
    labels: LabelArray, values: ByteArray, offset: Triple, before: Triple, part: range, width: int, every: int
) -> Any:
    """Return a matrix of sum + i · number over the pairs of fragments at one offset, for some slices."""
    here, there, inside = [], [], []
    for axis, (steps, context, extent) in enumerate(zip(map(abs, offset), before, values.shape, strict=True)):
        first, last = (part.start, part.stop) if axis == 0 else (0, extent)
        first = -(-max(first, steps - context) // every) * every
        last = max(first, last)
        inside.append(slice(first, last, every))
        here.append(slice(first + context, last + context, every))
        there.append(slice(first + context - steps, last + context - steps, every))
    one, other = labels[tuple(here)], labels[tuple(there)]
    apart = one != other
    apart &= one > 0
    apart &= other > 0
    a, b = one[apart], other[apart]
    weight = np.empty(len(a), np.complex128)
    weight.real, weight.imag = values[tuple(inside)][apart], 1
    matrix = csr_array((weight, (np.minimum(a, b), np.maximum(a, b))), shape=(width, width))
    matrix.sum_duplicates()
    return matrix
