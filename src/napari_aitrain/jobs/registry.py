"""Which job folders there are: one small file per job in the user's folder, so that no two writers meet."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..home import home
from ..volumes.atomic import atomic_write_text, storage_errors


def _entries() -> Path:
    return home() / "job-entries"


def _entry(folder: Path) -> Path:
    return _entries() / (hashlib.sha256(str(folder).encode("utf-8")).hexdigest()[:24] + ".txt")


def add(folder: Path) -> None:
    """Note a job folder.

    Raises
    ------
    StorageError
        If the user's folder cannot be written.
    """
    with storage_errors(_entries()):
        _entries().mkdir(parents=True, exist_ok=True)
    atomic_write_text(_entry(folder), str(folder))


def discard(folder: Path) -> None:
    """Forget a job folder."""
    _entry(folder).unlink(missing_ok=True)


def known_folders() -> list[Path]:
    """Return the noted folders that exist; deleted ones are forgotten, those on an absent disk are kept."""
    found = []
    for entry in _entries().glob("*.txt"):
        try:
            folder = Path(entry.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            continue
        if folder.is_dir():
            found.append(folder)
        elif folder.parent.is_dir():
            entry.unlink(missing_ok=True)
    return found
