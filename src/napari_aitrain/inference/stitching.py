"""Objects that several blocks have seen: which pieces are one object, and what each block knows of its pieces."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import cc3d
import fastremap
import numpy as np
import numpy.typing as npt

from ..geometry import Triple
from ..tasks.protocol import FloatArray, LabelArray
from ..volumes.atomic import atomic_write_bytes
from .archive import read_arrays, write_arrays

IdArray = npt.NDArray[np.int64]
SumArray = npt.NDArray[np.float64]
PIECES, PAIRS = "pieces", "pairs"
SAME_OBJECT = 0.5
"""Two pieces are one object if their intersection over union in the overlap is above this."""

_SHOWN_BLOCKS, _SHOWN_IDS = 2**13, 2**17


def block_file(folder: Path, index: int) -> Path:
    """Return where a block keeps its arrays; some thousand files per folder, because more are slow."""
    return folder / f"{index // 4096:05d}" / f"{index % 4096:04d}.npz"


def first_id(index: int) -> int:
    """Return what is added to a block's own ids in the array of pieces.

    Only blocks far apart share ids, so that a prediction that is still growing can be looked at.
    """
    return index % _SHOWN_BLOCKS * _SHOWN_IDS


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
    seen : ndarray of int64, shape (n,)
        Voxels in all that the block has seen.
    size : ndarray of int64, shape (n,)
        Voxels in the block's core.
    start, stop : ndarray of int64, shape (n, 3)
        Bounding box of the voxels in the core, z, y, x, in voxels of the prediction.
    total : ndarray of float64, shape (n, 3)
        Sum of the coordinates of the voxels in the core.
    score : ndarray of float32, shape (n,)
        As decoded.
    features : ndarray of float32, shape (n, k)
        As decoded.
    """

    seen: IdArray
    size: IdArray
    start: IdArray
    stop: IdArray
    total: SumArray
    score: FloatArray
    features: FloatArray

    def save(self, path: Path) -> None:
        """Write the pieces to one file."""
        save_arrays(path, self)

    @classmethod
    def load(cls, path: Path) -> Pieces:
        """Read pieces from a file of `save`."""
        return cls(**read_arrays(path))


@dataclass(frozen=True)
class Pairs:
    """Which pieces of a block are one object with pieces of its next neighbours.

    Parameters
    ----------
    own, theirs : ndarray of int64, shape (m,)
        Ids that the block and the neighbour gave.
    block : ndarray of int64, shape (m,)
        Number of the neighbour.
    """

    own: IdArray
    block: IdArray
    theirs: IdArray

    def save(self, path: Path) -> None:
        """Write the pairs to one file."""
        save_arrays(path, self)

    @classmethod
    def load(cls, path: Path) -> Pairs:
        """Read pairs from a file of `save`."""
        return cls(**read_arrays(path))


def save_arrays(path: Path, rows: Pieces | Pairs) -> None:
    """Write the fields of a dataclass of arrays to one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_bytes(path, write_arrays({f.name: np.asarray(getattr(rows, f.name)) for f in fields(rows)}))


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
    size, start, stop, centroid, score, features : ndarray
        Per object id.
    """

    size: IdArray
    start: IdArray
    stop: IdArray
    centroid: SumArray
    score: FloatArray
    features: FloatArray
