"""Files that are either whole or not there, and what a failing disk means to a person."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import StorageError

_REMEDIES = {
    errno.ENOSPC: ("the disk is full", "free some space, or choose a folder on another disk"),
    getattr(errno, "EDQUOT", -1): ("the disk quota is used up", "free some space, or choose a folder on another disk"),
    errno.EROFS: ("the disk is read-only", "choose a folder that you may write to"),
    errno.EACCES: ("you may not write there", "choose a folder that you may write to"),
    errno.EPERM: ("you may not write there", "choose a folder that you may write to"),
    errno.ENOENT: ("the folder has gone", "check that the disk is still connected and the folder was not deleted"),
    errno.ENOTDIR: ("a part of the path is a file", "choose a folder"),
}


@contextmanager
def explain_storage(path: Path) -> Iterator[None]:
    """Turn an `OSError` met while writing to `path` into a `StorageError` that says what to do."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        code = error.errno or 0
        what, remedy = _REMEDIES.get(code, (error.strerror or str(error), "check the disk and try again"))
        raised = StorageError(f"{path} cannot be written: {what}", "a folder with enough free space", remedy)
        raised.errno = code
        raise raised from error


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write a file beside its place, flush it to the disk and move it there.

    Parameters
    ----------
    path : Path
        Replaced if it exists; its folder must exist.
    data : bytes or str
        Text is written as UTF-8.

    Raises
    ------
    StorageError
        If the disk is full or read-only, or the folder has gone.
    """
    raw = data.encode("utf-8") if isinstance(data, str) else data
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    with explain_storage(path):
        try:
            with open(beside, "xb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
