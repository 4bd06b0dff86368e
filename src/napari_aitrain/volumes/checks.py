"""Checks of image voxels by a bounded sample, and of chunks that a zarr does not store."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from ..annotation.findings import Finding, error, warning
from ..errors import VolumeError
from ..geometry import FINEST, Region, tiles
from .chunked import ChunkedArray
from .level import describe
from .pieces import random_pieces
from .read_store import ReadStore
from .volume import Volume

_PIECE = (8, 128, 128)


@dataclass(frozen=True)
class MissingChunks:
    """Chunks of a region that are not stored and read as the fill value.

    Parameters
    ----------
    count : int
        How many of `total` are not stored.
    total : int
        Chunks that were looked for.
    first : str
        Path of the first one that is not stored, inside the array; empty if there is none.
    """

    count: int
    total: int
    first: str


def check_image_values(volume: Volume, regions: Sequence[Region], max_voxels: int = 4_000_000) -> list[Finding]:
    """Look for voxels that no network can learn from.

    Parameters
    ----------
    volume : Volume
        An image.
    regions : sequence of Region
        Where to look, in voxels of the volume; a large one is looked at in pieces spread evenly over it.
    max_voxels : int
        At most about this many voxels are read in all.

    Returns
    -------
    list of Finding
        Errors for NaN and infinite voxels, for a constant channel, for a damaged file, and for regions of which no
        chunk is stored; a warning for some chunks not stored, and for what opening remarked.
    """
    remedy = "nothing needs to be done: such a level is computed from a finer one"
    findings = [warning("image-level-left-out", remark, remedy, volume.name) for remark in volume.remarks]
    low = np.full(len(volume.channels), np.inf)
    high = np.full(len(volume.channels), -np.inf)
    for region in regions:
        inside = region.intersect(volume.region)
        findings += check_chunks(volume, inside)
        for piece in _spread(inside, max(1, max_voxels // len(regions))):
            try:
                array = volume.read(piece)
            except VolumeError as problem:
                return [*findings, error("image-damaged", problem.what, problem.remedy, volume.name)]
            found = _check_finite(array, piece, volume.name)
            if found:
                return [*findings, found]
            axes = (1, 2, 3)
            low, high = np.minimum(low, array.min(axis=axes)), np.maximum(high, array.max(axis=axes))
    constant = [name for name, a, b in zip(volume.channels, low, high, strict=True) if a == b]
    if constant:
        channels = "the image" if len(volume.channels) == 1 else "channel " + ", ".join(constant)
        findings.append(
            error(
                "image-constant",
                f"{channels} of {volume.name} has the same value, {low.min():g}, in every voxel looked at",
                "choose another channel or file, or boxes where there is something to see",
                volume.name,
            )
        )
    return findings


def missing_chunks(volume: Volume, region: Region, limit: int = 10_000) -> MissingChunks:
    """Count the chunks of a region that a zarr does not store.

    That is legal, and they read as the fill value: zarr leaves out chunks that hold nothing else. A copy that was
    broken off looks just the same, so a person should be told.

    Parameters
    ----------
    volume : Volume
        Anything; what is no zarr has no chunks.
    region : Region
        In voxels of the finest level.
    limit : int
        Of more chunks than this only some are looked for, evenly spread.
    """
    level = volume.levels[0]
    array, layout = level.array, level.layout
    array = array.inner if isinstance(array, ChunkedArray) else array
    if not isinstance(array, zarr.Array) or not isinstance(array.store, ReadStore) or region.empty:
        return MissingChunks(0, 0, "")
    if not isinstance(array.store.location, Path):
        # Asking a server for each would take as long as reading them.
        return MissingChunks(0, 0, "")
    folder = array.store.location / array.path
    if not folder.is_dir():
        return MissingChunks(0, 0, "")
    spans = dict(zip("zyx", region.slices, strict=True))
    chunks = array.shards or array.chunks
    ranges = []
    for axis, size, length in zip(layout.axes, chunks, array.shape, strict=True):
        index = layout.fixed.get(axis)
        span = slice(index, index + 1) if index is not None else spans.get(axis, slice(0, length))
        ranges.append(range(span.start // size, -(-span.stop // size)))
    step = math.prod(map(len, ranges)) // limit + 1
    places = itertools.islice(itertools.product(*ranges), 0, None, step)
    keys = [array.metadata.encode_chunk_key(place) for place in places]
    missing = [key for key in keys if not (folder / key).exists()]
    return MissingChunks(len(missing), len(keys), missing[0] if missing else "")


def check_chunks(volume: Volume, region: Region) -> list[Finding]:
    """Say which chunks of a region are not stored: an error if none is, a warning if some are, see `missing_chunks`.

    Parameters
    ----------
    volume : Volume
        An image; only of the finest level the chunks are looked for.
    region : Region
        In voxels of the volume.
    """
    if volume.magnification != FINEST:
        return []
    missing = missing_chunks(volume, region)
    where = describe(region)
    if missing.count == 0:
        return []
    if missing.count == missing.total:
        return [
            error(
                "image-empty",
                f"none of the {missing.total} chunks of {volume.name} at {where} is stored;"
                f" the first is {missing.first}",
                "copy the zarr folder again: a copy that was broken off looks like this",
                volume.name,
            )
        ]
    return [
        warning(
            "image-chunks-missing",
            f"{missing.count} of {missing.total} chunks of {volume.name} at {where} are not stored and read as"
            f" constant; the first is {missing.first}",
            "look whether the image is empty there; if not, copy the zarr folder again",
            volume.name,
        )
    ]


def _check_finite(array: npt.NDArray[Any], piece: Region, name: str) -> Finding | None:
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return None
    wrong = ~np.isfinite(array)
    place = np.unravel_index(int(wrong.any(axis=0).argmax()), wrong.shape[1:])
    z, y, x = (int(p) + s for p, s in zip(place, piece.start, strict=True))
    return error(
        "image-not-finite",
        f"{name} has {int(wrong.sum())} NaN or infinite voxels in {describe(piece)};"
        f" the first is at x {x}, y {y}, z {z}",
        "replace them in the image, for example by numpy.nan_to_num, or move the boxes away from them",
        name,
    )


def _spread(region: Region, max_voxels: int) -> list[Region]:
    """Return pieces of a region, evenly spread, of at most about `max_voxels` in all; all of it if it is small."""
    if region.size <= max_voxels:
        return [tile.core for tile in tiles(region, (32, 512, 512))]
    return random_pieces(region, _PIECE, max_voxels)
