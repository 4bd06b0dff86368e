"""One pass over a block of labels and image: everything that the features of its objects are made from."""

from __future__ import annotations

import fastremap
import numpy as np
import numpy.typing as npt

from ..geometry import Region
from .columns import Columns
from .directions import Spacing, extent_directions
from .intensities import FloatArray, sum_channel
from .sums import Float64Array, IntArray, Sums
from .surface import Surface


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
    surface = Surface.of(labels, outer, core, numbers, dims)
    surface.count_crossings(added[:, columns.crossings])
    pairs = surface.count_faces(added[:, columns.faces], spacing)
    most[:] = surface.extents(len(ids), core, spacing)
    for channel, values in enumerate(image):
        sum_channel(values, labels, inside, where, owner, surface, columns, channel, spacing, added)
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
