"""One process writes a sparse ground truth at a time; within it, any number of its objects do."""

from __future__ import annotations

import threading
from pathlib import Path

from ..errors import AitrainError, StorageError
from ..volumes.file_lock import FileLock
from .sparse_files import LOCK

# Python may collect one object while another is made in the same thread.
_lock = threading.RLock()
_held: dict[Path, PaintLock] = {}


class PaintLock(FileLock):
    """The lock of this process on the folder of a sparse ground truth; use `hold` and `release`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / LOCK)
        self.count = 0

    def held(self, by: str) -> AitrainError:
        """Return the error that says who paints."""
        return StorageError(
            f"the ground truth in {self.path.parent} is being painted{by}",
            "a ground truth that no other window has open",
            "close its project there, or go on painting there",
        )


def hold(folder: Path) -> PaintLock:
    """Take the lock of a sparse ground truth, or share it with others of this process.

    Raises
    ------
    StorageError
        If another living process has it, or the folder cannot be written.
    """
    folder = folder.resolve()
    with _lock:
        lock = _held.get(folder)
        if lock is None or not lock.ours:
            lock = PaintLock(folder)
            lock.__enter__()
            _held[folder] = lock
        lock.count += 1
        return lock


def release(lock: PaintLock) -> None:
    """Let go of what `hold` gave, once."""
    with _lock:
        lock.count -= 1
        if lock.count == 0:
            lock.__exit__(None, None, None)
            folder = lock.path.parent
            if _held.get(folder) is lock:
                del _held[folder]
