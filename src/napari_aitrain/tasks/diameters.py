"""How large objects are: the diameter of a disk or a ball of the same area or volume."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import fastremap
import numpy as np
import numpy.typing as npt

from .protocol import LabelArray, VoxelSize

ENOUGH_WHOLE = 3
"""So many objects that are not cut speak for all; of fewer, those that are cut count as well."""


def median_diameter(arrays: Sequence[tuple[LabelArray, VoxelSize | None]], dims: int) -> float | None:
    """Return the median diameter of the objects of some arrays, in voxels of the finest axis; None without objects.

    Parameters
    ----------
    arrays : sequence of (ndarray of int, shape (z, y, x); tuple of float or None)
        Labels, of which those above 0 are objects, and the lengths of a voxel in any unit; equal if not given.
    dims : {2, 3}
        With 2, each slice of an object is one of its own.
    """
    whole, cut = [np.zeros(0)], [np.zeros(0)]
    for labels, size in arrays:
        for part, unit in _parts(labels, size, dims):
            ids, counts = fastremap.unique(part, return_counts=True)
            ids, counts = ids[ids > 0], counts[ids > 0]
            touching = np.isin(ids, _at_faces(part))
            diameters = _diameter(counts * unit, dims)
            whole.append(diameters[~touching])
            cut.append(diameters[touching])
    found = np.concatenate(whole)
    if len(found) < ENOUGH_WHOLE:
        found = np.concatenate([found, *cut])
    return float(np.median(found)) if len(found) else None


def across(labels: LabelArray) -> LabelArray:
    """Return the ids of objects that go from one side of an image to the other: nobody can say how large they are.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        Sides are those along y and x: of a few slices every object has both faces.
    """
    ends = [(labels.take(0, axis), labels.take(-1, axis)) for axis in (1, 2) if labels.shape[axis] > 1]
    ids = np.unique(np.concatenate([np.intersect1d(first, last) for first, last in ends] or [labels[:0].ravel()]))
    return ids[ids > 0]


def _parts(labels: LabelArray, size: VoxelSize | None, dims: int) -> Iterator[tuple[LabelArray, float]]:
    """Yield what objects are looked for in, and how much a voxel is of a square or cube of the finest axis."""
    axes = (size or (1.0, 1.0, 1.0))[3 - dims :]
    unit = math.prod(length / min(axes) for length in axes)
    for part in labels if dims == 2 else (labels,):
        yield part, unit


def _at_faces(part: LabelArray) -> npt.NDArray[np.integer]:
    faces = [np.take(part, place, axis).ravel() for axis in range(part.ndim) for place in (0, -1)]
    # Every object of a slab of few slices touches its faces, and is not cut for that.
    flat = part.ndim == 3 and part.shape[0] < 4
    return np.unique(np.concatenate(faces[2 if flat else 0 :]))


def _diameter(sizes: npt.NDArray[np.float64], dims: int) -> npt.NDArray[np.float64]:
    return np.sqrt(4 / math.pi * sizes) if dims == 2 else np.cbrt(6 / math.pi * sizes)
