"""The lock of a job folder: which process runs it."""

from __future__ import annotations

from pathlib import Path

from ..errors import AitrainError, JobError
from ..volumes import file_lock
from ..volumes.file_lock import FileLock, Owner

__all__ = ["LOCK", "Lock", "Owner", "living_owner", "read_owner"]

LOCK = "lock.json"


def read_owner(folder: Path) -> Owner | None:
    """Return the process named in the lock, alive or not."""
    return file_lock.read_owner(folder / LOCK)


def living_owner(folder: Path) -> Owner | None:
    """Return the process that runs the job now, if any; see `file_lock.living_owner`."""
    return file_lock.living_owner(folder / LOCK)


class Lock(FileLock):
    """Holds a job folder for this process; a context manager.

    Raises
    ------
    JobError
        If another living process holds it.
    StorageError
        If the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / LOCK)
        self._folder = folder

    def held(self, by: str) -> AitrainError:
        """Return the error that says who runs the job."""
        return JobError(
            f"{self._folder} is being run{by}",
            "a job that nothing runs",
            f"follow it with `napari-aitrain jobs follow {self._folder.name}`, or stop it first",
        )
