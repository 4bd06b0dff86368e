"""How much was read: bytes from disk or network, bytes of decoded chunks, and bytes of the voxels asked for."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class ReadCounts:
    """Bytes that this process has read since it began; the difference of two says what was read between them.

    Parameters
    ----------
    stored : int
        As they lie in files or on a server, mostly compressed. Files that are mapped into memory do not count.
    decoded : int
        Of chunks that were decoded, each time that one was.
    asked : int
        Of the voxels that `Level.read` was asked for.
    requests : int
        Files, or parts of files, that were read from a store.
    """

    stored: int = 0
    decoded: int = 0
    asked: int = 0
    requests: int = 0

    def __add__(self, other: ReadCounts) -> ReadCounts:
        return ReadCounts(
            self.stored + other.stored,
            self.decoded + other.decoded,
            self.asked + other.asked,
            self.requests + other.requests,
        )

    def __sub__(self, other: ReadCounts) -> ReadCounts:
        return self + ReadCounts(-other.stored, -other.decoded, -other.asked, -other.requests)


_lock = threading.Lock()
_counts = ReadCounts()


def read_counts() -> ReadCounts:
    """Return what this process has read so far."""
    return _counts


def count(*, stored: int = 0, decoded: int = 0, asked: int = 0, requests: int = 0) -> None:
    """Add to the counts."""
    global _counts
    with _lock:
        _counts += ReadCounts(stored, decoded, asked, requests)
