"""Which voxels of the ground truth are one object, where ids alone do not say it.

Binary labels are divided into connected pieces, and an id that was used for objects far from each other is taken for
several objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cc3d
import fastremap
import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial import KDTree
from scipy.spatial.distance import squareform

from ..geometry import Region, Triple
from ..tasks.maps import border, connected_pieces, outline_spacing, split_by_slice
from ..volumes import Volume, read_labels
from ..volumes.units import VoxelSize

Labels = npt.NDArray[np.int32]
Distances = npt.NDArray[np.float64]
MANY_PIECES = 256
"""Of an id in more pieces only the distances of the boxes around them are looked at."""


@dataclass(frozen=True)
class Separation:
    """How ids of a file become ids of objects.

    Parameters
    ----------
    pieces : bool
        Every connected piece is an object, because the labels are binary.
    flat : bool
        Slices are looked at one by one.
    max_distance : float, optional
        In nm; pieces of one id that are farther apart are several objects. Needs a voxel size.
    """

    pieces: bool
    flat: bool
    max_distance: float | None = None


@dataclass(frozen=True)
class Shared:
    """An id that several objects have.

    Parameters
    ----------
    label : int
        The id in the file.
    places : tuple of tuple of int
        A voxel of each object, z, y, x, in voxels of the labels.
    """

    label: int
    places: tuple[Triple, ...]


def separate(
    labels: Labels, how: Separation, voxel_size: VoxelSize | None, background_id: int | None = None
) -> tuple[Labels, list[Shared]]:
    """Give every object an id of its own.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        As in the file: 0 is background or unlabelled.
    how : Separation
        The rule.
    voxel_size : tuple of float or None
        nm, z, y, x.
    background_id : int, optional
        An id that means background and stays as it is.

    Returns
    -------
    labels : ndarray of int32, shape (z, y, x)
        0 and `background_id` are where they were. Of an id that several objects have, the largest keeps it.
    shared : list of Shared
        The ids that several objects have; none of binary labels.
    """
    background = labels == background_id if background_id is not None else np.zeros(1, bool)
    objects = np.where(background, 0, labels).astype(np.int32)
    shared: list[Shared] = []
    if how.pieces:
        found = _pieces(objects > 0, how.flat)
        if background_id is not None:
            found[found >= background_id] += 1
    elif how.max_distance is None or voxel_size is None:
        return labels, shared
    else:
        found = objects
        for index, part in split_by_slice(objects, 2 if how.flat else 3):
            free = int(max(found.max(initial=0), labels.max(initial=0))) + 1
            first = index if isinstance(index, int) else 0
            shared += _split(part, voxel_size[-part.ndim :], how.max_distance, free, first)
    if background_id is not None:
        found[background] = background_id
    return found, shared


def _pieces(objects: npt.NDArray[np.bool_], flat: bool) -> Labels:
    found = np.zeros(objects.shape, np.int32)
    count = 0
    for index, part in split_by_slice(objects.astype(np.int32), 2 if flat else 3):
        pieces = connected_pieces(part, corners=True)
        found[index] = np.where(pieces > 0, pieces + count, 0)
        count += int(pieces.max(initial=0))
    return found


def _split(labels: Labels, spacing: Sequence[float], most: float, free: int, z: int) -> Iterator[Shared]:
    """Split ids of distant pieces in place; ids from `free` on are given to new objects."""
    for label, box in _long_ids(labels, spacing, most):
        here = labels[box]
        pieces = connected_pieces(here == label, corners=True)
        groups = _groups(pieces, spacing, most)
        sizes = np.bincount(groups[pieces[pieces > 0]])
        if len(sizes) < 2:
            continue
        order = np.argsort(-sizes, kind="stable")
        ids = np.empty(len(sizes), np.int32)
        ids[order] = [label, *range(free, free + len(sizes) - 1)]
        free += len(sizes) - 1
        places = []
        for group in order.tolist():
            where = np.argwhere((pieces > 0) & (groups[pieces] == group))
            at = where[len(where) // 2] + [span.start for span in box]
            places.append((z, *at.tolist()) if labels.ndim == 2 else tuple(at.tolist()))
        inside = pieces > 0
        here[inside] = ids[groups[pieces[inside]]]
        yield Shared(label, tuple(places))


def _long_ids(labels: Labels, spacing: Sequence[float], most: float) -> Iterator[tuple[int, tuple[slice, ...]]]:
    """Yield ids whose bounding box is longer than `most` from corner to corner, and that box."""
    compact, numbers = fastremap.renumber(labels, preserve_zero=True, in_place=False)
    names = {new: old for old, new in numbers.items()}
    first, last = _boxes(compact)
    for row in np.flatnonzero(np.linalg.norm((last - first) * np.asarray(spacing), axis=1) > most).tolist():
        yield int(names[row + 1]), tuple(slice(a, b + 1) for a, b in zip(first[row], last[row], strict=True))


def _boxes(labels: Labels) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the first and the last voxel along each axis of ids ``1 … n``, 2-D or 3-D, each of shape (n, axes)."""
    volume = np.ascontiguousarray(labels.reshape((1,) * (3 - labels.ndim) + labels.shape)).astype(np.uint32)
    boxes = np.asarray(cc3d.statistics(volume, no_slice_conversion=True)["bounding_boxes"], np.int64)[1:]
    return boxes[:, 0::2][:, 3 - labels.ndim :], boxes[:, 1::2][:, 3 - labels.ndim :]


