"""Images of any size that are nowhere: their voxels are computed when they are looked at."""

from __future__ import annotations

import numpy as np


class VirtualLevel:
    """One level of round cells on a grid; `step` voxels of the finest level are one of this."""

    dtype = np.dtype(np.uint8)

    def __init__(self, finest: tuple[int, ...], step: int) -> None:
        self.shape = (*finest[:-2], *(-(-n // step) for n in finest[-2:]))
        self.ndim, self.size, self._step = len(finest), int(np.prod(self.shape)), step

    def __getitem__(self, key):
        parts = list(key) if isinstance(key, tuple) else [key]
        parts += [slice(None)] * (self.ndim - len(parts))
        axes = [np.arange(n)[part] for n, part in zip(self.shape, parts, strict=True)]
        y, x = (np.asarray(axis) * self._step for axis in axes[-2:])
        distance = np.add.outer((y % 80 - 40.0) ** 2, (x % 80 - 40.0) ** 2)
        cells = np.where(distance < 30**2, 190 - distance / 12, 30).astype(np.uint8)
        return np.broadcast_to(cells, (*(axis.shape[0] for axis in axes[:-2] if axis.ndim), *cells.shape)).copy()

    def __array__(self, dtype=None, copy=None):
        return self[(slice(None),) * self.ndim]


def virtual_pyramid(finest: tuple[int, ...], steps: tuple[int, ...] = (1, 4, 16, 64)) -> list[VirtualLevel]:
    """Return the levels of an image, whose planes are coarser by these steps."""
    return [VirtualLevel(finest, step) for step in steps]
