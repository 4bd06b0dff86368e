"""Zip files that somebody sent: looked at before anything is written, and unpacked only into a folder of our own."""

from __future__ import annotations

import contextlib
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ..errors import ModelError, StorageError
from ..volumes.atomic import storage_errors
from ..words import spoken_size

MOST_FILES = 300
MOST_RATIO = 200
"""How much larger than its compressed form a file may be; weights shrink by less than 2, text by less than 20."""
ALWAYS_FINE = 2**24
SPARE = 2**27
"""Bytes that stay free on the disk."""
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, NotImplementedError)
_BAD_PART = re.compile(r'[<>:"|?*\x00-\x1f]|[. ]$')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_AGAIN = "get the file again, from somebody you trust; nothing of it was written"


class SafeZip:
    """The files of a zip that are fine to unpack.

    Parameters
    ----------
    path : Path
        Of the zip, for what is said.
    archive : ZipFile
        Open.

    Raises
    ------
    ModelError
        If a name leads out of the folder, or something is no plain file, encrypted, or grows out of all proportion.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path, self._archive = path, archive
        entries = archive.infolist()
        if len(entries) > MOST_FILES:
            raise self._bad(f"it has {len(entries):,} files", f"at most {MOST_FILES}")
        self.files: dict[str, zipfile.ZipInfo] = {}
        folded: set[str] = set()
        for entry in entries:
            self._check(entry)
            if entry.is_dir():
                continue
            if entry.filename.casefold() in folded:
                raise self._bad(f"{entry.filename} is in it twice", "each file once")
            folded.add(entry.filename.casefold())
            self.files[entry.filename] = entry

    def read(self, name: str, most: int = 2**20) -> bytes:
        """Return a small file.

        Raises
        ------
        ModelError
            If it is missing, damaged or larger than `most`.
        """
        entry = self.files.get(name)
        if entry is None:
            raise self._bad(f"{name} is missing", "a whole file")
        if entry.file_size > most:
            raise self._bad(f"{name} has {entry.file_size:,} bytes", f"at most {most:,}")
        with self._errors(name), self._archive.open(entry) as file:
            return file.read(most + 1)

    def unpack(self, folder: Path) -> None:
        """Write all files below a folder, which is made.

        Raises
        ------
        ModelError
            If one is damaged, or larger than it says.
        StorageError
            If there is no room.
        """
        total = sum(entry.file_size for entry in self.files.values())
        with storage_errors(folder):
            folder.mkdir(parents=True)
            free = shutil.disk_usage(folder).free
        if total + SPARE > free:
            raise StorageError(
                f"{self.path} would take {spoken_size(total)}, and {spoken_size(free)} are free",
                "enough free space where models are kept",
                "free some space; nothing of it was written",
            )
        for name, entry in self.files.items():
            target = folder.joinpath(*PurePosixPath(name).parts)
            with storage_errors(target):
                target.parent.mkdir(parents=True, exist_ok=True)
            with self._errors(name), self._archive.open(entry) as source, _new(target) as copy:
                left = entry.file_size
                while piece := source.read(2**20):
                    left -= len(piece)
                    if left < 0:
                        raise self._bad(f"{name} is larger than it says", "a file as large as it says")
                    with storage_errors(target):
                        copy.write(piece)

    def _check(self, entry: zipfile.ZipInfo) -> None:
        name = entry.filename
        parts = name.removesuffix("/").split("/")
        outside = name.startswith("/") or "\\" in name or any(part in ("", ".", "..") for part in parts)
        if outside or len(name) > 200 or any(_BAD_PART.search(p) or _DEVICES.fullmatch(p) for p in parts):
            raise self._bad(f"it names a file {name!r}", "names that lie inside it and that every system takes")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise self._bad(f"{name} is a link or device", "plain files")
        if entry.flag_bits & 1:
            raise self._bad(f"{name} is encrypted", "plain files")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self._bad(f"{name} is compressed by method {entry.compress_type}", "stored or deflated files")
        if entry.file_size > max(ALWAYS_FINE, MOST_RATIO * entry.compress_size):
            raise self._bad(
                f"{name} would grow from {entry.compress_size:,} to {entry.file_size:,} bytes",
                f"at most {MOST_RATIO} times as much, which a file made to fill a disk exceeds",
            )

    @contextlib.contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        try:
            yield
        except (ModelError, StorageError):
            raise
        except (*_BROKEN, OSError) as error:
            raise self._bad(f"{name} is damaged ({str(error) or type(error).__name__})", "a whole file") from error

    def _bad(self, what: str, expected: str) -> ModelError:
        return ModelError(f"{self.path}: {what}", expected, _AGAIN)


@contextlib.contextmanager
def open_zip(path: Path) -> Iterator[SafeZip]:
    """Open a zip and check what it holds.

    Raises
    ------
    ModelError
        If it is none, cut short, or not safe to unpack.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}", "a file", "check the path") from error
    if not head.startswith(b"PK"):
        page = " but a web page" if head.lstrip()[:1] == b"<" else ""
        raise ModelError(f"{path} is no zip file{page}", "a model in one file", "download or copy it again")
    try:
        archive = zipfile.ZipFile(path)
    except (*_BROKEN, OSError) as error:
        raise ModelError(f"{path} is damaged, or cut short ({error})", "a whole zip file", _AGAIN) from error
    with archive:
        yield SafeZip(path, archive)


def _new(path: Path) -> BinaryIO:
    with storage_errors(path):
        return path.open("xb")
