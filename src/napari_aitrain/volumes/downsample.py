"""Downsampling by whole factors, exact at the border: the mean for images, the most frequent id for labels."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..geometry import magnified_shape, triple

Array = npt.NDArray[Any]


def downsample_mean(array: Array, factor: Sequence[int]) -> Array:
    """Average blocks of voxels; a block that the border cuts is averaged over what is there.

    Parameters
    ----------
    array : ndarray, shape (c, z, y, x)
        Image; integers are rounded to the nearest, halves to even.
    factor : tuple of int
        Downsampling in z, y, x order.

    Returns
    -------
    ndarray, shape (c, ceil(z / fz), ceil(y / fy), ceil(x / fx))
        Of the dtype of `array`.
    """
    return _by_blocks(array, factor, _mean)


def downsample_mode(array: Array, factor: Sequence[int]) -> Array:
    """Take the most frequent value of each block; among equals the largest, so that thin objects survive.

    Parameters are those of `downsample_mean`.
    """
    return _by_blocks(array, factor, _mode)


def _mean(blocks: Array) -> Array:
    mean: Array = blocks.mean(axis=(2, 4, 6), dtype=np.float64)
    return np.rint(mean) if blocks.dtype.kind in "iu" else mean


def _mode(blocks: Array) -> Array:
    """Sort only the blocks that hold more than one value: in labels most lie inside of one object."""
    first = blocks[:, :, 0, :, 0, :, 0].copy()
    # Layer by layer, what is computed between stays in the processor's cache.
    for layer, best in ((blocks[:, z], first[:, z]) for z in range(blocks.shape[1])):
        mixed = np.zeros(best.shape, bool)
        for i, j, k in itertools.product(*(range(n) for n in blocks.shape[2::2])):
            mixed |= layer[:, i, :, j, :, k] != best
        if mixed.any():
            ordered = np.moveaxis(layer, (1, 3, 5), (-3, -2, -1)).reshape(mixed.size, -1)
            best[mixed] = _most_frequent(np.sort(ordered[mixed.ravel()], axis=-1))
    return first


def _most_frequent(values: Array) -> Array:
    """Return the most frequent value of each sorted row, the largest among equals."""
    best, best_run = values[:, 0], np.ones(len(values), np.int32)
    run = best_run.copy()
    for k in range(1, values.shape[1]):
        run = np.where(values[:, k] == values[:, k - 1], run + 1, 1)
        better = run >= best_run
        best, best_run = np.where(better, values[:, k], best), np.where(better, run, best_run)
    return best


def _by_blocks(array: Array, factor: Sequence[int], reduce: Callable[[Array], Array]) -> Array:
    """Split into at most 8 parts whose blocks are all of one shape: the whole blocks, and the cut-off last ones."""
    factors = triple(factor)
    shape = triple(array.shape[1:])
    out = np.empty((array.shape[0], *magnified_shape(shape, factors)), array.dtype)
    for spans in itertools.product(*(_spans(n, f) for n, f in zip(shape, factors, strict=True))):
        part = array[(slice(None), *(slice(start, stop) for start, stop, _ in spans))]
        blocks = part.reshape(
            array.shape[0], *(v for start, stop, size in spans for v in ((stop - start) // size, size))
        )
        target = tuple(slice(a // f, -(-b // f)) for (a, b, _), f in zip(spans, factors, strict=True))
        out[(slice(None), *target)] = reduce(blocks)
    return out


def _spans(length: int, factor: int) -> list[tuple[int, int, int]]:
    """Return (start, stop, block size) of the whole blocks and of the cut-off one, where there are any."""
    whole = length // factor * factor
    spans = [(0, whole, factor), (whole, length, length - whole)]
    return [span for span in spans if span[1] > span[0]]
