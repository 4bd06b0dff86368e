"""Deleted models: they lie in the store's trash until they are brought back, 30 days have passed, or it is emptied."""

from __future__ import annotations

import contextlib
import getpass
import shutil
import socket
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import ModelError, StorageError
from ..volumes.atomic import atomic_folder, atomic_write_text, move_into_place, storage_errors
from .state import STATE, NameState, VersionState, read_state, write_state
from .store_lock import changing
from .versions import Version, current_name, split_reference, store_folder, version_folders, versions_of

TRASH = ".trash"
DAYS = 30
_ENTRY = "deleted.json"
_STALE = 24 * 3600.0


class Deleted(BaseModel):
    """A version in the trash.

    Parameters
    ----------
    key : str
        Its folder in the trash.
    name, number : str, int
        What it was.
    when : datetime
        When it was deleted.
    by : str
        Who deleted it, on which computer.
    state : VersionState
        What was said of it.
    active : bool
        Whether it had been made active.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    key: str
    name: str
    number: int
    when: datetime
    by: str = ""
    state: VersionState = VersionState()
    active: bool = False

    @property
    def reference(self) -> str:
        """What it was called: ``NAME/vN``."""
        return f"{self.name}/v{self.number}"

    @property
    def told(self) -> str:
        """When, and by whom."""
        return f"on {self.when.astimezone():%Y-%m-%d at %H:%M}" + (f" by {self.by}" if self.by else "")

    @property
    def folder(self) -> Path:
        """Where it lies now."""
        return store_folder() / TRASH / self.key / f"v{self.number}"


def deleted() -> list[Deleted]:
    """Return what is in the trash, the latest first."""
    found = []
    for path in (store_folder() / TRASH).glob(f"*/{_ENTRY}"):
        try:
            entry = Deleted.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, ValidationError):
            continue
        if entry.key == path.parent.name and entry.folder.is_dir():
            found.append(entry)
    return sorted(found, key=lambda entry: entry.when, reverse=True)


def was_deleted(reference: str) -> bool:
    """Whether ``NAME``, or ``NAME/vN``, is in the trash."""
    return bool(_gone(reference))


def missing(reference: str) -> ModelError:
    """Return the error for what the store has not; of a version that was deleted it says how to get it back."""
    if gone := _gone(reference):
        return ModelError(
            f"{gone[0].reference} was deleted {gone[0].told}",
            "a model in the store",
            f"bring it back: napari-aitrain models restore {gone[0].reference}",
        )
    return ModelError(f"the model store has no {reference!r}", "a NAME or NAME/vN", "see `napari-aitrain models list`")


def delete_model(reference: str) -> list[Deleted]:
    """Move ``NAME/vN``, or every version of ``NAME``, into the trash; models outside the store are never deleted.

    What has been in the trash for longer than 30 days goes for good.

    Returns
    -------
    list of Deleted
        For `restore_deleted`.

    Raises
    ------
    ModelError
        If the store has no such model, also because somebody else has just deleted it.
    StorageError
        If it cannot be moved.
    """
    name, number = split_reference(reference)
    with changing(store_folder()):
        name = current_name(name)
        versions = [version for version in versions_of(name, strict=False) if number in (None, version.number)]
        if not versions:
            raise missing(reference)
        gone = [_delete(version) for version in versions]
    with contextlib.suppress(StorageError, ModelError):
        empty_trash(DAYS)
    return gone


def restore_deleted(entry: Deleted) -> Version:
    """Bring a version back from the trash, with what was said of it.

    It gets the next free number if there is another version of its number by now.

    Raises
    ------
    ModelError
        If it is not in the trash any more.
    StorageError
        If it cannot be moved.
    """
    store = store_folder()
    with changing(store):
        if not entry.folder.is_dir():
            raise ModelError(
                f"{entry.reference} is not in the trash any more",
                "a version that was deleted within the last 30 days",
                "somebody may have brought it back, or emptied the trash: see `napari-aitrain models list`",
            )
        name = current_name(entry.name)
        folder = store / name
        with storage_errors(folder):
            folder.mkdir(exist_ok=True)
        state = read_state(folder)
        taken = {number for number, _ in version_folders(folder)}
        number = entry.number if entry.number not in taken else next_number(name)
        with storage_errors(folder):
            move_into_place(entry.folder, folder / f"v{number}")
        versions = {**state.versions, number: entry.state}
        active = number if entry.active and state.active is None else state.active
        write_state(
            folder,
            state.model_copy(update={"versions": versions, "active": active, "last": max(state.last, number)}),
        )
        shutil.rmtree(entry.folder.parent, ignore_errors=True)
    return next(version for version in versions_of(name) if version.number == number)


def next_number(name: str) -> int:
    """Return the number of the next version of a name: none that there was, or that can come back, is used again."""
    folder = store_folder() / name
    numbers = [number for number, _ in version_folders(folder)]
    numbers += [entry.number for entry in deleted() if entry.name == name]
    return max([read_state(folder).last, *numbers]) + 1


def empty_trash(older_than_days: float = 0) -> int:
    """Delete for good what has been in the trash for so long; return how many versions that were.

    Raises
    ------
    StorageError
        If something cannot be deleted.
    """
    store, now, gone = store_folder(), time.time(), 0
    if not store.is_dir():
        return 0
    with changing(store):
        for entry in deleted():
            if now - entry.when.timestamp() >= older_than_days * 24 * 3600:
                with storage_errors(entry.folder):
                    shutil.rmtree(entry.folder.parent)
                gone += 1
        for path in [*store.glob(".*.part"), *(store / TRASH).glob(".*.part")]:
            with contextlib.suppress(OSError):
                if now - path.stat().st_mtime > _STALE:
                    shutil.rmtree(path, ignore_errors=True)
    return gone


def _gone(reference: str) -> list[Deleted]:
    name, number = split_reference(reference)
    return [entry for entry in deleted() if entry.name == name and number in (None, entry.number)]


def _delete(version: Version) -> Deleted:
    """Move one version into the trash; the store is held."""
    folder = version.folder.parent
    try:
        state = read_state(folder)
    except ModelError:
        state = NameState()
    now = datetime.now(UTC)
    entry = Deleted(
        key=f"{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}",
        name=version.name,
        number=version.number,
        when=now,
        by=_person(),
        state=version.state,
        active=state.active == version.number,
    )
    place = store_folder() / TRASH / entry.key
    with storage_errors(place):
        place.parent.mkdir(exist_ok=True)
    # What it is comes first: killed between the two, the version is still where it was.
    with atomic_folder(place) as temporary:
        atomic_write_text(temporary / _ENTRY, entry.model_dump_json(indent=2))
    with storage_errors(version.folder):
        move_into_place(version.folder, entry.folder)
    if version_folders(folder):
        write_state(folder, state.without(version.number))
        return entry
    with contextlib.suppress(OSError):
        (folder / STATE).unlink(missing_ok=True)
        folder.rmdir()
    return entry


def _person() -> str:
    try:
        who = getpass.getuser()
    except (OSError, KeyError, ImportError):
        who = ""
    return f"{who}@{socket.gethostname()}" if who else socket.gethostname()
