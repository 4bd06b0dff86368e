"""What `large` predicts, and how it watches memory."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

GIB = 2**30
PATTERN = 160
_RADIUS, _BALLS = (7.0, 11.0), 260
_EVERY = 0.1


def draw_balls(seed: int = 0) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Return an image of balls in noise and their ids, both (z, y, x), that go on at the opposite faces."""
    generator = np.random.default_rng(seed)
    labels = np.zeros((PATTERN,) * 3, np.int32)
    nearest = np.full(labels.shape, np.inf, np.float32)
    reach = int(_RADIUS[1]) + 1
    steps = np.arange(-reach, reach + 1)
    square = (steps**2)[:, None, None] + (steps**2)[:, None] + steps**2
    count = 0
    for _ in range(20 * _BALLS):
        if count == _BALLS:
            break
        centre, radius = generator.integers(0, PATTERN, 3), generator.uniform(*_RADIUS)
        at = np.ix_(*((c + steps) % PATTERN for c in centre))
        inside = square < radius**2
        if (labels[at][inside] > 0).mean() > 0.02:
            continue
        count += 1
        closer = inside & (square < nearest[at])
        labels[at] = np.where(closer, count, labels[at])
        nearest[at] = np.where(closer, square, nearest[at])
    image = 60.0 + 110 * (labels > 0) + generator.normal(0, 18, labels.shape)
    return image.clip(0, 255).astype(np.uint8), labels


class Virtual:
    """An array that computes its voxels: the balls again and again.

    Parameters
    ----------
    shape : tuple of int
        z, y, x.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self._pattern = draw_balls()[0]

    def __getitem__(self, key: Any) -> npt.NDArray[np.uint8]:
        """Return voxels by three slices."""
        z, y, x = (np.arange(*part.indices(n)) for part, n in zip(key, self.shape, strict=True))
        return self._pattern[np.ix_(z % PATTERN, y % PATTERN, x % PATTERN)]


class Resident:
    """Watches the resident memory of this process and its children; a context manager."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.sizes: list[int] = []
        self.peak_own = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @staticmethod
    def now() -> int:
        """Return bytes of this process and its children."""
        process = psutil.Process()
        total = process.memory_info().rss
        for child in process.children(recursive=True):
            try:
                total += child.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return int(total)

    @staticmethod
    def own() -> int:
        """Return bytes of this process that no file can give back to the system."""
        info = psutil.Process().memory_info()
        return int(info.rss - getattr(info, "shared", 0))

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY):
            self.times.append(time.monotonic())
            self.sizes.append(self.now())
            self.peak_own = max(self.peak_own, self.own())

    def __enter__(self) -> Resident:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def peak(self) -> int:
        """The most there was."""
        return max(self.sizes)

    @property
    def seconds(self) -> float:
        """How long was watched."""
        return self.times[-1] - self.times[0]

    def slope(self) -> float:
        """Return bytes per second over the run, of the first quarter nothing, by the line through the rest."""
        first = len(self.times) // 4
        return float(np.polyfit(self.times[first:], self.sizes[first:], 1)[0])


def null_pieces(store: Path, blocks: int, count: int) -> None:
    """Write the pieces of blocks in a row, of which one in ten goes on in the next."""
    from napari_aitrain.inference.stitching import PAIRS, PIECES, Pairs, Pieces, block_file

    sync, os.fsync = os.fsync, lambda handle: None
    size, place = np.full(count, 50), np.zeros((count, 3), int)
    score = np.ones(count, np.float32)
    pieces = Pieces(size, size, place, place + 5, place * 1.0, score, np.ones((count, 5), np.float32))
    every = np.arange(1, count + 1, 10)
    try:
        for block in range(blocks):
            pieces.save(block_file(store / PIECES, block))
            ends = every if block < blocks - 1 else every[:0]
            Pairs(ends, np.full(len(ends), block + 1), ends + 1).save(block_file(store / PAIRS, block))
    finally:
        os.fsync = sync
