"""Blocks of a volume: their shapes by memory, which of them are done, and reading one ahead."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ..errors import AitrainError
from ..geometry import Region, Tile, Triple, tiles, triple
from ..volumes.atomic import storage_errors
from .tiles import AxisTiling, tile_to_fit

Read = TypeVar("Read")
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


class Manifest:
    """Which blocks are done: an append-only file of JSON lines, each flushed to the disk before it counts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._done: set[tuple[str, int]] = set()
        if path.exists():
            self._read()

    def _read(self) -> None:
        raw = self.path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        for line in whole.splitlines():
            row = json.loads(line)
            self._done.add((row["stage"], row["block"]))
        if len(whole) < len(raw):
            # A kill in the middle of a line: that block does not count as done.
            with open(self.path, "rb+") as file:
                file.truncate(len(whole))

    def done(self, stage: str, block: int) -> bool:
        """Whether a block has been finished."""
        return (stage, block) in self._done

    def add(self, stage: str, block: int) -> None:
        """Record that a block is finished; its results must be on the disk."""
        with storage_errors(self.path), open(self.path, "ab") as file:
            file.write(json.dumps({"stage": stage, "block": block}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._done.add((stage, block))


def work_through(
    stage: str,
    grid: Sequence[Tile],
    manifest: Manifest,
    read: Callable[[Tile], Read],
    progress: Progress | None,
    cancelled: Cancelled | None,
    on_block: OnBlock | None = None,
) -> Iterator[tuple[int, Tile, Read]]:
    """Yield the blocks that are not done, each with what was read for it one block ahead.

    A block is recorded as finished when the caller asks for the next one.

    Raises
    ------
    PredictionCancelledError
        Before a block, if `cancelled` says so.
    """
    todo = [index for index in range(len(grid)) if not manifest.done(stage, index)]
    if progress is not None:
        progress(len(grid) - len(todo), len(grid), stage)
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
        ahead = reader.submit(read, grid[todo[0]]) if todo else None
        for place, index in enumerate(todo):
            if cancelled is not None and cancelled():
                raise PredictionCancelledError(
                    f"the prediction was stopped during {stage}", "", "run it again with --resume to go on from here"
                )
            assert ahead is not None
            data = ahead.result()
            following = todo[place + 1 : place + 2]
            ahead = reader.submit(read, grid[following[0]]) if following else None
            yield index, grid[index], data
            del data
            manifest.add(stage, index)
            if on_block is not None:
                on_block(stage, grid[index].core)
            if progress is not None:
                progress(len(grid) - len(todo) + place + 1, len(grid), stage)


def make_grid(shape: Triple, block: Triple, halo: Triple) -> list[Tile]:
    """Return the blocks of an array in z, y, x order."""
    return list(tiles(Region.from_shape(shape), block, halo))
