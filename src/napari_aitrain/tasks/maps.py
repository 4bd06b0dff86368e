"""Maps of objects that a network can learn: distance to the border, the border, and where background is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cc3d
import edt
import numpy as np

from .protocol import BoolArray, FloatArray, LabelArray, MapArray, VoxelSize

RING = 3
"""Width in voxels of the finest axis of the background that is taken for granted around painted objects."""


def as_shares(maps: MapArray) -> FloatArray:
    """Return maps in [0, 1], which may be stored as bytes."""
    if maps.dtype != np.uint8:
        return maps.astype(np.float32, copy=False)
    shares: FloatArray = np.divide(maps, np.float32(255), dtype=np.float32)
    return shares


def is_above(maps: MapArray, threshold: float) -> BoolArray:
    """Return where `as_shares` of maps is above a threshold."""
    if maps.dtype != np.uint8:
        return maps > threshold
    above: BoolArray = maps >= np.count_nonzero(as_shares(np.arange(256, dtype=np.uint8)) <= threshold)
    return above


def outline_spacing(voxel_size: VoxelSize | None, dims: int = 3) -> VoxelSize:
    """Return the spacing of the axes relative to the finest one; all 1 where the voxel size is unknown.

    With 2 dims the distance between slices does not count.

    Examples
    --------
    >>> outline_spacing((40.0, 4.0, 8.0)), outline_spacing((1.0, 4.0, 8.0), 2)
    ((10.0, 1.0, 2.0), (0.25, 1.0, 2.0))
    """
    if voxel_size is None:
        return 1.0, 1.0, 1.0
    finest = min(voxel_size[3 - dims :])
    z, y, x = (float(v) / finest for v in voxel_size)
    return z, y, x


def split_by_slice(labels: LabelArray, dims: int) -> Iterator[tuple[int | slice, LabelArray]]:
    """Yield what is to be treated on its own, with its index: every slice for 2 dims, else the whole."""
    if dims == 2:
        for z in range(labels.shape[0]):
            yield z, labels[z]
    else:
        yield slice(None), labels


def runs_with_labels(known: BoolArray) -> Iterator[slice]:
    """Yield each run of slices in which anything is labelled, as a slice of z."""
    labelled = np.concatenate([[False], known.any(axis=(1, 2)), [False]])
    turns = np.flatnonzero(labelled[1:] != labelled[:-1]).tolist()
    for start, stop in zip(turns[::2], turns[1::2], strict=True):
        yield slice(start, stop)


def unique_over_slices(labels: LabelArray) -> LabelArray:
    """Give what has one id in several slices an id of its own in each; 0 and below stay as they are."""
    step = max(0, int(labels.max(initial=0)))
    offset = np.arange(labels.shape[0], dtype=np.int32)[:, None, None] * np.int32(step)
    return np.where(labels > 0, labels + offset, labels)


def normalised_distance(labels: LabelArray, spacing: Sequence[float]) -> FloatArray:
    """Return the distance to the border of each object, divided by its maximum in the object.

    Parameters
    ----------
    labels : ndarray of int32, 2-D or 3-D
        0 is background; separate pieces of one id are separate objects.
    spacing : sequence of float
        Per axis of `labels`.

    Returns
    -------
    ndarray of float32
        0 in the background, up to 1 in the middle of every object. The edge of the array is no border.
    """
    return distance_in_pieces(connected_pieces(labels, corners=True), spacing)


def distance_in_pieces(pieces: LabelArray, spacing: Sequence[float]) -> FloatArray:
    """Return `normalised_distance` of labels whose separate pieces have ids of their own."""
    if not pieces.any():
        return np.zeros(pieces.shape, np.float32)
    distance = edt.edt(pieces, anisotropy=tuple(spacing), black_border=False)
    # An object that fills the array is at no distance from any border.
    distance = np.where(np.isfinite(distance), distance, 1.0)
    maxima = np.zeros(int(pieces.max()) + 1, np.float32)
    np.maximum.at(maxima, pieces.ravel(), distance.ravel())
    maxima[0] = 1
    return (distance / maxima[pieces]).astype(np.float32)


def border(labels: LabelArray, axes: Sequence[bool] | None = None) -> BoolArray:
    """Return the voxels of objects with a face neighbour that is not of the same object; `axes` says along which."""
    found = np.zeros(labels.shape, bool)
    for axis, (low, high) in enumerate(neighbours(labels.ndim)):
        if axes is not None and not axes[axis]:
            continue
        differs = labels[low] != labels[high]
        found[low] |= differs
        found[high] |= differs
    return found & (labels > 0)


def neighbours(ndim: int) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Yield, per axis, the indices of all voxels but the last and all but the first: pairs that share a face."""
    for axis in range(ndim):
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(ndim))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(ndim))
        yield low, high


def connected_pieces(labels: LabelArray | BoolArray, corners: bool = False) -> LabelArray:
    """Return each id's connected pieces, numbered from 1, 2-D or 3-D; connected by faces, or also by corners."""
    connectivity: Any = {(2, False): 4, (2, True): 8, (3, False): 6, (3, True): 26}[labels.ndim, corners]
    # cc3d 4.1.1 goes wrong with corners in 2-D where the array is of bools.
    values = labels.astype(np.uint8) if labels.dtype == bool else labels
    return cc3d.connected_components(values, connectivity=connectivity).astype(np.int32)


def known_with_ring(labels: LabelArray, known: BoolArray, spacing: VoxelSize, dims: int) -> BoolArray:
    """Return where labels are known, with a ring around painted objects where no background was painted.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        Ground truth; below 1 where there is no object.
    known : ndarray of bool, shape (z, y, x)
        False where a voxel is unlabelled.
    spacing : tuple of float
        Relative spacing of z, y and x.
    dims : {2, 3}
        Whether the ring stays in the slice.

    Returns
    -------
    ndarray of bool
        `known` itself where everything is known or some background is.
    """
    objects = known & (labels > 0)
    if known.all() or (known & (labels <= 0)).any():
        return known
    ring = np.zeros_like(known)
    for index, part in split_by_slice(objects.astype(np.int32), dims):
        if part.any():
            outside = np.ascontiguousarray(part == 0)
            ring[index] = edt.edt(outside, anisotropy=spacing[-part.ndim :], black_border=False) <= RING
    return known | ring
