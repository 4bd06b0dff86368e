"""Which file holds a chunk, so that damage can be named and a change be noticed."""

from __future__ import annotations

import os
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Protocol

import zarr

from ..location import Location
from .chunk_grid import Index


class ChunkFiles(Protocol):
    """What is known of the file that a chunk lies in."""

    def name(self, chunk: Index) -> str:
        """Return what an error calls the file."""
        ...

    def stamp(self, chunk: Index) -> Hashable:
        """Return what differs when the file was written anew; None where that is not known."""
        ...

    def changed_at(self, chunk: Index) -> int | None:
        """Return when the file was written, in nanoseconds since 1970; None where that is not known."""
        ...


def _stamp(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


class OneFile:
    """All chunks lie in one file, or in something without files."""

    def __init__(self, path: Location | None, name: str = "") -> None:
        self._path, self._name = path, name or str(path)

    def name(self, chunk: Index) -> str:
        """Return the name of the file."""
        return self._name

    def stamp(self, chunk: Index) -> Hashable:
        """Return time and size of the file."""
        return _stamp(self._path) if isinstance(self._path, Path) else None

    def changed_at(self, chunk: Index) -> int | None:
        """Return when the file was written."""
        found = _stamp(self._path) if isinstance(self._path, Path) else None
        return None if found is None else found[0]


class FilePerChunk:
    """Each chunk, or each shard of chunks, is a file in a folder.

    Parameters
    ----------
    where : Path, Url or None
        The folder; None where it has none, as in an archive.
    """

    def __init__(self, where: Location | None) -> None:
        self._where = where
        self._folder = f"{where}{os.sep}" if isinstance(where, Path) else None

    def file(self, chunk: Index) -> str:
        """Return the name of the file inside the folder."""
        return "/".join(map(str, chunk))

    def name(self, chunk: Index) -> str:
        """Return the whole name of the file."""
        return self.file(chunk) if self._where is None else str(self._where / self.file(chunk))

    def stamp(self, chunk: Index) -> Hashable:
        """Return time and size of the file."""
        return None if self._folder is None else _stamp(self._folder + self.file(chunk))

    def changed_at(self, chunk: Index) -> int | None:
        """Return when the file was written."""
        found = None if self._folder is None else _stamp(self._folder + self.file(chunk))
        return None if found is None else found[0]


class ZarrFiles(FilePerChunk):
    """The chunks of a zarr array.

    Parameters
    ----------
    array : zarr.Array
        Whose chunks are meant.
    where : Path, Url or None
        Its folder.
    """

    def __init__(self, array: zarr.Array[Any], where: Location | None) -> None:
        super().__init__(where)
        self._key = array.metadata.encode_chunk_key
        self._per_file = tuple(s // c for s, c in zip(array.shards or array.chunks, array.chunks, strict=True))

    def file(self, chunk: Index) -> str:
        """Return the name of the chunk or shard inside the folder."""
        return self._key(tuple(i // n for i, n in zip(chunk, self._per_file, strict=True)))
