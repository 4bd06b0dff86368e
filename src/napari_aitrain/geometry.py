"""Regions, magnifications, alignment and tiling: integer arithmetic, no arrays.

All coordinates are voxels in z, y, x order. A 2-D image has a z extent of 1. Regions are half-open values with
arithmetic, as in funkelab/funlib.geometry; alignment follows the rules of WEBKNOSSOS.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .errors import BoxError, ConfigError

Triple = tuple[int, int, int]
FINEST: Triple = (1, 1, 1)


def triple(values: Sequence[int]) -> Triple:
    """Return three plain integers.

    Raises
    ------
    BoxError
        If there are not exactly three.
    """
    z, y, x = (int(v) for v in values) if len(values) == 3 else _not_three(values)
    return z, y, x


def _not_three(values: Sequence[int]) -> Triple:
    raise BoxError(
        f"{list(values)} has {len(values)} numbers",
        "three numbers in z, y, x order (z is 1 for a 2-D image)",
        "give one number for each of z, y and x",
    )


@dataclass(frozen=True, order=True)
class Region:
    """A half-open box of voxels.

    Parameters
    ----------
    start, stop : tuple of int
        First voxel and one past the last voxel, in z, y, x order.

    Examples
    --------
    >>> Region((0, 0, 0), (1, 4, 4)).intersect(Region((0, 2, 2), (1, 9, 9)))
    Region(start=(0, 2, 2), stop=(1, 4, 4))
    """

    start: Triple
    stop: Triple

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", triple(self.start))
        object.__setattr__(self, "stop", triple(self.stop))

    @classmethod
    def from_shape(cls, shape: Sequence[int], start: Sequence[int] = (0, 0, 0)) -> Region:
        """Return the region of the given z, y, x shape that begins at `start`."""
        z, y, x = triple(start)
        dz, dy, dx = triple(shape)
        return cls((z, y, x), (z + dz, y + dy, x + dx))

    @property
    def shape(self) -> Triple:
        """Extent in z, y, x; never negative."""
        return triple([max(0, b - a) for a, b in zip(self.start, self.stop, strict=True)])

    @property
    def size(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)

    @property
    def empty(self) -> bool:
        """Whether the region holds no voxel."""
        return self.size == 0

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """Slices that index a (z, y, x) array."""
        z, y, x = (slice(a, b) for a, b in zip(self.start, self.stop, strict=True))
        return z, y, x

    def shift(self, by: Sequence[int]) -> Region:
        """Return the region moved by `by` voxels."""
        return Region(
            triple([a + d for a, d in zip(self.start, by, strict=True)]),
            triple([b + d for b, d in zip(self.stop, by, strict=True)]),
        )

    def relative_to(self, origin: Sequence[int]) -> Region:
        """Return the region in coordinates that begin at `origin`."""
        return self.shift([-o for o in origin])

    def grow(self, by: Sequence[int]) -> Region:
        """Return the region grown by `by` voxels on either side of each axis."""
        return Region(
            triple([a - d for a, d in zip(self.start, by, strict=True)]),
            triple([b + d for b, d in zip(self.stop, by, strict=True)]),
        )

    def intersect(self, other: Region) -> Region:
        """Return the common part; its shape has a 0 where there is none."""
        start = [max(a, b) for a, b in zip(self.start, other.start, strict=True)]
        stop = [min(a, b) for a, b in zip(self.stop, other.stop, strict=True)]
        return Region(triple(start), triple([max(a, b) for a, b in zip(start, stop, strict=True)]))

    def overlaps(self, other: Region) -> bool:
        """Whether the two share at least one voxel."""
        return not self.intersect(other).empty

    def contains(self, other: Region) -> bool:
        """Whether every voxel of `other` is in this region."""
        return other.empty or self.intersect(other) == other


def parse_magnification(text: str) -> Triple:
    """Read a magnification as people write it, in x-y-z order.

    Parameters
    ----------
    text : str
        ``"2"`` for 2 in every axis, or ``"4-4-1"`` for x-y-z.

    Returns
    -------
    tuple of int
        Downsampling in z, y, x order.

    Raises
    ------
    ConfigError
        If the text is neither form, or a number is below 1.

    Examples
    --------
    >>> parse_magnification("4-4-1")
    (1, 4, 4)
    """
    parts = str(text).strip().split("-")
    if len(parts) not in (1, 3) or not all(p.isdecimal() and int(p) > 0 for p in parts):
        raise ConfigError(
            f"magnification {text!r} is not known",
            "one whole number such as 1 or 2, or three in x-y-z order such as 2-2-1",
            "write for example --magnification 2-2-1 to halve x and y and keep every section",
        )
    x, y, z = (int(p) for p in (parts * 3 if len(parts) == 1 else parts))
    return z, y, x


def format_magnification(magnification: Sequence[int]) -> str:
    """Write a z, y, x magnification as people read it.

    Examples
    --------
    >>> format_magnification((1, 2, 2)), format_magnification((2, 2, 2))
    ('2-2-1', '2')
    """
    z, y, x = triple(magnification)
    return str(x) if x == y == z else f"{x}-{y}-{z}"


def align_inwards(region: Region, magnification: Sequence[int]) -> Region:
    """Shrink a region to whole voxels of a magnification, as WEBKNOSSOS does.

    Parameters
    ----------
    region : Region
        In voxels of the finest level.
    magnification : tuple of int
        In z, y, x order.

    Returns
    -------
    Region
        In voxels of `magnification`; empty where no whole voxel fits.
    """
    m = triple(magnification)
    start = [-(-a // f) for a, f in zip(region.start, m, strict=True)]
    stop = [b // f for b, f in zip(region.stop, m, strict=True)]
    return Region(triple(start), triple([max(a, b) for a, b in zip(start, stop, strict=True)]))


def to_finest(region: Region, magnification: Sequence[int]) -> Region:
    """Return a region in voxels of the finest level, from voxels of `magnification`."""
    m = triple(magnification)
    return Region(
        triple([a * f for a, f in zip(region.start, m, strict=True)]),
        triple([b * f for b, f in zip(region.stop, m, strict=True)]),
    )


def is_aligned(region: Region, magnification: Sequence[int]) -> bool:
    """Whether alignment to `magnification` leaves the drawn region as it was."""
    return to_finest(align_inwards(region, magnification), magnification) == region


def magnified_shape(shape: Sequence[int], magnification: Sequence[int]) -> Triple:
    """Return the z, y, x shape of a volume at a magnification; a cut-off last voxel counts.

    Examples
    --------
    >>> magnified_shape((1, 5, 4), (1, 2, 2))
    (1, 3, 2)
    """
    return triple([-(-n // f) for n, f in zip(shape, triple(magnification), strict=True)])


@dataclass(frozen=True)
class Tile:
    """One step of a tiled computation.

    Parameters
    ----------
    core : Region
        The voxels this tile answers for; cores of all tiles cover a volume exactly once.
    outer : Region
        The voxels to read: the core and its halo, cut off at the border of the volume.
    """

    core: Region
    outer: Region

    @property
    def core_in_outer(self) -> Region:
        """The core in coordinates of the array read for `outer`."""
        return self.core.relative_to(self.outer.start)


def tiles(within: Region, core_shape: Sequence[int], halo: Sequence[int] = (0, 0, 0)) -> Iterator[Tile]:
    """Cover a region with tiles, in z, y, x order.

    Parameters
    ----------
    within : Region
        What to cover; halos are cut off at its border.
    core_shape : tuple of int
        Shape of a core; the last one per axis may be smaller.
    halo : tuple of int
        Context to read beside a core.

    Yields
    ------
    Tile
        Cores are disjoint, and together they are `within`.
    """
    starts = [range(a, b, max(1, n)) for a, b, n in zip(within.start, within.stop, core_shape, strict=True)]
    for start in itertools.product(*starts):
        core = Region.from_shape(core_shape, start).intersect(within)
        yield Tile(core, core.grow(halo).intersect(within))


def count_tiles(shape: Sequence[int], core_shape: Sequence[int]) -> int:
    """Return how many tiles `tiles` gives for a region of this shape."""
    return math.prod(-(-n // max(1, c)) for n, c in zip(shape, core_shape, strict=True))
