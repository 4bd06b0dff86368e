"""Objects that several blocks have seen: which pieces are one object, and what is then known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import cc3d
import fastremap
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..geometry import Triple
from ..tasks.protocol import FloatArray, LabelArray
from ..volumes.atomic import atomic_write_bytes
from .archive import read_arrays, write_arrays

IdArray = npt.NDArray[np.int64]
SumArray = npt.NDArray[np.float64]
SAME_OBJECT = 0.5
"""Two pieces are one object if their intersection over union in the overlap is above this."""

SEEN_WHOLE = 0.9
"""A block has seen an object whole if its piece has as many voxels, up to a tenth."""


def match_pieces(one: LabelArray, other: LabelArray, least_iou: float = SAME_OBJECT) -> IdArray:
    """Return the pairs of ids that are one object, from two labellings of the same voxels.

    Parameters
    ----------
    one, other : ndarray of int32, same shape
        What two blocks found where they overlap; 0 is background.
    least_iou : float
        Pairs must have more than this intersection over union. From 0.5 on an id has at most one partner.

    Returns
    -------
    ndarray of int64, shape (n, 2)
    """
    width = int(other.max(initial=0)) + 1
    both = (one > 0) & (other > 0)
    keys, shared = fastremap.unique(one[both].astype(np.int64) * width + other[both], return_counts=True)
    pairs = np.stack(np.divmod(np.asarray(keys, np.int64), width), axis=1)
    size_one, size_other = np.bincount(one.ravel()), np.bincount(other.ravel())
    union = size_one[pairs[:, 0]] + size_other[pairs[:, 1]] - shared
    return np.asarray(pairs[shared > least_iou * union], np.int64)


@dataclass(frozen=True)
class Pieces:
    """What one block knows of its objects; row ``i`` is the piece with the block's own id ``i + 1``.

    Parameters
    ----------
    offset : int
        Added to a block's own ids to make them unique.
    size : ndarray of int64, shape (n,)
        Voxels in the block's core.
    seen : ndarray of int64, shape (n,)
        Voxels in all that the block has seen.
    start, stop : ndarray of int64, shape (n, 3)
        Bounding box of the voxels in the core, z, y, x, in voxels of the prediction.
    total : ndarray of float64, shape (n, 3)
        Sum of the coordinates of the voxels in the core.
    score : ndarray of float32, shape (n,)
        As decoded.
    features : ndarray of float32, shape (n, k)
        As decoded.
    pairs : ndarray of int64, shape (m, 2)
        Unique ids that are one object with pieces of earlier blocks.
    """

    offset: int
    size: IdArray
    seen: IdArray
    start: IdArray
    stop: IdArray
    total: SumArray
    score: FloatArray
    features: FloatArray
    pairs: IdArray

    def save(self, path: Path) -> None:
        """Write the pieces to one file."""
        atomic_write_bytes(path, write_arrays({f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}))

    @classmethod
    def load(cls, path: Path) -> Pieces:
        """Read pieces from a file of `save`."""
        arrays = read_arrays(path)
        return cls(int(arrays.pop("offset")), **arrays)


def measure_pieces(labels: LabelArray, count: int, origin: Triple) -> tuple[IdArray, IdArray, IdArray, SumArray]:
    """Return size, start, stop and coordinate sum of each id ``1 … count`` in a core that begins at `origin`."""
    found = cc3d.statistics(labels.astype(np.uint32), no_slice_conversion=True)
    present = np.flatnonzero(found["voxel_counts"][1:]) + 1
    size = np.zeros(count, np.int64)
    start, stop = np.zeros((count, 3), np.int64), np.zeros((count, 3), np.int64)
    total = np.zeros((count, 3))
    size[present - 1] = found["voxel_counts"][present]
    boxes = np.asarray(found["bounding_boxes"], np.int64)[present]
    start[present - 1] = boxes[:, 0::2] + origin
    stop[present - 1] = boxes[:, 1::2] + 1 + np.asarray(origin)
    total[present - 1] = (found["centroids"][present] + origin) * size[present - 1][:, None]
    return size, start, stop, total


@dataclass(frozen=True)
class Merged:
    """All objects of a prediction; row 0 is the background.

    Parameters
    ----------
    table : ndarray of int32
        Object id per unique piece id.
    size, start, stop, centroid, score, features : ndarray
        Per object id.
    """

    table: LabelArray
    size: IdArray
    start: IdArray
    stop: IdArray
    centroid: SumArray
    score: FloatArray
    features: FloatArray


def merge_pieces(blocks: Sequence[Pieces]) -> Merged:
    """Join the pieces of all blocks to objects with ids ``1 … n`` without gaps.

    An object that some block has seen whole has that block's score and features; of others they are the mean of
    the pieces, weighted by size.
    """
    size, seen = (np.concatenate([getattr(b, name) for b in blocks]) for name in ("size", "seen"))
    score, features = (np.concatenate([getattr(b, name) for b in blocks]) for name in ("score", "features"))
    pairs = np.concatenate([b.pairs for b in blocks]) - 1
    pieces = len(size)
    # One node more than there are pieces: SciPy has no graph without nodes.
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(pieces + 1, pieces + 1))
    count, group = connected_components(graph, directed=False)
    group = group[:pieces]
    whole = np.bincount(group, size, count).astype(np.int64)
    ids = _compact(group, whole, size)
    owner, n = ids[group], int(ids.max(initial=0)) + 1
    kept = (owner > 0) & (size > 0)
    start = np.full((n, 3), np.iinfo(np.int64).max)
    stop, total = np.zeros((n, 3), np.int64), np.zeros((n, 3))
    np.minimum.at(start, owner[kept], np.concatenate([b.start for b in blocks])[kept])
    np.maximum.at(stop, owner[kept], np.concatenate([b.stop for b in blocks])[kept])
    np.add.at(total, owner[kept], np.concatenate([b.total for b in blocks])[kept])
    sizes = np.zeros(n, np.int64)
    sizes[ids] = whole
    sizes[0], start[0] = 0, 0
    values = _combine(np.column_stack([score, features]), owner, size, seen, sizes)
    table = np.concatenate([[0], owner]).astype(np.int32)
    centroid = total / np.maximum(sizes, 1)[:, None]
    return Merged(table, sizes, start, stop, centroid, values[:, 0].copy(), values[:, 1:].copy())


def _compact(group: IdArray, whole: IdArray, size: IdArray) -> IdArray:
    """Return an id per group in the order of its first voxels; 0 for groups without a voxel in any core."""
    with_voxels = group[size > 0]
    _, first = np.unique(with_voxels, return_index=True)
    order = with_voxels[np.sort(first)]
    ids = np.zeros(len(whole), np.int64)
    ids[order] = np.arange(1, len(order) + 1)
    return ids


def _combine(values: FloatArray, owner: IdArray, size: IdArray, seen: IdArray, sizes: IdArray) -> FloatArray:
    n = len(sizes)
    columns = [np.bincount(owner, values[:, k] * size, n) for k in range(values.shape[1])]
    mean = np.stack(columns, axis=1) / np.maximum(sizes, 1)[:, None]
    missed = np.abs(seen - sizes[owner])
    order = np.lexsort((-size, missed))[::-1]
    best = np.full(n, -1)
    best[owner[order]] = order
    view = np.flatnonzero(best >= 0)
    view = view[missed[best[view]] <= (1 - SEEN_WHOLE) * sizes[view]]
    mean[view] = values[best[view]]
    mean[0] = 0
    return mean.astype(np.float32)
