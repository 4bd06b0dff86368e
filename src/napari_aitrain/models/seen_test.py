"""When somebody looked at test figures of a model, and with which numbers; ``seen_test.json`` in its folder.

Test boxes measure honestly only as long as nothing is chosen by them. So it is kept which were looked at, and what the
model's threshold and settings were then: whoever changes these afterwards, or looks at several versions, is told.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import StorageError
from ..home import home
from ..volumes.atomic import atomic_write_text
from . import starters

SEEN_TEST = "seen_test.json"
_KEPT = 200


class Look(BaseModel):
    """A look at test figures."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    when: datetime = Field(default_factory=lambda: datetime.now(UTC))
    evaluation: Annotated[str, Field(description="Folder of the job.")] = ""
    threshold: float
    task_settings: dict[str, Any] = {}
    boxes: Annotated[tuple[str, ...], Field(description="What tells each test box from others.")] = ()


class _Looks(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    format_version: int = 1
    looks: tuple[Look, ...] = ()


def looks_at(folder: Path) -> tuple[Look, ...]:
    """Return when test figures of the model in a folder were looked at, the first look first.

    A file that cannot be read counts as none: it only warns.
    """
    try:
        return _Looks.model_validate_json(_file(folder).read_bytes()).looks
    except (OSError, ValidationError):
        return ()


def note_look(folder: Path, look: Look) -> None:
    """Keep that test figures were looked at; where nothing can be written, as in a model for all, nothing is kept."""
    if not folder.is_dir():
        return
    kept = _Looks(looks=(*looks_at(folder), look)[-_KEPT:])
    file = _file(folder)
    with contextlib.suppress(StorageError, OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_text(file, kept.model_dump_json(indent=2))


def _file(folder: Path) -> Path:
    """Return where looks are kept: in the model's folder, or of a starter model in the user's."""
    if folder.resolve().parent == starters.FOLDER.resolve():
        return home() / "starters" / folder.name / SEEN_TEST
    return folder / SEEN_TEST
