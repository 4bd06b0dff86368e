"""Which arrays are read through the cache, and where their chunks lie."""

from __future__ import annotations

from pathlib import Path

import zarr

from ..location import Location
from .chunk_files import ChunkFiles, FilePerChunk, OneFile, ZarrFiles
from .chunked import ChunkedArray
from .damage import DamageLog, OnDamage
from .lazy import LazyArray
from .n5 import N5Array
from .read_store import ReadStore


def cached(array: LazyArray, place: Location, on_damage: OnDamage, damage: DamageLog) -> LazyArray:
    """Return an array that is read through the cache, or the array itself where it has no chunks.

    Parameters
    ----------
    array : LazyArray
        As its reader gave it.
    place : Path or Url
        What was opened.
    on_damage : {'stop', 'fill'}
        What happens to a chunk that cannot be decoded.
    damage : DamageLog
        Where that is remembered.
    """
    if isinstance(array, ChunkedArray) or not getattr(array, "chunks", None):
        return array
    return ChunkedArray(array, _files(array, place), on_damage, damage)


def _files(array: LazyArray, place: Location) -> ChunkFiles:
    if isinstance(array, N5Array):
        return FilePerChunk(array.place)
    if not isinstance(array, zarr.Array) or not isinstance(array.store, ReadStore):
        return OneFile(place)
    folder = array.store.location / array.path if array.path else array.store.location
    return ZarrFiles(array, folder.resolve() if isinstance(folder, Path) else folder)