def _groups(pieces: Labels, spacing: Sequence[float], most: float) -> npt.NDArray[np.int64]:
    """Return a group from 0 for each piece: any two pieces of one are at most `most` apart. Entry 0 means nothing."""
    count = int(pieces.max(initial=0))
    if count < 2:
        return np.zeros(count + 1, np.int64)
    gaps = _gaps(pieces, np.asarray(spacing, float), most)
    numbers = fcluster(linkage(squareform(gaps, checks=False), "complete"), most, "distance")
    return np.concatenate([[0], numbers - 1]).astype(np.int64)


def _gaps(pieces: Labels, spacing: Distances, most: float) -> Distances:
    """Return the distances between pieces; those that are surely below or above `most` may be estimates."""
    low, high = (corner * spacing for corner in _boxes(pieces))
    between = np.maximum(0, np.maximum(low[:, None] - high[None], low[None] - high[:, None]))
    gaps: Distances = np.linalg.norm(between, axis=2)
    if len(low) > MANY_PIECES:
        return gaps
    across = np.maximum(high[:, None], high[None]) - np.minimum(low[:, None], low[None])
    unclear = (gaps <= most) & (np.linalg.norm(across, axis=2) > most)
    np.fill_diagonal(unclear, False)
    at = np.argwhere(border(np.pad(pieces, 1)))
    ids = pieces[tuple((at - 1).T)]
    trees = {int(i): KDTree((at[ids == i] - 1) * spacing) for i in np.unique(np.argwhere(unclear)[:, 0]) + 1}
    for one, other in np.argwhere(np.triu(unclear)).tolist():
        nearest = float(trees[one + 1].query(trees[other + 1].data)[0].min())
        gaps[one, other] = gaps[other, one] = nearest
    return gaps


class SeparatedLabels:
    """Labels of a file as ids of objects: an array to be read by regions, box by box.

    Parameters
    ----------
    labels : Volume
        As in the file.
    boxes : sequence of Region
        Where objects are told apart, each box by itself: what is read must lie in one of them.
    how : Separation
        The rule.
    voxel_size : tuple of float or None
        nm, z, y, x.
    background_id : int, optional
        As for `separate`.
    """

    def __init__(
        self,
        labels: Volume,
        boxes: Sequence[Region],
        how: Separation,
        voxel_size: VoxelSize | None,
        background_id: int | None,
    ) -> None:
        self.shape: Triple = labels.shape
        self.dtype = np.dtype(np.int32)
        self._labels, self._boxes, self._how = labels, tuple(boxes), how
        self._voxel_size, self._background_id = voxel_size, background_id
        self._kept: tuple[Region, Labels] | None = None
        self.shared: dict[Region, list[Shared]] = {}

    def __getitem__(self, key: Any, /) -> Any:
        """Read a region, given as three slices."""
        wanted = Region(*zip(*(span.indices(n)[:2] for span, n in zip(key, self.shape, strict=True)), strict=True))
        box = next((box for box in self._boxes if box.contains(wanted)), wanted)
        return self.whole(box)[wanted.relative_to(box.start).slices]

    def as_volume(self) -> Volume:
        """Return the ids as a volume of labels."""
        return Volume.from_array(
            self, name=self._labels.name, kind="labels", axes="zyx", voxel_size=self._labels.voxel_size
        )

    def whole(self, box: Region) -> Labels:
        """Return the ids of a box; the last one is kept."""
        if self._kept is None or self._kept[0] != box:
            raw = read_labels(self._labels, box)
            found, self.shared[box] = separate(raw, self._how, self._voxel_size, self._background_id)
            self._kept = box, found
        return self._kept[1]


def longest_side(labels: Labels, voxel_size: VoxelSize | None) -> Distances:
    """Return the longest side, in nm, of the box around each id above 0; in voxels where the size is not known."""
    spacing = np.asarray(voxel_size or outline_spacing(None))
    compact, _ = fastremap.renumber(np.maximum(labels, 0), preserve_zero=True, in_place=False)
    first, last = _boxes(compact)
    sides: Distances = ((last - first + 1) * spacing).max(axis=1, initial=0)
    return sides
