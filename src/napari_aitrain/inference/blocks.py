"""Shapes of blocks by memory, and what callers of a blockwise prediction give and catch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..errors import AitrainError
from ..geometry import Region, Triple, triple
from .tiles import AxisTiling, tile_to_fit

Progress = Callable[[int, int, str], None]
Cancelled = Callable[[], bool]
OnBlock = Callable[[str, Region], None]

CHUNK: Triple = (32, 256, 256)
_DECODE_MULTIPLE: Triple = (8, 32, 32)


class PredictionCancelledError(AitrainError, RuntimeError):
    """A prediction was stopped on request; what is done is kept."""


def network_block(shape: Triple, halo: Triple, multiple: Triple, dims: int, most_voxels: int) -> Triple:
    """Return the core shape of blocks that, with their halo, are one pass through the network.

    Parameters
    ----------
    shape : tuple of int
        z, y, x extent of what is predicted.
    halo, multiple : tuple of int
        Of the network, z, y, x.
    dims : {2, 3}
        With 2 a block holds as many slices as fit.
    most_voxels : int
        Voxels of a block with its halo.
    """
    if dims == 3:
        return triple([_core(axis) for axis in tile_to_fit(shape, halo, multiple, most_voxels)])
    _, y, x = tile_to_fit((1, *shape[1:]), (0, *halo[1:]), (1, *multiple[1:]), most_voxels)
    slices = max(1, most_voxels // (y.tile * x.tile))
    return min(shape[0], slices), _core(y), _core(x)


def _core(axis: AxisTiling) -> int:
    return axis.tile if len(axis.starts) == 1 else axis.tile - 2 * axis.halo


def decode_block(shape: Triple, overlap: Triple, most_voxels: int) -> Triple:
    """Return the core shape of blocks that are decoded at once, whole axes where they fit."""
    halves = triple([o // 2 for o in overlap])
    return triple([_core(axis) for axis in tile_to_fit(shape, halves, _DECODE_MULTIPLE, most_voxels)])


def chunk_shape(shape: Triple, blocks: Sequence[Triple]) -> Triple:
    """Return a chunk shape such that no chunk is shared by two blocks of any of the grids.

    Parameters
    ----------
    shape : tuple of int
        Of the array.
    blocks : sequence of tuple of int
        Core shapes of all grids that write to it.
    """
    chunk = []
    for axis, extent in enumerate(shape):
        several = [b[axis] for b in blocks if b[axis] < extent]
        common = math.gcd(*several) if several else 0
        most = min(CHUNK[axis], extent)
        chunk.append(next(n for n in range(most, 0, -1) if common % n == 0))
    return triple(chunk)
