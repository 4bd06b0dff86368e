"""Where a box can be taken hold of on a slice, and what becomes of it when it is dragged: arithmetic alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...geometry import Region, Triple, triple


def sides_at(
    low: Sequence[float], high: Sequence[float], point: Sequence[float], reach: float
) -> tuple[int, ...] | None:
    """Return which faces of a box a point takes hold of.

    Parameters
    ----------
    low, high : sequence of float
        Faces along each axis on screen, in world units.
    point : sequence of float
        Where the mouse is.
    reach : float
        How far from a face still counts; inside a small box less, so that it can be moved too.

    Returns
    -------
    tuple of int or None
        For each axis −1 for the low face, 1 for the high one, 0 for neither; all 0 is the inside. None is outside.
    """
    sides = []
    for first, last, here in zip(low, high, point, strict=True):
        if not first - reach <= here <= last + reach:
            return None
        inner = min(reach, (last - first) / 4)
        if here - first <= inner:
            sides.append(-1)
        else:
            sides.append(1 if last - here <= inner else 0)
    return tuple(sides)


def handles_of(low: Sequence[float], high: Sequence[float]) -> npt.NDArray[np.float32]:
    """Return the corners and the middles of the edges of a rectangle, shape (8, 2), x first."""
    steps = [(a, (a + b) / 2, b) for a, b in zip(low, high, strict=True)]
    places = [place for number, place in enumerate(itertools.product(*steps)) if number != 4]
    return np.array(places, np.float32)[:, ::-1]


def dragged(region: Region, sides: Triple, by: Sequence[float], shape: Triple, magnification: Triple) -> Region:
    """Return a region whose faces, or all of it, were dragged.

    What moves comes to lie on whole voxels of the magnification and within the image; what was outside already is not
    drawn in, but goes no further out. A face stops one whole voxel before the other.

    Parameters
    ----------
    region : Region
        Before, in voxels of the finest level.
    sides : tuple of int
        z, y, x: −1 moves the start, 1 the stop, 0 neither; all 0 moves the region.
    by : sequence of float
        z, y, x, in voxels of the finest level.
    shape : tuple of int
        Of the image.
    magnification : tuple of int
        z, y, x.
    """
    start, stop = list(region.start), list(region.stop)
    for axis, (side, far, n, m) in enumerate(zip(sides, by, shape, magnification, strict=True)):
        a, b = region.start[axis], region.stop[axis]
        if side < 0:
            start[axis] = _stepped(a, far, m, min(0, a), b // m * m - m)
        elif side > 0:
            stop[axis] = _stepped(b, far, m, -(-a // m) * m + m, max(n // m * m, b))
        elif not any(sides):
            start[axis] = _stepped(a, far, m, min(0, a), max((n - b + a) // m * m, a))
            stop[axis] = b + start[axis] - a
    return Region(triple(start), triple(stop))


def _stepped(old: int, by: float, step: int, low: int, high: int) -> int:
    if round(by / step) == 0:
        return old
    wanted = round((old + by) / step) * step
    # A box that holds no whole voxel may have no room between the two: it keeps what it has.
    return min(max(wanted, low), high) if low <= high else old
