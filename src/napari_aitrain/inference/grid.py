"""The blocks of a volume, computed when they are asked for: a volume of 100 TB has millions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..geometry import Region, Tile, Triple, magnified_shape, triple


@dataclass(frozen=True)
class Grid:
    """Blocks numbered in z, y, x order.

    Parameters
    ----------
    shape : tuple of int
        z, y, x extent of what they cover.
    block : tuple of int
        Extent of a core; the last one per axis may be smaller.
    halo : tuple of int
        What a block sees beside its core.
    """

    shape: Triple
    block: Triple
    halo: Triple = (0, 0, 0)

    @property
    def counts(self) -> Triple:
        """Blocks per axis."""
        return magnified_shape(self.shape, self.block)

    def __len__(self) -> int:
        """Return the number of blocks."""
        return math.prod(self.counts)

    def __getitem__(self, index: int) -> Tile:
        """Return one block."""
        whole = Region.from_shape(self.shape)
        start = triple([place * n for place, n in zip(self.place(index), self.block, strict=True)])
        core = Region.from_shape(self.block, start).intersect(whole)
        return Tile(core, core.grow(self.halo).intersect(whole))

    def __iter__(self) -> Iterator[Tile]:
        """Yield all blocks."""
        return (self[index] for index in range(len(self)))

    def place(self, index: int) -> Triple:
        """Return where a block lies, in blocks per axis."""
        _, rows, columns = self.counts
        return index // (rows * columns), index // columns % rows, index % columns

    def index(self, place: Sequence[int]) -> int:
        """Return the number of the block at a place."""
        z, y, x = place
        _, rows, columns = self.counts
        return (z * rows + y) * columns + x

    def neighbour(self, index: int, axis: int, side: int) -> int | None:
        """Return the number of the next block along an axis, or None at the border."""
        place = list(self.place(index))
        place[axis] += side
        return self.index(place) if 0 <= place[axis] < self.counts[axis] else None

    def covering(self, region: Region) -> Iterator[int]:
        """Yield the numbers of the blocks whose cores hold a voxel of a region."""
        spans = [range(a // n, -(-b // n)) for a, b, n in zip(region.start, region.stop, self.block, strict=True)]
        return map(self.index, itertools.product(*spans))

    def order(self, near: Sequence[float] | None) -> Sequence[int] | npt.NDArray[np.int64]:
        """Return the numbers of all blocks, those nearest to a place first.

        Parameters
        ----------
        near : sequence of float, optional
            z, y, x; the blocks' own order if not given.
        """
        if near is None:
            return range(len(self))
        away = [
            (np.minimum((np.arange(count) + 0.5) * n, extent) - at) ** 2
            for count, n, extent, at in zip(self.counts, self.block, self.shape, near, strict=True)
        ]
        distance = away[0][:, None, None] + away[1][:, None] + away[2]
        return np.argsort(distance.ravel(), kind="stable")
