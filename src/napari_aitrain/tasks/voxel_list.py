"""The voxels of the foreground as a list: most of an image is background, and work on a list does not grow with it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .matching import IntArray
from .protocol import BoolArray, FloatArray

Ids = npt.NDArray[np.int32]
T = TypeVar("T", bound=np.generic)

OUTSIDE = -1
"""Id of the frame."""
_AT_ONCE = 2**16
"""Voxels that are compared with their neighbours at once, so that they stay in the processor's cache."""


@dataclass(frozen=True)
class Contacts:
    """Pairs of neighbours that have different ids.

    Parameters
    ----------
    first, second : ndarray of int32
        Their ids.
    level : ndarray of float32
        The lower of their heights.
    one, beside : ndarray of int64
        Their positions in the array with a frame.
    """

    first: Ids
    second: Ids
    level: FloatArray
    one: IntArray
    beside: IntArray

    @classmethod
    def join(cls, parts: list[Contacts]) -> Contacts:
        """Join several, at least one."""
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))


class Frame:
    """Values around listed voxels, in an array with a frame one voxel wide, in which every voxel has all neighbours.

    The two arrays are made once, and only what was written is put back: lists are much shorter than arrays.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        inner = tuple(slice(1, -1) for _ in shape)
        ids = np.full([n + 2 for n in shape], OUTSIDE, np.int32)
        ids[inner] = 0
        self.ids = ids.ravel()
        self.heights = np.full(ids.size, -np.inf, np.float32)

    @contextmanager
    def holding(self, at: IntArray, ids: Ids | None = None, heights: FloatArray | None = None) -> Iterator[None]:
        """Hold values at positions for a while."""
        if ids is not None:
            self.ids[at] = ids
        if heights is not None:
            self.heights[at] = heights
        yield
        if ids is not None:
            self.ids[at] = 0
        if heights is not None:
            self.heights[at] = -np.inf

    @classmethod
    @contextmanager
    def lent(cls, shape: tuple[int, ...]) -> Iterator[Frame]:
        """Lend a frame, that of the last time if it fits: blocks of a volume have one shape, and new memory is slow."""
        frame = _SPARE.pop() if _SPARE else None
        if frame is None or frame.shape != shape:
            frame = cls(shape)
        yield frame
        # One that an error has left with values in it does not come back.
        _SPARE[:] = [frame]


_SPARE: list[Frame] = []


class VoxelList:
    """Some voxels of an array, and which of them are neighbours, 2-D or 3-D.

    Parameters
    ----------
    shape : tuple of int
        Of the array.
    at : ndarray of int64
        Flat positions of the voxels in the array, ascending.
    framed : ndarray of int64
        The same in an array with a frame one voxel wide.
    frame : Frame, optional
        Of a list of which this is a part.
    """

    def __init__(self, shape: tuple[int, ...], at: IntArray, framed: IntArray, frame: Frame | None = None) -> None:
        self.shape, self.at, self.framed = shape, at, framed
        self._frame = frame or Frame(shape)
        forward = [math.prod(n + 2 for n in shape[axis + 1 :]) for axis in range(len(shape))]
        self.forward = tuple(forward)
        """From a voxel to the next one along each axis, in the array with a frame."""
        self.around = (*forward, *(-step for step in forward))
        """From a voxel to all its neighbours."""

    @classmethod
    def of(cls, inside: BoolArray, frame: Frame | None = None) -> VoxelList:
        """List the voxels that are True; a frame of the same shape may be given."""
        framed = np.zeros([n + 2 for n in inside.shape], bool)
        framed[tuple(slice(1, -1) for _ in inside.shape)] = inside
        return cls(inside.shape, np.flatnonzero(inside), np.flatnonzero(framed), frame)

    def __len__(self) -> int:
        return len(self.at)

    def only(self, chosen: BoolArray) -> VoxelList:
        """Return a part of the list."""
        return VoxelList(self.shape, self.at[chosen], self.framed[chosen], self._frame)

    def take(self, array: npt.NDArray[T]) -> npt.NDArray[T]:
        """Return the values of an array at the voxels."""
        return array.ravel().take(self.at)

    def array(self, values: npt.NDArray[T]) -> npt.NDArray[T]:
        """Return an array that holds `values` at the voxels and 0 elsewhere."""
        array = np.zeros(math.prod(self.shape), values.dtype)
        array[self.at] = values
        return array.reshape(self.shape)

    def climb(self, height: FloatArray) -> tuple[IntArray, BoolArray]:
        """Return for each voxel the place in the list of its highest neighbour, itself where none is higher.

        Parameters
        ----------
        height : ndarray of float32
            Of the listed voxels.

        Returns
        -------
        up : ndarray of int64
        top : ndarray of bool
            Whether no neighbour is higher. Neighbours of one height may all be tops.
        """
        up, frame = np.empty(len(self), np.int64), self._frame
        with frame.holding(self.framed, np.arange(len(self), dtype=np.int32), height):
            for part in self._parts():
                here, best = self.framed[part], height[part].copy()
                target = here.copy()
                for step in self.around:
                    place = here + step
                    beside = frame.heights.take(place)
                    higher = beside > best
                    np.copyto(best, beside, where=higher)
                    np.copyto(target, place, where=higher)
                up[part] = frame.ids.take(target)
        return up, up == np.arange(len(self))

    def contacts(self, ids: Ids, height: FloatArray) -> Contacts:
        """Return all pairs of neighbours that have different ids.

        Parameters
        ----------
        ids : ndarray of int32
            Of the listed voxels, above 0.
        height : ndarray of float32
            Of the listed voxels.
        """
        found, frame = [], self._frame
        with frame.holding(self.framed, ids, height):
            for part in self._parts():
                here, own, own_height = self.framed[part], ids[part], height[part]
                for step in self.forward:
                    other = frame.ids.take(here + step)
                    touching = np.flatnonzero((other != own) & (other > 0))
                    one = here.take(touching)
                    beside = one + step
                    level = np.minimum(own_height.take(touching), frame.heights.take(beside))
                    found.append(Contacts(own.take(touching), other.take(touching), level, one, beside))
        return Contacts.join(found)

    def pieces(self) -> Ids:
        """Return connected pieces of the list, ``1 … n`` in the order of their first voxels; for short lists."""
        ends = []
        for step in self.forward:
            beside = self.framed + step
            place = np.minimum(np.searchsorted(self.framed, beside), max(0, len(self) - 1))
            touching = np.flatnonzero(self.framed.take(place) == beside) if len(self) else place
            ends.append(np.stack([touching, place[touching]]))
        pairs = np.concatenate(ends, axis=1)
        if not pairs.size:
            return np.arange(1, len(self) + 1, dtype=np.int32)
        graph = coo_array((np.ones(pairs.shape[1], bool), (pairs[0], pairs[1])), shape=(len(self), len(self)))
        found: Ids = connected_components(graph, directed=False)[1] + 1
        return found

    def near(self, places: IntArray, width: int) -> tuple[BoolArray, BoolArray]:
        """Return which voxels are at most `width` steps from places, and which are one step more.

        Parameters
        ----------
        places : ndarray of int64
            Positions of listed voxels in the array with a frame.
        width : int
            Steps from a voxel to a neighbour, through listed voxels.
        """
        left = np.zeros(len(self._frame.ids), np.uint8)
        left[self.framed] = 1
        left[places] = 2
        reached = np.flatnonzero(left == 2)
        for distance in range(3, width + 4):
            further = []
            for step in self.around:
                beside = reached + step
                beside = beside[left.take(beside) == 1]
                left[beside] = distance
                further.append(beside)
            reached = np.concatenate(further)
        steps = left.take(self.framed)
        return (steps > 1) & (steps < width + 3), steps == width + 3

    def rim(self, ids: Ids) -> BoolArray:
        """Return which voxels have a neighbour in the array that is not of the same id; `ids` are above 0."""
        rim = np.zeros(len(self), bool)
        with self._frame.holding(self.framed, ids):
            for part in self._parts():
                here, own = self.framed[part], ids[part]
                for step in self.around:
                    other = self._frame.ids.take(here + step)
                    rim[part] |= (other != own) & (other != OUTSIDE)
        return rim

    def _parts(self) -> Iterator[slice]:
        """Yield the list in parts."""
        for start in range(0, len(self), _AT_ONCE):
            yield slice(start, start + _AT_ONCE)
