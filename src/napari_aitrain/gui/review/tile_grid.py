"""Which tiles and levels a volume is looked at in."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...geometry import Region, Triple, magnified_shape, triple

_SIDE = {1: 256, 2: 256, 3: 64}
"""Extent of a tile along axes that are on screen, by how many there are."""


@dataclass(frozen=True)
class Tile:
    """A part of a level.

    Parameters
    ----------
    level : int
        Number of the level.
    extent : tuple of int
        Of tiles of this kind: 1 along an axis that is cut.
    place : tuple of int
        Number of the tile along each axis.
    """

    level: int
    extent: Triple
    place: Triple


def extent_of(index: tuple[Any, ...], shape: Triple) -> Triple:
    """Return the extent of the tiles that serve an index: flat along the axes that it cuts."""
    shown = sum(isinstance(part, slice) and n > 1 for part, n in zip(index, shape, strict=True))
    side = _SIDE[max(1, shown)]
    return triple([side if isinstance(part, slice) else 1 for part in index])


def steps_for(shape: Triple, voxel_size: Sequence[float] | None, most: int = 2**20) -> list[Triple]:
    """Return which voxels coarser levels have, until one has at most so many.

    Parameters
    ----------
    shape : tuple of int
        z, y, x.
    voxel_size : sequence of float, optional
        Thick sections are left out later than pixels.

    Examples
    --------
    >>> steps_for((1, 4096, 4096), None), steps_for((64, 1024, 1024), (40, 10, 10))
    ([(1, 1, 1), (1, 2, 2), (1, 4, 4)], [(1, 1, 1), (1, 2, 2), (1, 4, 4), (2, 8, 8)])
    """
    size = np.array(voxel_size if voxel_size is not None else (1, 1, 1), float)
    found: list[Triple] = [(1, 1, 1)]
    while math.prod(magnified_shape(shape, found[-1])) > most:
        step = np.array(found[-1])
        long = np.array(magnified_shape(shape, found[-1])) > 1
        finest = (step * size)[long].min()
        found.append(triple([int(v) for v in np.where(long & (step * size < 2 * finest), 2 * step, step)]))
    return found


def chunks_of(region: Region, chunk: Triple) -> Iterator[Region]:
    """Yield the parts of a region that lie in one chunk each."""
    spans = [
        [(max(a, n * c), min(b, (n + 1) * c)) for n in range(a // c, -(-b // c))]
        for a, b, c in zip(region.start, region.stop, chunk, strict=True)
    ]
    for box in itertools.product(*spans):
        yield Region(triple([a for a, _ in box]), triple([b for _, b in box]))


def span_of(part: Any, n: int) -> tuple[int, int]:
    """Return the half-open range of voxels that an index of an axis means."""
    if isinstance(part, slice):
        start, stop, _ = part.indices(n)
        return start, max(start, stop)
    at = int(part) % n
    return at, at + 1


def covering(level: int, spans: Sequence[tuple[int, int]], extent: Triple) -> Iterator[Tile]:
    """Yield the tiles of a level that hold some voxels."""
    ranges = [range(a // e, -(-b // e)) for (a, b), e in zip(spans, extent, strict=True)]
    return (Tile(level, extent, triple(place)) for place in itertools.product(*ranges))
