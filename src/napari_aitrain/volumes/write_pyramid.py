"""Coarser levels of a written volume, made block by block in bounded memory by several threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import zarr

from ..geometry import FINEST, Region, Triple, magnified_shape, tiles, to_finest, triple

Array = npt.NDArray[Any]
Reduce = Callable[[Array, Sequence[int]], Array]
Item = TypeVar("Item")

COARSEST = 256
"""Levels are added until no axis is longer than this: a viewer shows such a level at once."""


def next_factor(voxel_size: Sequence[float], shape: Sequence[int] = (2, 2, 2)) -> Triple:
    """Return what the next coarser level is smaller by: 2 along each axis that is not already much coarser.

    Examples
    --------
    >>> next_factor([40.0, 4.0, 4.0]), next_factor([40.0, 32.0, 32.0]), next_factor([4.0, 4.0, 4.0], (1, 9, 9))
    ((1, 2, 2), (2, 2, 2), (1, 2, 2))
    """
    finest = min(voxel_size)
    return triple([2 if size < 2 * finest and n > 1 else 1 for size, n in zip(voxel_size, shape, strict=True)])


def pyramid_of(shape: Triple, scale: Sequence[float]) -> list[Triple]:
    """Return the magnifications of a pyramid, the finest first, all relative to it.

    Examples
    --------
    >>> pyramid_of((100, 1000, 1000), (40.0, 4.0, 4.0))
    [(1, 1, 1), (1, 2, 2), (1, 4, 4)]
    """
    levels = [FINEST]
    while max(magnified_shape(shape, levels[-1])) > COARSEST:
        # An axis of one voxel has no say: its length along the others would stop them.
        sizes = [
            s * f if n > 1 else float("inf")
            for s, f, n in zip(scale, levels[-1], magnified_shape(shape, levels[-1]), strict=True)
        ]
        factor = next_factor(sizes, magnified_shape(shape, levels[-1]))
        levels.append(triple([a * b for a, b in zip(levels[-1], factor, strict=True)]))
    return levels


def unit_of(array: zarr.Array[Any]) -> Triple:
    """Return the shape, z, y, x, of what one writer writes at once: a shard, or a chunk where there are none."""
    return _zyx(array.shards or array.chunks)


def fill_level(
    finer: zarr.Array[Any], coarser: zarr.Array[Any], factor: Triple, reduce: Reduce, workers: int = 1
) -> None:
    """Fill a level from the one before it; each chunk or shard is written once, by one thread.

    Parameters
    ----------
    finer, coarser : zarr.Array
        With the axes (c,) (z,) y, x.
    factor : tuple of int
        Between the two, in z, y, x order.
    reduce : callable
        `downsample_mode` or `downsample_mean`.
    workers : int
        Threads. Each holds one unit of `coarser` and one chunk of `finer`.
    """
    piece = triple([max(1, c // f) for c, f in zip(_zyx(finer.chunks), factor, strict=True)])
    whole = Region.from_shape(_zyx(finer.shape))

    def fill(region: Region) -> None:
        block = np.zeros((_channels(coarser), *region.shape), coarser.dtype)
        for tile in tiles(region, piece):
            values = get(finer, to_finest(tile.core, factor).intersect(whole))
            if values.any():
                block[(slice(None), *tile.core.relative_to(region.start).slices)] = reduce(values, factor)
        if block.any():
            put(coarser, region, block)

    units = (tile.core for tile in tiles(Region.from_shape(_zyx(coarser.shape)), unit_of(coarser)))
    in_parallel(fill, units, workers)


def in_parallel(work: Callable[[Item], object], items: Iterable[Item], workers: int) -> None:
    """Do work for every item, by several threads, with few items waiting; the first error ends it."""
    if workers <= 1:
        for item in items:
            work(item)
        return
    waiting: deque[Future[object]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="aitrain-write") as pool:
        for item in items:
            if len(waiting) >= 2 * workers:
                waiting.popleft().result()
            waiting.append(pool.submit(work, item))
        for future in waiting:
            future.result()


def get(array: zarr.Array[Any], region: Region) -> Array:
    """Return a region as an array with the axes c, z, y, x."""
    key = region.slices[1:] if array.ndim == 2 else region.slices
    values = np.asarray(array[(..., *key)])
    return values.reshape((-1, *region.shape))


def put(array: zarr.Array[Any], region: Region, values: Array) -> None:
    """Store a region, shape (c, z, y, x)."""
    key = region.slices[1:] if array.ndim == 2 else region.slices
    array[(..., *key)] = values.reshape(values.shape[4 - array.ndim :])


def _zyx(extents: Sequence[int]) -> Triple:
    return triple([*[1] * (3 - len(extents)), *extents][-3:])


def _channels(array: zarr.Array[Any]) -> int:
    return int(array.shape[0]) if array.ndim == 4 else 1
