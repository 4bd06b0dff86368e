"""One change of sparse ground truth: where it was painted, what was there before, and what is there now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..geometry import Region, Triple, triple

Labels = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Change:
    """Voxels that were painted or erased.

    Parameters
    ----------
    magnification : tuple of int
        At which they were painted, in z, y, x order.
    region : Region
        In voxels of that magnification.
    before, after : ndarray of int32, shape (z, y, x)
        Labels of the region.
    """

    magnification: Triple
    region: Region
    before: Labels
    after: Labels

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """Which voxels of the region changed."""
        changed: npt.NDArray[np.bool_] = self.before != self.after
        return changed

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.before.nbytes + self.after.nbytes


def difference(magnification: Triple, region: Region, before: Labels, after: Labels) -> Change | None:
    """Return what changed, cut to the smallest region that holds it; None if nothing did."""
    extent = extent_of(before != after)
    if extent is None:
        return None
    cut = extent.slices
    return Change(magnification, extent.shift(region.start), before[cut].copy(), after[cut].copy())


def extent_of(mask: npt.NDArray[np.bool_]) -> Region | None:
    """Return the smallest region around what is true, None if nothing is."""
    start, stop = [], []
    for axis in range(3):
        hit = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        if not len(hit):
            return None
        start.append(int(hit[0]))
        stop.append(int(hit[-1]) + 1)
    return Region(triple(start), triple(stop))
