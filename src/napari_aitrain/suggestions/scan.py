"""Looks for places in an uncertainty map of any size, block by block."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..geometry import Region, Triple, triple
from ..inference.blocks import Cancelled, PredictionCancelledError, Progress
from .maps import UncertaintyMap
from .onto import Onto

MOST_KEPT = 4096
"""Places of the highest uncertainty that are kept of an image, and so many by chance."""
_SPAN: dict[bool, Triple] = {True: (1, 2048, 2048), False: (128, 192, 192)}
"""Voxels of a map that are read at once, of slices and of volumes."""

Starts = npt.NDArray[np.int64]
Rows = npt.NDArray[np.float64]
"""z, y, x of the first voxel, mean uncertainty, and a number by chance."""


@dataclass(frozen=True)
class Candidate:
    """A place that could be suggested.

    Parameters
    ----------
    image : int
        Number of the image.
    region : Region
        In voxels of the image.
    score : float
        Mean uncertainty.
    key : float
        A number by chance, 0 … 1.
    """

    image: int
    region: Region
    score: float
    key: float


@dataclass(frozen=True)
class Scan:
    """What was found in an image.

    Parameters
    ----------
    best : list of Candidate
        The most uncertain ones, the highest first.
    chance : list of Candidate
        Some that chance has chosen from all, in an order by chance.
    places : int
        How many there are in all, which overlap each other.
    """

    best: list[Candidate]
    chance: list[Candidate]
    places: int


def scan(
    uncertainty: UncertaintyMap,
    onto: Onto,
    size: Triple,
    *,
    grid: Triple = (1, 1, 1),
    taken: Sequence[Region] = (),
    image: int = 0,
    seed: int = 0,
    most: int = MOST_KEPT,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Scan:
    """Look at boxes half a box apart everywhere; those that touch what is taken are left out.

    Parameters
    ----------
    uncertainty : UncertaintyMap
        Read a block at a time.
    onto : Onto
        How it lies on the image.
    size : tuple of int
        Of a box, in voxels of the image.
    grid : tuple of int
        Boxes begin at multiples of it: the magnification of the ground truth.
    taken : sequence of Region
        Boxes that there are, and whatever else is not to be suggested.
    image : int
        Number of the image, for the candidates.
    seed : int
        Of the chance.
    most : int
        How many are kept, of either kind.
    progress, cancelled : callable, optional
        See `predict_volume`.

    Raises
    ------
    PredictionCancelledError
        If `cancelled` said so.
    """
    lattice = [starts(*row) for row in zip(onto.region.start, onto.region.stop, size, grid, strict=True)]
    kept = _Kept(size, most, seed, image)
    blocks = list(_blocks(lattice, size, onto))
    for number, block in enumerate(blocks):
        if cancelled is not None and cancelled():
            raise PredictionCancelledError("cancelled")
        free = _free(block, size, taken)
        if free.any():
            kept.add(block, _means(uncertainty, onto, block, size), free)
        if progress is not None:
            progress(number + 1, len(blocks), "places")
    return kept.result()


def starts(first: int, stop: int, size: int, grid: int) -> Starts:
    """Return where boxes begin along an axis: at multiples of the grid, half a box apart, and one at the end.

    Examples
    --------
    >>> starts(0, 100, 32, 1).tolist(), starts(3, 100, 32, 2).tolist()
    ([0, 16, 32, 48, 64, 68], [4, 20, 36, 52, 68])
    """
    begin, last = -(-first // grid) * grid, (stop - size) // grid * grid
    if last < begin:
        return np.zeros(0, np.int64)
    step = max(1, size // 2 // grid) * grid
    return np.unique(np.append(np.arange(begin, last + 1, step), last))


def _blocks(lattice: Sequence[Starts], size: Triple, onto: Onto) -> Iterator[list[Starts]]:
    """Yield parts of the lattice whose boxes make up a block that fits into memory."""
    flat = onto.shape[0] == 1 or size[0] == 1
    parts = []
    for axis, (begins, extent, factor, span) in enumerate(zip(lattice, size, onto.factors, _SPAN[flat], strict=True)):
        reach = max(0, math.floor(span * factor) - extent)
        cuts: list[Starts] = []
        rest = begins
        while len(rest):
            count = 1 if flat and axis == 0 else max(1, int(np.searchsorted(rest, rest[0] + reach, side="right")))
            cuts.append(rest[:count])
            rest = rest[count:]
        parts.append(cuts)
    return ([z, y, x] for z in parts[0] for y in parts[1] for x in parts[2])


def _free(block: Sequence[Starts], size: Triple, taken: Sequence[Region]) -> npt.NDArray[np.bool_]:
    """Return which boxes touch nothing that is taken."""
    free = np.ones([len(begins) for begins in block], bool)
    for region in taken:
        touching = [
            (begins < stop) & (begins + extent > start)
            for begins, extent, start, stop in zip(block, size, region.start, region.stop, strict=True)
        ]
        if all(axis.any() for axis in touching):
            z, y, x = touching
            free &= ~(z[:, None, None] & y[:, None] & x)
    return free


def _means(uncertainty: UncertaintyMap, onto: Onto, block: Sequence[Starts], size: Triple) -> npt.NDArray[np.float64]:
    """Return the mean uncertainty of each box of a block, from one integral image."""
    first = Region(
        triple([int(b[0]) for b in block]), triple([int(b[-1]) + n for b, n in zip(block, size, strict=True)])
    )
    seen = onto.seen(first)
    total = np.zeros([n + 1 for n in seen.shape])
    total[1:, 1:, 1:] = uncertainty.read(seen)
    for axis in range(3):
        np.cumsum(total, axis=axis, out=total)
    low, high = [], []
    for axis, begins in enumerate(block):
        spans = [_span(int(b), axis, size, onto, seen) for b in begins]
        low.append(np.array([a for a, _ in spans]))
        high.append(np.array([b for _, b in spans]))
    found = np.zeros([len(b) for b in block])
    for corner in range(8):
        places = [(high if corner >> axis & 1 else low)[axis] for axis in range(3)]
        found += (-1) ** (3 - corner.bit_count()) * total[np.ix_(*places)]
    extents = [b - a for a, b in zip(low, high, strict=True)]
    means: npt.NDArray[np.float64] = found / (extents[0][:, None, None] * extents[1][:, None] * extents[2])
    return means


def _span(start: int, axis: int, size: Triple, onto: Onto, seen: Region) -> tuple[int, int]:
    """Return the voxels of the part that was read which a box has along an axis."""
    lone = [0, 0, 0]
    lone[axis] = start
    part = onto.seen(Region.from_shape(size, lone))
    return part.start[axis] - seen.start[axis], part.stop[axis] - seen.start[axis]


class _Kept:
    """The best, and some by chance, of all candidates so far."""

    def __init__(self, size: Triple, most: int, seed: int, image: int) -> None:
        self._size, self._most, self._image = size, most, image
        self._random = np.random.default_rng((seed, image))
        self._best = self._chance = np.zeros((0, 5))
        self._places = 0

    def add(self, block: Sequence[Starts], means: npt.NDArray[np.float64], free: npt.NDArray[np.bool_]) -> None:
        """Take in the boxes of a block."""
        keys = self._random.random(means.shape)[free]
        corners = np.stack(np.meshgrid(*block, indexing="ij"), -1)[free]
        rows = np.column_stack([corners, means[free], keys])
        self._places += len(rows)
        self._best = _first(np.concatenate([self._best, rows]), self._most, lambda r: -r[:, 3])
        self._chance = _first(np.concatenate([self._chance, rows]), self._most, lambda r: r[:, 4])

    def result(self) -> Scan:
        """Return what is left, in order."""
        best = self._best[np.lexsort((self._best[:, 4], -self._best[:, 3]))]
        chance = self._chance[np.argsort(self._chance[:, 4], kind="stable")]
        return Scan(self._listed(best), self._listed(chance), self._places)

    def _listed(self, rows: Rows) -> list[Candidate]:
        return [
            Candidate(
                self._image, Region.from_shape(self._size, [int(n) for n in row[:3]]), float(row[3]), float(row[4])
            )
            for row in rows
        ]


def _first(rows: Rows, most: int, order: Callable[[Rows], Rows]) -> Rows:
    return rows if len(rows) <= most else rows[np.argpartition(order(rows), most)[:most]]
