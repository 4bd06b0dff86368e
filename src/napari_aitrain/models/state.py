"""What people say of the versions of a model after it was made: which is active, tags, comments, what is put away.

It lies beside the versions, in ``state.json`` of the model's folder; the cards stay as they were made.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ModelError
from ..volumes.atomic import atomic_write_text, storage_errors

STATE = "state.json"
STATE_FORMAT = 1


class _Kept(BaseModel):
    # A later version may keep more; what is not known here is written back as it was.
    model_config = ConfigDict(extra="allow", frozen=True)


class VersionState(_Kept):
    """What is said of one version."""

    tags: tuple[str, ...] = ()
    archived: bool = False
    comments: Annotated[str | None, Field(description="In place of those on the card.")] = None


class NameState(_Kept):
    """What is said of all versions of one name."""

    format_version: int = STATE_FORMAT
    active: Annotated[int | None, Field(description="The version that the name alone means; none: the newest.")] = None
    last: Annotated[int, Field(ge=0, description="The highest number there ever was; numbers are not used twice.")] = 0
    formerly: Annotated[tuple[str, ...], Field(description="Names that it had before; they still find it.")] = ()
    versions: dict[int, VersionState] = {}

    def of(self, number: int) -> VersionState:
        """Return what is said of a version."""
        return self.versions.get(number, VersionState())

    def having(self, number: int, **changed: object) -> NameState:
        """Return this with something else said of a version."""
        one = self.of(number).model_copy(update=changed)
        return self.model_copy(update={"versions": {**self.versions, number: one}})

    def without(self, number: int) -> NameState:
        """Return this for when a version has gone."""
        rest = {n: one for n, one in self.versions.items() if n != number}
        active = None if self.active == number else self.active
        return self.model_copy(update={"versions": rest, "active": active, "last": max(self.last, number)})


def read_state(folder: Path) -> NameState:
    """Return what is said of the versions in a model's folder.

    Raises
    ------
    ModelError
        If it is damaged, or a newer version wrote it.
    """
    path = folder / STATE
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return NameState()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, str(error)) from error
    try:
        state = NameState.model_validate_json(text)
    except ValidationError as error:
        raise _unreadable(path, error.errors()[0]["msg"]) from error
    if state.format_version > STATE_FORMAT:
        raise ModelError(
            f"{path} was written by a newer version (format {state.format_version})",
            f"format {STATE_FORMAT} or older",
            "update napari-aitrain",
        )
    return state


def write_state(folder: Path, state: NameState) -> None:
    """Replace what is said; the caller holds the store, see `store_lock.changing`."""
    with storage_errors(folder):
        atomic_write_text(folder / STATE, state.model_dump_json(indent=2))


def _unreadable(path: Path, why: str) -> ModelError:
    return ModelError(
        f"{path} cannot be read: {why}",
        "tags, comments and the active version of a model",
        "restore it from a backup, or move it away: the models are whole, and the newest version counts then",
    )
