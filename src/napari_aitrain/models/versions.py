"""Versions in the model store, ``NAME/vN`` in the user's folder or on a shared drive, and what their names mean."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError
from ..home import home
from .folder import CARD
from .model import REMOTE
from .state import NameState, VersionState, read_state

FOLDER_VARIABLE = "AITRAIN_MODELS"
_VERSION = re.compile(r"v([1-9]\d{0,8})")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_LONGEST = 100


@dataclass(frozen=True)
class Version:
    """A version in the store, whole or damaged.

    Parameters
    ----------
    name : str
        Of the model, that is of its folder.
    number : int
        Of the version.
    folder : Path
        Where it is.
    state : VersionState
        What was said of it: tags, comments, whether it is put away.
    active : bool
        Whether it is what the name alone means.
    """

    name: str
    number: int
    folder: Path
    state: VersionState
    active: bool = False

    @property
    def reference(self) -> str:
        """What people type: ``NAME/vN``."""
        return f"{self.name}/v{self.number}"


def store_folder() -> Path:
    """Return the folder of the store: ``AITRAIN_MODELS`` if set, else ``models`` in the user's folder."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen).expanduser() if chosen else home() / "models"


def list_versions() -> list[Version]:
    """Return every version in the store, by name and number; nothing but what is said of them is read.

    What is said counts as nothing where it cannot be read; `read_state` says why.
    """
    return [version for name in stored_names() for version in versions_of(name, strict=False)]


def stored_names() -> list[str]:
    """Return the names in the store, sorted."""
    return sorted(folder.name for folder in _folders(store_folder()) if version_folders(folder))


def versions_of(name: str, strict: bool = True) -> list[Version]:
    """Return the versions of a name, oldest first; none if the store has no such name.

    Raises
    ------
    ModelError
        If what is said of them cannot be read, and `strict` is True.
    """
    folder = store_folder() / name
    try:
        state = read_state(folder)
    except ModelError:
        if strict:
            raise
        state = NameState()
    found = version_folders(folder)
    # One that is being copied into the store by hand is no version yet that a name could mean.
    meant = meant_number(state, [number for number, path in found if _looks_whole(path)])
    return [Version(name, number, path, state.of(number), number == meant) for number, path in found]


def meant_number(state: NameState, numbers: list[int]) -> int | None:
    """Return which version a name alone means: the active one, else the newest that is not put away."""
    if state.active in numbers:
        return state.active
    return max((number for number in numbers if not state.of(number).archived), default=None)


def split_reference(reference: str) -> tuple[str, int | None]:
    """Return name and number in ``NAME`` or ``NAME/vN``.

    Raises
    ------
    ModelError
        If it is neither.
    """
    name, *rest = reference.split("/")
    match = _VERSION.fullmatch(rest[0]) if len(rest) == 1 else None
    if not name or name != safe_name(name) or len(rest) > 1 or (rest and match is None):
        raise ModelError(
            f"{reference!r} is no name of a model in the store", "a NAME or NAME/vN", "see `napari-aitrain models list`"
        )
    return name, None if match is None else int(match[1])


def reference_of(folder: Path) -> str | None:
    """Return ``NAME/vN`` of the folder of a version; None of a folder elsewhere."""
    match = _VERSION.fullmatch(folder.name)
    inside = folder.parent.parent.absolute() == store_folder().absolute()
    return f"{folder.parent.name}/v{match[1]}" if match and inside else None


def current_name(name: str) -> str:
    """Return the name that a model has now, if it was renamed; else the name itself."""
    if version_folders(store_folder() / name):
        return name
    for folder in _folders(store_folder()):
        try:
            if name in read_state(folder).formerly:
                return folder.name
        except ModelError:
            continue
    return name


def safe_name(name: str) -> str:
    """Return the name as that of a folder on every system: unicode stays, separators and dots at the ends go.

    Examples
    --------
    >>> safe_name("nuclei: day 3/α"), safe_name("con")
    ('nuclei_ day 3_α', 'con_')
    """
    clean = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", name).strip(". ")[:_LONGEST].rstrip(". ")
    return f"{clean}_" if _RESERVED.fullmatch(clean) else clean or "model"


def version_folders(folder: Path) -> list[tuple[int, Path]]:
    """Return the numbers and folders of the versions in a model's folder, oldest first."""
    found = ((_VERSION.fullmatch(f.name), f) for f in _folders(folder))
    return sorted((int(match[1]), f) for match, f in found if match)


def _looks_whole(folder: Path) -> bool:
    return (folder / CARD).is_file() and ((folder / REMOTE).is_file() or any(folder.glob("weights.*")))


def _folders(folder: Path) -> list[Path]:
    try:
        return [f for f in folder.iterdir() if not f.name.startswith(".") and f.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
