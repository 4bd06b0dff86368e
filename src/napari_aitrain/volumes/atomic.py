"""Writing that never leaves half a file and never hides a full disk: write beside, fsync, rename."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ..errors import OutputExistsError, StorageError

_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_DENIED = {errno.EROFS, errno.EACCES, errno.EPERM}
_GONE = {errno.ENOENT, errno.ENOTDIR, getattr(errno, "ESTALE", errno.ENOENT)}


def storage_error(path: Path, error: OSError) -> StorageError:
    """Return a `StorageError` that says in words why `path` could not be written."""
    if error.errno in _FULL:
        return StorageError(
            f"{path} could not be written: the disk is full",
            "enough free space where the file goes",
            "free some space or choose another disk; nothing that existed before was changed",
        )
    if error.errno in _DENIED:
        return StorageError(
            f"{path} could not be written: the disk or folder is read-only for you",
            "a folder in which you may write",
            "choose another folder, or ask for the right to write in this one",
        )
    if error.errno in _GONE:
        return StorageError(
            f"{path} could not be written: its folder does not exist",
            "a folder that exists, on a disk that is connected",
            "create the folder or connect the disk again",
        )
    return StorageError(f"{path} could not be written: {error}", "a disk that takes files", "check the disk")


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn any `OSError` of the block into a `StorageError` about `path`."""
    try:
        yield
    except (StorageError, OutputExistsError):
        raise
    except OSError as error:
        raise storage_error(path, error) from error


def refuse_existing(path: Path) -> None:
    """Raise `OutputExistsError` if something is at `path`, a dangling link included."""
    if os.path.lexists(path):
        raise OutputExistsError(
            f"{path} exists already",
            "a path at which there is nothing yet",
            "choose another name, or move the old one away first",
        )


def beside(path: Path) -> Path:
    """Return a hidden, unused name on the same disk as `path`, to be renamed to it later."""
    return path.with_name(f".{path.name[:40]}-{uuid.uuid4().hex[:8]}.part")


@contextlib.contextmanager
def atomic_file(path: Path, *, overwrite: bool = True) -> Iterator[BinaryIO]:
    """Fill a file beside `path`, and give it that name once the block has ended without an error.

    Readers see the old content or the new, never a part.

    Parameters
    ----------
    path : Path
        Its folder must exist.
    overwrite : bool
        Whether a file at `path` may be replaced.

    Yields
    ------
    file
        Open for writing bytes; it is removed if the block raises.

    Raises
    ------
    OutputExistsError
        If there is a file and `overwrite` is False.
    StorageError
        If the disk is full, read-only, or its folder is gone; the old content stays.
    """
    path = Path(path)
    if not overwrite:
        refuse_existing(path)
    temporary = beside(path)
    with storage_errors(path):
        try:
            with open(temporary, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            move_into_place(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise


def atomic_write_bytes(path: Path, data: bytes, *, overwrite: bool = True) -> None:
    """Write a whole file as `atomic_file` does."""
    with atomic_file(path, overwrite=overwrite) as file:
        file.write(data)


def atomic_write_array(path: Path, array: npt.NDArray[Any], *, overwrite: bool = True) -> None:
    """Write an array as a NPY file as `atomic_file` does."""
    with atomic_file(path, overwrite=overwrite) as file:
        np.lib.format.write_array(file, array, allow_pickle=False)


def atomic_write_text(path: Path, text: str, *, overwrite: bool = True) -> None:
    """Write a whole UTF-8 text file as `atomic_file` does; line ends are kept as given."""
    atomic_write_bytes(path, text.encode("utf-8"), overwrite=overwrite)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Fill a folder beside `path`, and give it that name once the block has ended without an error.

    Errors of the block itself pass through unchanged.

    Yields
    ------
    Path
        An empty folder on the same disk; it is removed if the block raises.

    Raises
    ------
    OutputExistsError
        If there is something at `path`.
    StorageError
        If the disk is full, read-only, or the parent folder is gone.
    """
    path = Path(path)
    refuse_existing(path)
    temporary = beside(path)
    with storage_errors(path):
        temporary.mkdir()
    try:
        yield temporary
        refuse_existing(path)
        with storage_errors(path):
            sync_tree(temporary)
            move_into_place(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def sync_tree(folder: Path) -> None:
    """Flush every file of a folder to the disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            sync_file(Path(parent) / name)
        sync_folder(Path(parent))


def sync_file(path: Path) -> None:
    """Flush one file to the disk."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Flush the entries of a folder; Windows cannot open a folder and needs no such step."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def move_into_place(source: Path, target: Path) -> None:
    """Rename on the same disk, and make the new name last."""
    # On Windows a file that another program reads at this moment cannot be replaced; it soon can.
    waits = [0.01, 0.05, 0.2] if os.name == "nt" else []
    while True:
        try:
            os.replace(source, target)
            break
        except PermissionError:
            if not waits:
                raise
            time.sleep(waits.pop(0))
    sync_folder(target.parent)
