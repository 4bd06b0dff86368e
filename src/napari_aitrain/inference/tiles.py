"""How an array is cut into overlapping tiles of one shape, and how their outputs are joined without a seam."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..geometry import Triple, triple

HALF_BAND = 2
"""Half width in voxels of the band across which two tiles fade into each other."""


def round_up(value: int, multiple: int) -> int:
    """Return the smallest multiple of `multiple` that is not below `value`."""
    return -(-value // multiple) * multiple


@dataclass(frozen=True)
class AxisTiling:
    """Tiles along one axis: all of one extent, the first at 0, the last ending at the padded extent.

    Parameters
    ----------
    tile : int
        Extent of every tile, halo included.
    starts : tuple of int
        Where the tiles start; multiples of the network's `multiple`, so that pooling sees the same grid.
    halo : int
        Voxels beside a seam that only give context.
    """

    tile: int
    starts: tuple[int, ...]
    halo: int

    @property
    def work(self) -> int:
        """Voxels computed along this axis, halos included."""
        return self.tile * len(self.starts)

    def answer(self, index: int) -> tuple[int, int]:
        """First voxel and one past the last that tile `index` answers for, in voxels of the array."""
        return self._seam(index, -1), self._seam(index + 1, 1)

    def weights(self, index: int) -> npt.NDArray[np.float32]:
        """Weights of the voxels that tile `index` answers for; those of all tiles sum to 1 everywhere."""
        start, stop = self.answer(index)
        weights = np.ones(stop - start, np.float32)
        band = 2 * self._half_band
        ramp = (np.arange(band, dtype=np.float32) + 0.5) / max(band, 1)
        if index > 0 and band:
            weights[:band] = ramp
        if index < len(self.starts) - 1 and band:
            weights[-band:] *= 1 - ramp
        return weights

    @property
    def _half_band(self) -> int:
        return HALF_BAND if self.halo else 0

    def _seam(self, index: int, side: int) -> int:
        """Middle of the overlap before tile `index`, moved by half a band; the border where there is none."""
        if index == 0:
            return 0
        if index == len(self.starts):
            return self.starts[-1] + self.tile
        return (self.starts[index] + self.starts[index - 1] + self.tile) // 2 + side * self._half_band


def _context(halo: int, multiple: int) -> int:
    """Return the halo widened by half a band, so that the whole band has its context, and to a multiple."""
    return round_up(halo + HALF_BAND, multiple) if halo else 0


def tile_axis(extent: int, count: int, halo: int, multiple: int) -> AxisTiling:
    """Cut one axis into `count` tiles that overlap by at least twice the halo.

    Parameters
    ----------
    extent : int
        Voxels of the array along the axis.
    count : int
        Tiles wanted; fewer are given where the halos leave no room for as many.
    halo : int
        Context that every output voxel is to have.
    multiple : int
        What the extent of a tile must divide by.
    """
    padded = round_up(extent, multiple)
    wide = _context(halo, multiple)
    # Bands of neighbouring seams must not meet, whatever rounding does to the starts.
    narrowest = 2 * wide + round_up(multiple + 4 * HALF_BAND + 2, multiple)
    tile = max(round_up(-(-(padded + (count - 1) * 2 * wide) // count), multiple), narrowest)
    if count == 1 or padded <= tile:
        return AxisTiling(padded, (0,), wide)
    steps = -(-(padded - 2 * wide) // (tile - 2 * wide)) - 1
    starts = (i * (padded - tile) // steps // multiple * multiple for i in range(steps + 1))
    return AxisTiling(tile, tuple(starts), wide)


def tile_to_fit(
    shape: Sequence[int], halo: Sequence[int], multiple: Sequence[int], most_voxels: int
) -> tuple[AxisTiling, AxisTiling, AxisTiling]:
    """Cut a z, y, x shape into the tiles of least work that hold at most `most_voxels` each.

    A tile is larger than asked where the halos alone need more.
    """
    counts = [1, 1, 1]
    axes = _tilings(shape, counts, halo, multiple)
    while math.prod(a.tile for a in axes) > most_voxels:
        choices = []
        for axis in range(3):
            finer = _finer(shape[axis], counts[axis], halo[axis], multiple[axis])
            if finer.tile < axes[axis].tile:
                gain = axes[axis].tile / finer.tile
                choices.append((math.log(finer.work / axes[axis].work) / math.log(gain), -gain, axis))
        if not choices:
            break
        axis = min(choices)[2]
        counts[axis] = len(_finer(shape[axis], counts[axis], halo[axis], multiple[axis]).starts)
        axes = _tilings(shape, counts, halo, multiple)
    return axes


def _finer(extent: int, count: int, halo: int, multiple: int) -> AxisTiling:
    """Return the tiling with the next smaller tile, or the same where there is none."""
    now = tile_axis(extent, count, halo, multiple)
    for more in range(count + 1, extent // multiple + 2):
        finer = tile_axis(extent, more, halo, multiple)
        if finer.tile < now.tile:
            return finer
    return now


def tile_by_shape(
    shape: Sequence[int], tile_shape: Sequence[int], halo: Sequence[int], multiple: Sequence[int]
) -> tuple[AxisTiling, AxisTiling, AxisTiling]:
    """Cut a z, y, x shape into tiles of about `tile_shape`, halo included."""
    counts = []
    for n, tile, h, m in zip(shape, triple(tile_shape), halo, multiple, strict=True):
        wide = _context(h, m)
        core = max(tile - 2 * wide, 1)
        counts.append(1 if tile >= n else max(1, -(-(round_up(n, m) - 2 * wide) // core)))
    return _tilings(shape, counts, halo, multiple)


def _tilings(
    shape: Sequence[int], counts: Sequence[int], halo: Sequence[int], multiple: Sequence[int]
) -> tuple[AxisTiling, AxisTiling, AxisTiling]:
    z, y, x = (tile_axis(n, c, h, m) for n, c, h, m in zip(shape, counts, halo, multiple, strict=True))
    return z, y, x


def padded_shape(shape: Sequence[int], multiple: Sequence[int]) -> Triple:
    """Return the shape that each extent must be padded to at its end."""
    return triple([round_up(n, m) for n, m in zip(shape, multiple, strict=True)])
