"""One process changes the model store at a time, also where several computers share the drive it is on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import AitrainError, ModelError
from ..volumes.atomic import storage_errors
from ..volumes.file_lock import FileLock

LOCK = ".store.lock"
PATIENCE = 15.0
"""Seconds; changes are renames and small files, so nobody holds the store for long."""
_PAUSE = 0.05


class _HeldError(ModelError):
    """Another process changes the store."""


class _StoreLock(FileLock):
    def __init__(self, store: Path) -> None:
        super().__init__(store / LOCK)

    def held(self, by: str) -> AitrainError:
        return _HeldError(
            f"the model store {self.path.parent} is being changed{by}",
            "a store that nobody else changes at this moment",
            "try again; if that process hangs, end it",
        )


@contextlib.contextmanager
def changing(store: Path) -> Iterator[None]:
    """Hold the store while it is changed; waits for whoever holds it now. It cannot be held twice.

    Raises
    ------
    ModelError
        If it is held for longer than changes take.
    StorageError
        If the folder cannot be written.
    """
    with storage_errors(store):
        store.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + PATIENCE
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(_StoreLock(store))
                break
            except _HeldError:
                if time.monotonic() >= until:
                    raise
                time.sleep(_PAUSE)
        yield
