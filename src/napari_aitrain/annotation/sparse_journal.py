"""The journal of sparse ground truth: every change, appended and flushed before anything else is written."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..geometry import Region, Triple, triple
from ..volumes.atomic import atomic_file, storage_errors
from .sparse_change import Change, Labels

_MAGIC = b"AITJ"
_HEAD = struct.Struct("<4sIII")
LARGEST = 64 * 2**20
"""Bytes beyond which the older half is let go of: the labels themselves are safe, only undoing them is not."""


@dataclass(frozen=True)
class Entry:
    """A change in the journal, not yet unpacked.

    Parameters
    ----------
    group : int
        Changes of one group were saved together.
    magnification, region
        As of a `Change`.
    """

    group: int
    magnification: Triple
    region: Region
    _before: bytes
    _after: bytes

    @property
    def change(self) -> Change:
        """The change itself."""
        return Change(self.magnification, self.region, self._labels(self._before), self._labels(self._after))

    def _labels(self, packed: bytes) -> Labels:
        return np.frombuffer(zlib.decompress(packed), "<i4").astype(np.int32).reshape(self.region.shape)

    @classmethod
    def of(cls, group: int, change: Change) -> Entry:
        """Return the entry of a change."""
        return cls(group, change.magnification, change.region, _pack(change.before), _pack(change.after))

    def encode(self) -> bytes:
        """Return the bytes of the entry: lengths and checksum, what it is, and the labels."""
        about = {
            "group": self.group,
            "magnification": self.magnification,
            "start": self.region.start,
            "stop": self.region.stop,
            "before": len(self._before),
        }
        text = json.dumps(about).encode()
        body = text + self._before + self._after
        return _HEAD.pack(_MAGIC, len(text), len(body), zlib.crc32(body)) + body

    @classmethod
    def decode(cls, text: bytes, rest: bytes) -> Entry:
        """Return the entry of the parts that `encode` put together."""
        about = json.loads(text)
        cut = about["before"]
        region = Region(triple(about["start"]), triple(about["stop"]))
        return cls(about["group"], triple(about["magnification"]), region, rest[:cut], rest[cut:])


class Journal:
    """A file that only grows; a torn end, left by a killed process or a full disk, is cut off.

    Parameters
    ----------
    path : Path
        Need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, group: int, changes: Sequence[Change]) -> None:
        """Add changes, which are on the disk when this returns.

        Raises
        ------
        StorageError
            If the disk is full, read-only or has gone; the journal is then as it was.
        """
        data = b"".join(Entry.of(group, change).encode() for change in changes)
        with storage_errors(self.path), open(self.path, "ab") as file:
            before = file.tell()
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self.path, before)
                raise

    def entries(self) -> Iterator[Entry]:
        """Yield every whole entry, the oldest first."""
        for entry, _ in self._scan():
            yield entry

    def mend(self) -> None:
        """Cut off what was torn, so that what is appended can be read.

        Raises
        ------
        StorageError
            If the disk is read-only or has gone.
        """
        if not self.path.exists():
            return
        end = max((after for _, after in self._scan()), default=0)
        with storage_errors(self.path):
            if end < self.path.stat().st_size:
                os.truncate(self.path, end)

    def shorten(self, most: int = LARGEST) -> None:
        """Let go of the oldest changes if the journal has become too large.

        Raises
        ------
        StorageError
            If the disk is full, read-only or has gone; the journal is then as it was.
        """
        if not self.path.exists() or self.path.stat().st_size <= most:
            return
        kept: list[bytes] = []
        size = 0
        for entry in reversed(list(self.entries())):
            data = entry.encode()
            size += len(data)
            if size > most // 2:
                break
            kept.append(data)
        with atomic_file(self.path) as file:
            for data in reversed(kept):
                file.write(data)

    def _scan(self) -> Iterator[tuple[Entry, int]]:
        if not self.path.exists():
            return
        with storage_errors(self.path), open(self.path, "rb") as file:
            while len(head := file.read(_HEAD.size)) == _HEAD.size:
                magic, text, length, crc = _HEAD.unpack(head)
                body = file.read(length) if magic == _MAGIC else b""
                if magic != _MAGIC or len(body) < length or zlib.crc32(body) != crc:
                    return
                yield Entry.decode(body[:text], body[text:]), file.tell()


def _pack(labels: Labels) -> bytes:
    return zlib.compress(np.ascontiguousarray(labels, "<i4").tobytes(), 1)
