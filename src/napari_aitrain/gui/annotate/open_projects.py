"""Which project folders are open in which process, so that one is found again when its process was killed."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path

from ...annotation.project import STATE
from ...home import home
from ...jobs.lock import Owner
from ...volumes.atomic import atomic_write_text
from ..settings import preferences

_MARK = "open.json"


def base_folder() -> Path:
    """Return where new projects go."""
    return preferences().projects_folder or home() / "projects"


def take(folder: Path) -> None:
    """Note that this process has a project open.

    Raises
    ------
    StorageError
        If the disk is full or read-only.
    """
    atomic_write_text(folder / _MARK, json.dumps(asdict(Owner.this_process())))


def let_go(folder: Path) -> None:
    """Note that nobody has a project open."""
    with contextlib.suppress(OSError):
        (folder / _MARK).unlink(missing_ok=True)


def forgotten_project() -> Path | None:
    """Return the newest project whose process ended without closing it."""
    marks = sorted(base_folder().glob(f"*/{_MARK}"), key=lambda mark: mark.stat().st_mtime, reverse=True)
    for mark in marks:
        try:
            owner = Owner(**json.loads(mark.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            continue
        if owner.here and owner.process() is None and (mark.parent / STATE).exists():
            return mark.parent
    return None
