"""What two neighbouring blocks both see: kept by each, and compared."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import zarr

from ..tasks.protocol import LabelArray
from .grid import Grid
from .stitching import Pairs, match_pieces


def save_faces(folder: Path, grid: Grid, index: int, labels: LabelArray) -> None:
    """Keep what a block sees in common with each of its neighbours.

    Parameters
    ----------
    folder : Path
        For the faces of all blocks.
    grid : Grid
        The blocks.
    index : int
        Of the block.
    labels : ndarray of int32, shape (z, y, x)
        All that the block sees.
    """
    tile = grid[index]
    for axis, side, other in _neighbours(grid, index):
        common = tile.outer.intersect(grid[other].outer).relative_to(tile.outer.start)
        path = _file(folder, index, axis, side)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(path, ignore_errors=True)
        face = np.ascontiguousarray(labels[common.slices])
        zarr.create_array(path, data=face, chunks=face.shape)


def match_upper(folder: Path, grid: Grid, index: int) -> Pairs:
    """Return which pieces of a block are one object with pieces of its next neighbours along each axis.

    A block that is not there, because it failed, has no pieces.
    """
    own, block, theirs = [], [], []
    for axis, side, other in _neighbours(grid, index):
        paths = _file(folder, index, axis, 1), _file(folder, other, axis, -1)
        if side > 0 and all((path / "zarr.json").is_file() for path in paths):
            here, there = (np.asarray(zarr.open_array(path, mode="r")[...]) for path in paths)
            pairs = match_pieces(here, there)
            own.append(pairs[:, 0])
            theirs.append(pairs[:, 1])
            block.append(np.full(len(pairs), other, np.int64))
    empty = np.zeros(0, np.int64)
    return Pairs(*(np.concatenate([empty, *column]) for column in (own, block, theirs)))


def drop_faces(folder: Path, grid: Grid, index: int) -> None:
    """Remove the faces of a block, because it failed."""
    for axis, side, _ in _neighbours(grid, index):
        shutil.rmtree(_file(folder, index, axis, side), ignore_errors=True)


def _neighbours(grid: Grid, index: int) -> list[tuple[int, int, int]]:
    """Return axis, side and number of the neighbours that a block shares voxels with."""
    found = ((axis, side, grid.neighbour(index, axis, side)) for axis in range(3) for side in (-1, 1))
    return [(axis, side, other) for axis, side, other in found if other is not None and grid.halo[axis]]


def _file(folder: Path, index: int, axis: int, side: int) -> Path:
    name = f"{index % 4096:04d}-{'zyx'[axis]}{'-+'[side > 0]}.zarr"
    return folder / f"{index // 4096:05d}" / name
