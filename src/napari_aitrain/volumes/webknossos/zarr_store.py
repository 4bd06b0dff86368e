"""Zarr arrays inside a zip archive, or in a folder that writes metadata as WEBKNOSSOS once did."""

from __future__ import annotations

import asyncio
import json
import math
import zlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import zarr
import zarr.errors
from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype

from ...errors import AitrainError, VolumeError
from ..level import READ_ERRORS
from ..opened import damaged
from .archive import Files, too_large

MAX_CHUNK = 1 << 29
_METADATA = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")
_MAX_METADATA = 1 << 24
_MAX_SHARD = 1 << 32
_SLACK = 1 << 16


def open_array(files: Files, folder: str, missing: Callable[[str], AitrainError] | None = None) -> zarr.Array[Any]:
    """Open a zarr array, version 2 or 3; chunks are read when they are asked for.

    Parameters
    ----------
    files : Files
        Where it lies.
    folder : str
        Its name there.
    missing : callable, optional
        Makes the error for a chunk that is not stored; without it such a chunk has the fill value.

    Raises
    ------
    VolumeError
        If the metadata is missing or damaged, or a chunk would be larger than 512 MB.
    """
    store = FilesStore(files, folder)
    try:
        array = zarr.open_array(store, mode="r")
    except AitrainError:
        raise
    except (*READ_ERRORS, TypeError, AttributeError, zarr.errors.BaseZarrError) as error:
        raise damaged(f"{folder} in {files.name}", error) from error
    size = math.prod(array.chunks) * array.dtype.itemsize
    if size > MAX_CHUNK:
        raise too_large(f"a chunk of {folder}", files.name, size, MAX_CHUNK)
    store.bound(size, array.shards is not None)
    store.missing = missing
    return array


class FilesStore(Store):
    """A read-only zarr store over `Files`."""

    supports_writes = False
    supports_deletes = False
    supports_listing = True

    def __init__(self, files: Files, folder: str) -> None:
        super().__init__(read_only=True)
        self._files, self._folder = files, folder
        self._codec, self._chunk, self._sharded = "", 0, False
        self.missing: Callable[[str], AitrainError] | None = None

    def bound(self, chunk: int, sharded: bool) -> None:
        """Say how many bytes a decoded chunk has: from then on chunks that claim more are refused."""
        self._chunk, self._sharded = chunk, sharded

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FilesStore) and (self._files, self._folder) == (other._files, other._folder)

    def __hash__(self) -> int:
        return hash((id(self._files), self._folder))

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Return a file or a part of it; see `zarr.abc.store.Store`."""
        data = await asyncio.to_thread(self._get, key, byte_range)
        return None if data is None else prototype.buffer.from_bytes(data)

    def _get(self, key: str, byte_range: ByteRequest | None) -> bytes | None:
        name = f"{self._folder}/{key}".strip("/")
        if key.rpartition("/")[2] in _METADATA:
            data = self._files.get(name, _MAX_METADATA)
            return data if data is None else self._metadata(key, data)
        limit = _MAX_SHARD if self._sharded else 2 * self._chunk + _SLACK
        if isinstance(byte_range, RangeByteRequest):
            data = self._files.get(name, limit, byte_range.start, byte_range.end - byte_range.start)
        elif isinstance(byte_range, OffsetByteRequest):
            data = self._files.get(name, limit, byte_range.offset)
        else:
            data = self._files.get(name, limit)
            if data is not None and isinstance(byte_range, SuffixByteRequest):
                data = data[-byte_range.suffix :]
        if data is None and self.missing is not None:
            raise self.missing(name)
        if data is not None and not self._sharded:
            claimed = decoded_size(data, self._codec, self._chunk + _SLACK)
            if claimed > self._chunk + _SLACK:
                raise too_large(name, self._files.name, claimed, self._chunk)
        return data

    def _metadata(self, key: str, data: bytes) -> bytes:
        """Note how chunks are compressed, and write orders of axes as zarr 3 was settled to write them."""
        try:
            found = json.loads(data)
        except ValueError as error:
            raise damaged(f"{self._folder}/{key} in {self._files.name}", error) from error
        if not isinstance(found, dict):
            return data
        codecs = found.get("codecs")
        if key == ".zarray" and isinstance(found.get("compressor"), dict):
            self._codec = str(found["compressor"].get("id"))
        if not isinstance(codecs, list) or not all(isinstance(codec, dict) for codec in codecs):
            return data
        count = len(found["shape"]) if isinstance(found.get("shape"), list) else 0
        for codec in codecs:
            self._codec = str(codec.get("name"))
            settings = codec.get("configuration")
            if self._codec == "transpose" and isinstance(settings, dict) and settings.get("order") in ("F", "C"):
                order = range(count)
                settings["order"] = list(reversed(order) if settings["order"] == "F" else order)
        return json.dumps(found).encode()

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return parts of files."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        """Whether there is such a file."""
        name = f"{self._folder}/{key}".strip("/")
        return await asyncio.to_thread(self._files.get, name, _MAX_SHARD, 0, 0) is not None

    async def list(self) -> AsyncIterator[str]:
        """Yield all names."""
        for name in self._files.under(self._folder):
            yield name.removeprefix(f"{self._folder}/")

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Yield the names that begin with a prefix."""
        async for name in self.list():
            if name.startswith(prefix):
                yield name

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yield what lies directly in a folder."""
        start = f"{prefix.rstrip('/')}/" if prefix else ""
        seen = set()
        async for name in self.list_prefix(start):
            first = name.removeprefix(start).partition("/")[0]
            if first not in seen:
                seen.add(first)
                yield first

    async def set(self, key: str, value: Buffer) -> None:
        """Refuse: the store is read-only."""
        raise VolumeError(f"{self._files.name} is only read", "a place that takes files", "choose another one")

    async def delete(self, key: str) -> None:
        """Refuse: the store is read-only."""
        raise VolumeError(f"{self._files.name} is only read", "a place that takes files", "choose another one")


def decoded_size(data: bytes, codec: str, limit: int) -> int:
    """Return how many bytes a compressed chunk grows to, as far as can be told without the memory for it.

    Parameters
    ----------
    data : bytes
        As stored.
    codec : str
        As the metadata names it.
    limit : int
        Counting stops behind it.
    """
    if codec == "blosc" and len(data) >= 16:
        return int.from_bytes(data[4:8], "little")
    if codec in ("gzip", "zlib"):
        stream = zlib.decompressobj(wbits=47)
        try:
            return len(stream.decompress(data, limit + 1))
        except zlib.error:
            return 0  # the codec itself says what is wrong
    if codec == "zstd" and data[:4] == b"\x28\xb5\x2f\xfd" and len(data) > 14:
        return _zstd_size(data)
    return 0


def _zstd_size(data: bytes) -> int:
    """Return the size in the header of a frame (RFC 8878, 3.1.1.1); 0 if it has none."""
    descriptor = data[4]
    single, width = descriptor >> 5 & 1, (0, 2, 4, 8)[descriptor >> 6]
    width = width or single
    start = 5 + (not single) + (0, 1, 2, 4)[descriptor & 3]
    return int.from_bytes(data[start : start + width], "little") + (256 if width == 2 else 0)
