"""A zarr store that only reads: it counts bytes, asks a server again, and says what came instead of data."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from zarr.abc.store import ByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.storage import WrapperStore

from ..errors import AitrainError
from ..location import Location, Url
from .counting import count
from .patience import Patience
from .server_errors import Answer, answered, explain, pause_before_next, transport_errors, web_page

if TYPE_CHECKING:
    from zarr.core.buffer import Buffer, BufferPrototype

_METADATA = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")


class ReadStore(WrapperStore[Store]):
    """Files of a folder, or of a server, as zarr asks for them.

    Parameters
    ----------
    store : Store
        Read-only.
    location : Path or Url
        Where it lies.
    patience : Patience, optional
        With a server; without it nothing is asked twice.
    """

    def __init__(self, store: Store, location: Location, patience: Patience | None = None) -> None:
        super().__init__(store)
        self.location, self.patience = location, patience
        self.refused: AitrainError | None = None
        """What a server said that did not give out some metadata: perhaps only because there is none."""

    def _with_store(self, store: Store) -> ReadStore:
        return ReadStore(store, self.location, self.patience)

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Return a file or a part of it; see `zarr.abc.store.Store`."""
        if self.patience is None:
            data = await self._store.get(key, prototype, byte_range)
        else:
            data = await self._ask(self.patience, key, prototype, byte_range)
        if data is not None:
            if not len(data) and key.rpartition("/")[2] not in _METADATA:
                # Of a shard without a single byte zarr makes one that was never written.
                raise ValueError("the file is empty or cut short")
            count(stored=len(data), requests=1)
        return data

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return parts of files; see `zarr.abc.store.Store`."""
        return list(await asyncio.gather(*(self.get(key, prototype, span) for key, span in key_ranges)))

    async def _ask(
        self, patience: Patience, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None
    ) -> Buffer | None:
        what = self.location / key
        assert isinstance(what, Url)
        for attempt in range(1, patience.attempts + 1):
            try:
                async with asyncio.timeout(patience.whole):
                    data = await self._store.get(key, prototype, byte_range)
            except transport_errors() as error:
                answer = answered(error)
                if answer is Answer.MISSING:
                    return None
                if answer is Answer.REFUSED and key.rpartition("/")[2] in _METADATA:
                    # A bucket that may not be listed says so of whatever it does not hold.
                    self.refused = explain(what, error, attempt)
                    return None
                await asyncio.sleep(pause_before_next(what, error, attempt, patience))
                continue
            page = None if data is None else web_page(what, data.as_numpy_array()[:512].tobytes())
            if page is not None:
                raise page
            return None if data is None else _part(data, byte_range)
        return None


def _part(data: Buffer, byte_range: ByteRequest | None) -> Buffer:
    """Return the part that was asked for of what a server sent, which may be all of the file."""
    if isinstance(byte_range, RangeByteRequest) and len(data) > byte_range.end - byte_range.start:
        return data[byte_range.start : byte_range.end]
    if isinstance(byte_range, SuffixByteRequest) and len(data) > byte_range.suffix:
        return data[len(data) - byte_range.suffix :]
    return data
