"""Where the chunks of an array lie: arithmetic on numbers of chunks, without any array."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

Index = tuple[int, ...]
"""Number of a chunk along each axis."""
Box = tuple[tuple[int, int], ...]
"""Half-open range of chunks along each axis."""


@dataclass(frozen=True)
class ChunkGrid:
    """Chunks of an array.

    Parameters
    ----------
    shape : tuple of int
        Of the array.
    chunks : tuple
        Per axis the length of a chunk, or the lengths of all of them, as dask has it.
    """

    shape: tuple[int, ...]
    chunks: tuple[int | tuple[int, ...], ...]

    @cached_property
    def _stops(self) -> tuple[list[int] | None, ...]:
        return tuple(list(itertools.accumulate(c)) if isinstance(c, tuple) else None for c in self.chunks)

    def bounds(self, axis: int, number: int) -> tuple[int, int]:
        """Return the first voxel of a chunk along an axis, and the one after its last."""
        chunk, stops = self.chunks[axis], self._stops[axis]
        if stops is not None:
            return (stops[number - 1] if number else 0), stops[number]
        assert isinstance(chunk, int)
        return number * chunk, min((number + 1) * chunk, self.shape[axis])

    def covering(self, spans: Sequence[tuple[int, int]]) -> Box:
        """Return the chunks that hold voxels, which are given as a half-open range per axis; none may be empty."""
        box = []
        for (start, stop), chunk, stops in zip(spans, self.chunks, self._stops, strict=True):
            if stops is not None:
                box.append((bisect_right(stops, start), bisect_left(stops, stop) + 1))
            else:
                assert isinstance(chunk, int)
                box.append((start // chunk, -(-stop // chunk)))
        return tuple(box)

    def voxels(self, box: Box) -> tuple[tuple[int, int], ...]:
        """Return the half-open range of voxels along each axis of a box of chunks."""
        return tuple((self.bounds(i, a)[0], self.bounds(i, b - 1)[1]) for i, (a, b) in enumerate(box))

    def size(self, box: Box) -> int:
        """Return how many voxels a box of chunks has."""
        return math.prod(b - a for a, b in self.voxels(box))

    def parts(self, box: Box, most: int) -> Iterator[Box]:
        """Divide a box of chunks into boxes of at most so many voxels, or of a single chunk."""
        long = max(range(len(box)), key=lambda i: box[i][1] - box[i][0], default=0)
        if not box or box[long][1] - box[long][0] == 1 or self.size(box) <= most:
            yield box
            return
        start, stop = box[long]
        middle = (start + stop) // 2
        for span in ((start, middle), (middle, stop)):
            yield from self.parts((*box[:long], span, *box[long + 1 :]), most)


def indices(box: Box) -> Iterator[Index]:
    """Return the chunks of a box, the last axis fastest."""
    return itertools.product(*(range(a, b) for a, b in box))


def boxes_of(chunks: Iterable[Index]) -> list[Box]:
    """Return few boxes that together are just the given chunks.

    Examples
    --------
    >>> boxes_of([(0, 0), (0, 1), (1, 0), (1, 1), (2, 1)])
    [((0, 2), (0, 2)), ((2, 3), (1, 2))]
    """
    boxes = [tuple((i, i + 1) for i in chunk) for chunk in chunks]
    for axis in reversed(range(len(boxes[0]) if boxes else 0)):
        boxes.sort(key=lambda box: (_but(box, axis), box[axis]))
        merged: list[Box] = []
        for box in boxes:
            last = merged[-1] if merged else None
            if last and last[axis][1] == box[axis][0] and _but(last, axis) == _but(box, axis):
                merged[-1] = (*last[:axis], (last[axis][0], box[axis][1]), *last[axis + 1 :])
            else:
                merged.append(box)
        boxes = merged
    return sorted(boxes)


def _but(box: Box, axis: int) -> Box:
    return box[:axis] + box[axis + 1 :]
