"""The one cache of decoded chunks: bounded in bytes, shared by all volumes and threads of the process."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict, deque
from collections.abc import Hashable
from concurrent.futures import Future
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

Array = npt.NDArray[Any]
Key = tuple[int, Hashable]
"""Number of the array, and what names the chunk in it."""
_SHARE, _MOST = 0.1, 1 << 29


class ChunkCache:
    """Decoded chunks, of which those that were not used for longest are forgotten first.

    A chunk that one thread is reading is not read by another: that one is told to wait.

    Parameters
    ----------
    limit : int
        Bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._size = limit, 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, tuple[Hashable, Array]] = OrderedDict()
        self._coming: dict[Key, Future[Array]] = {}
        self._dead: deque[int] = deque()

    @property
    def limit(self) -> int:
        """The most bytes that are kept."""
        return self._limit

    @property
    def size(self) -> int:
        """Bytes that are kept now."""
        return self._size

    def resize(self, limit: int) -> None:
        """Change how many bytes are kept at most; 0 keeps none."""
        with self._lock:
            self._limit = limit
            self._shrink()

    def claim(self, key: Key, stamp: Hashable) -> Array | Future[Array] | None:
        """Return a chunk, or what to wait for while another thread reads it, or None: then the caller must read it.

        Parameters
        ----------
        key : tuple
            Which chunk.
        stamp : hashable
            What changes when the chunk is written anew; a chunk that was kept with another stamp is forgotten.
        """
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                if kept[0] == stamp:
                    self._kept.move_to_end(key)
                    return kept[1]
                self._forget(key)
            coming = self._coming.get(key)
            if coming is None:
                self._coming[key] = Future()
            return coming

    def fulfil(self, key: Key, stamp: Hashable, chunk: Array) -> None:
        """Give a claimed chunk; it is kept if it fits."""
        with self._lock:
            coming = self._coming.pop(key)
            self._bury()
            if chunk.nbytes <= self._limit:
                self._kept[key] = stamp, chunk
                self._size += chunk.nbytes
                self._shrink()
        coming.set_result(chunk)

    def abandon(self, key: Key, error: BaseException) -> None:
        """Give up a claimed chunk; who waits for it gets the error."""
        with self._lock:
            coming = self._coming.pop(key, None)
        if coming is not None:
            coming.set_exception(error)

    def forget(self, number: int) -> None:
        """Forget all chunks of one array, at once or with the next chunk that is kept."""
        self._dead.append(number)
        # Arrays are collected at any moment, also while this very thread holds the lock.
        if self._lock.acquire(blocking=False):
            try:
                self._bury()
            finally:
                self._lock.release()

    def _bury(self) -> None:
        dead = {self._dead.popleft() for _ in range(len(self._dead))}
        for key in [key for key in self._kept if key[0] in dead] if dead else []:
            self._forget(key)

    def _forget(self, key: Key) -> None:
        self._size -= self._kept.pop(key)[1].nbytes

    def _shrink(self) -> None:
        while self._size > self._limit:
            _, (_, chunk) = self._kept.popitem(last=False)
            self._size -= chunk.nbytes


def _default_limit() -> int:
    """Return the limit in AITRAIN_CACHE_MB, or a tenth of the memory, at most 512 MiB."""
    told = os.environ.get("AITRAIN_CACHE_MB", "")
    if told.isdigit():
        return int(told) << 20
    return min(_MOST, int(_SHARE * psutil.virtual_memory().total))


CHUNKS = ChunkCache(_default_limit())
"""The cache of this process."""


def frozen(chunk: Array) -> Array:
    """Return a chunk that owns its memory, so that it keeps no larger array alive, and that nobody can write into."""
    own = chunk if chunk.base is None and chunk.flags.c_contiguous else np.array(chunk, order="C")
    own.flags.writeable = False
    return own
