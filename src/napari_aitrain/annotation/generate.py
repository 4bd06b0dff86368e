"""Boxes of one size at random places, none of which overlaps another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..geometry import Region, Triple, triple


def place_boxes(
    shape: Triple, size: Triple, count: int, taken: Sequence[Region], seed: int, grid: Triple = (1, 1, 1)
) -> list[Region]:
    """Return regions of one size inside a volume that overlap neither each other nor those taken.

    Parameters
    ----------
    shape : tuple of int
        Of the volume, in z, y, x order.
    size : tuple of int
        Of each region; cut to the volume where it is thinner.
    count : int
        How many are wanted; fewer are returned where no more fit.
    taken : sequence of Region
        Regions to keep out of.
    seed : int
        The same seed gives the same places.
    grid : tuple of int
        Regions begin at multiples of it, such as a magnification.
    """
    rng = np.random.default_rng(seed)
    extent = triple([min(s, n) for s, n in zip(size, shape, strict=True)])
    tries = (_anywhere(shape, extent, grid, 20 * count, rng), _packed(shape, extent, grid, rng))
    found: list[Region] = []
    for starts in tries:
        fitting: list[Region] = []
        for start in starts:
            region = Region.from_shape(extent, start)
            if len(fitting) < count and not any(region.overlaps(other) for other in (*taken, *fitting)):
                fitting.append(region)
        found = max(found, fitting, key=len)
        if len(found) == count:
            break
    return found


def _anywhere(shape: Triple, extent: Triple, grid: Triple, count: int, rng: np.random.Generator) -> Iterator[Triple]:
    last = [(n - e) // g for n, e, g in zip(shape, extent, grid, strict=True)]
    for _ in range(count):
        yield triple([int(rng.integers(0, k + 1)) * g for k, g in zip(last, grid, strict=True)])


def _packed(shape: Triple, extent: Triple, grid: Triple, rng: np.random.Generator) -> Iterator[Triple]:
    """Yield places side by side, for where random ones leave too many gaps."""
    steps = [-(-e // g) * g for e, g in zip(extent, grid, strict=True)]
    rows = [range(0, n - e + 1, step) for n, e, step in zip(shape, extent, steps, strict=True)]
    places = np.stack(np.meshgrid(*rows, indexing="ij"), -1).reshape(-1, 3)
    for place in rng.permutation(places):
        yield triple(place)
