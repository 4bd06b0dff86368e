"""From what was painted at each magnification to the labels on the voxels of the image."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import fastremap
import numpy as np
import numpy.typing as npt

from ..geometry import Region, Triple, format_magnification, to_finest
from .sparse_change import Change, extent_of
from .sparse_pyramid import coarser
from .sparse_sheet import Sheet


def coarseness(m: Triple) -> tuple[int, Triple]:
    """Return what magnifications are sorted by, the finest first."""
    return m[0] * m[1] * m[2], m


def compose(sheets: Mapping[Triple, Sheet], region: Region) -> npt.NDArray[np.int32]:
    """Return the labels of a region of the finest voxels: of each the finest that was painted."""
    out = np.zeros(region.shape, np.int32)
    for m in sorted(sheets, key=coarseness, reverse=True):
        outer = coarser(region, m)
        values = sheets[m].read(outer)
        if not values.any():
            continue
        for axis, factor in enumerate(m):
            values = values.repeat(factor, axis=axis) if factor > 1 else values
        values = values[region.relative_to(to_finest(outer, m).start).slices]
        np.copyto(out, values, where=values != 0)
    return out


def touched(changes: Sequence[Change], shape: Triple, chunk: Triple) -> list[Region]:
    """Return what changed on the finest voxels, at most one region per chunk and change.

    Parameters
    ----------
    changes : sequence of Change
        At any magnification.
    shape, chunk : tuple of int
        Of the finest level and its chunks, in z, y, x order.
    """
    whole = Region.from_shape(shape)
    found = []
    for change in changes:
        m, mask = change.magnification, change.mask
        fine = to_finest(change.region, m).intersect(whole)
        first = [a // n for a, n in zip(fine.start, chunk, strict=True)]
        last = [-(-b // n) for b, n in zip(fine.stop, chunk, strict=True)]
        for place in itertools.product(*(range(a, b) for a, b in zip(first, last, strict=True))):
            cell = Region.from_shape(chunk, [p * n for p, n in zip(place, chunk, strict=True)]).intersect(fine)
            inside = coarser(cell, m).relative_to(change.region.start)
            extent = extent_of(mask[inside.slices])
            if extent is not None:
                start = [a + b for a, b in zip(inside.start, change.region.start, strict=True)]
                found.append(to_finest(extent.shift(start), m).intersect(cell))
    return found


def counted(voxels: Mapping[str, Mapping[int, int]], changes: Sequence[Change]) -> dict[str, dict[int, int]]:
    """Return the voxels per id and magnification after changes."""
    after = {name: dict(counts) for name, counts in voxels.items()}
    for change in changes:
        counts = after.setdefault(format_magnification(change.magnification), {})
        for labels, sign in ((change.after, 1), (change.before, -1)):
            numbers, found = fastremap.unique(labels, return_counts=True)
            for number, count in zip(numbers.tolist(), found.tolist(), strict=True):
                if number:
                    counts[number] = counts.get(number, 0) + sign * count
    return after
