"""One process writes an output: a hidden lock file beside it, and a way to clear up behind one that was killed."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import AitrainError, OutputExistsError
from .atomic import beside
from .file_lock import FileLock, read_owner


def lock_path(output: Path) -> Path:
    """Return where the lock of an output lies; names that are too long for a file are told apart by a checksum."""
    digest = hashlib.sha256(output.name.encode()).hexdigest()[:8]
    return output.with_name(f".{output.name[:40]}-{digest}.lock")


class OutputLock(FileLock):
    """Holds an output for this process while it is written; a context manager.

    A second process gets an error with the first one's number and machine. The lock of a process that is gone is
    taken over, and what it left unfinished is removed.

    Parameters
    ----------
    output : Path
        File or folder that will be made; its folder must exist.

    Attributes
    ----------
    part : Path
        Where to write before the output gets its name.

    Raises
    ------
    OutputExistsError
        If another living process writes the same output.
    StorageError
        If the folder cannot be written.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.part = beside(output)
        super().__init__(lock_path(output), self.part.name)

    def __enter__(self) -> Self:
        before = read_owner(self.path)
        super().__enter__()
        if before is not None:
            self._clear(before.part)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        remove(self.part)
        super().__exit__(kind, error, trace)

    def held(self, by: str) -> AitrainError:
        """Return the error that says who writes the output."""
        return OutputExistsError(
            f"{self.output} is being written{by}",
            "an output that no other process writes",
            "wait until that process has ended, or choose another name",
        )

    def _clear(self, name: str) -> None:
        if name.startswith(".") and name.endswith(".part") and Path(name).name == name:
            remove(self.output.with_name(name))


def remove(path: Path) -> None:
    """Remove a file or folder if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
