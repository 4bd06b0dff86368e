"""Files of a folder or of a zip archive, read in place: nothing is ever extracted to where an archive says."""

from __future__ import annotations

import functools
import io
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

from ...errors import VolumeError
from ..atomic import storage_errors

MAX_RATIO = 100
"""How much larger than its compressed form an archive inside an archive may be: those of WEBKNOSSOS hold compressed
chunks and stay below 10."""
_ALWAYS_FINE = 1 << 24
_IN_MEMORY = 1 << 26
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError)
_REMEDY = "download the archive from WEBKNOSSOS again, and check where it came from"


class Files(Protocol):
    """Named files, with names relative to one place and parts joined by ``/``."""

    @property
    def name(self) -> str:
        """What errors call the place."""
        ...

    def get(self, name: str, limit: int, start: int = 0, length: int | None = None) -> bytes | None:
        """Return the content of a file, or a part of it; None if there is no such file.

        Raises
        ------
        VolumeError
            If the whole file claims more than `limit` bytes, or is damaged.
        """
        ...

    def under(self, folder: str) -> Iterator[str]:
        """Yield the names of all files in and below a folder; an empty name is the place itself."""
        ...


class Folder:
    """Files below a folder of the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """The path of the folder."""
        return str(self._path)

    def get(self, name: str, limit: int, start: int = 0, length: int | None = None) -> bytes | None:
        """See `Files.get`; only the part that is asked for is read, so the limit counts for that part."""
        try:
            with open(self._path / check_name(name, self.name), "rb") as file:
                file.seek(start)
                data = file.read(limit + 1 if length is None else length)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
            if isinstance(error, PermissionError) and (self._path / name).is_file():
                raise _unreadable(f"{name} in {self.name}", error) from error
            return None
        if len(data) > limit:
            raise too_large(name, self.name, (self._path / name).stat().st_size, limit)
        return data

    def under(self, folder: str) -> Iterator[str]:
        """See `Files.under`."""
        root = self._path / check_name(folder, self.name) if folder else self._path
        for path in root.rglob("*") if root.is_dir() else ():
            if path.is_file():
                yield path.relative_to(self._path).as_posix()


class Archive:
    """Files of a zip archive, which is checked when it is opened."""

    def __init__(self, file: Path | IO[bytes], name: str) -> None:
        self._name = name
        try:
            self._zip = zipfile.ZipFile(file)
            entries = self._zip.infolist()
        except _ZIP_ERRORS as error:
            raise _unreadable(name, error) from error
        self._entries: dict[str, zipfile.ZipInfo] = {}
        for entry in entries:
            _check_entry(entry, name)
            if not entry.is_dir():
                self._entries[entry.filename] = entry

    @property
    def name(self) -> str:
        """The path of the archive, or of the one it lies in and its own name."""
        return self._name

    def get(self, name: str, limit: int, start: int = 0, length: int | None = None) -> bytes | None:
        """See `Files.get`."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        if entry.file_size > limit:
            raise too_large(name, self.name, entry.file_size, limit)
        try:
            data = self._zip.read(entry)
        except _ZIP_ERRORS as error:
            raise _unreadable(f"{name} in {self.name}", error) from error
        return data[start : None if length is None else start + length]

    def under(self, folder: str) -> Iterator[str]:
        """See `Files.under`."""
        start = f"{folder}/" if folder else ""
        return (name for name in self._entries if name.startswith(start))

    def inner(self, name: str) -> Archive | None:
        """Open an archive inside this one, through a temporary file that has no name; None if there is none.

        Raises
        ------
        VolumeError
            If it is damaged, or would grow out of all proportion.
        StorageError
            If there is no room for a temporary file.
        """
        entry = self._entries.get(name)
        if entry is None:
            return None
        label = f"{name} in {self.name}"
        if entry.file_size > max(_ALWAYS_FINE, MAX_RATIO * entry.compress_size):
            raise too_large(name, self.name, entry.file_size, MAX_RATIO * entry.compress_size)
        place = Path(tempfile.gettempdir())
        if entry.file_size > max(_IN_MEMORY, shutil.disk_usage(place).free):
            raise too_large(name, self.name, entry.file_size, shutil.disk_usage(place).free)
        copy = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (the archive keeps it open)
        with storage_errors(place):
            try:
                with self._zip.open(entry) as source:
                    shutil.copyfileobj(source, copy, 1 << 20)
            except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
                raise _unreadable(label, error) from error
        return Archive(copy, label)


def open_archive(path: Path) -> Archive:
    """Open a zip archive; an unchanged one that was opened before is kept open.

    Raises
    ------
    VolumeError
        If it is no zip, damaged, encrypted, or names a file outside itself.
    """
    status = path.stat()
    return _opened(path, status.st_mtime_ns, status.st_size)


def open_inner(path: Path, name: str) -> Archive | None:
    """Open an archive inside an archive as `Archive.inner` does; one that was opened before is kept."""
    status = path.stat()
    return _opened_inner(path, status.st_mtime_ns, status.st_size, name)


@functools.lru_cache(maxsize=4)
def _opened(path: Path, changed: int, size: int) -> Archive:
    return Archive(io.BytesIO(path.read_bytes()) if size <= _IN_MEMORY else path, str(path))


@functools.lru_cache(maxsize=4)
def _opened_inner(path: Path, changed: int, size: int, name: str) -> Archive | None:
    return _opened(path, changed, size).inner(name)


def check_name(name: str, where: str) -> str:
    """Return the name of a file if it lies inside the place that names it.

    Raises
    ------
    VolumeError
        If it is absolute or climbs out.

    Examples
    --------
    >>> check_name("color/1/zarr.json", "dataset")
    'color/1/zarr.json'
    """
    parts = re.split(r"[/\\]", name)
    if name.startswith(("/", "\\")) or ":" in parts[0] or ".." in parts or "\0" in name:
        raise VolumeError(
            f"{where} names {name!r}, which lies outside of it",
            "only files inside",
            _REMEDY + "; nothing was read from or written to that place",
        )
    return name


def too_large(name: str, where: str, size: int, limit: int) -> VolumeError:
    """Return the error for a file that claims more than it can honestly need."""
    return VolumeError(
        f"{name} in {where} claims {size:,} bytes",
        f"at most {limit:,} for what it is",
        _REMEDY + "; an archive that grows like this is damaged or meant to fill the memory, and was not unpacked",
    )


def _check_entry(entry: zipfile.ZipInfo, where: str) -> None:
    check_name(entry.filename, where)
    what = ""
    if entry.flag_bits & 1:
        what = "is encrypted"
    elif stat.S_ISLNK(entry.external_attr >> 16):
        what = "is a link to another file"
    elif entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        what = f"is compressed by method {entry.compress_type}"
    if what:
        raise VolumeError(
            f"{entry.filename} in {where} {what}", "plain files, stored or deflated, as WEBKNOSSOS writes them", _REMEDY
        )


def _unreadable(what: str, error: Exception) -> VolumeError:
    return VolumeError(
        f"{what} cannot be read: {str(error) or type(error).__name__}", "a complete, undamaged zip archive", _REMEDY
    )
