"""The model store, ``models/NAME/vN`` in the user's folder, and finding a model by name."""

from __future__ import annotations

import difflib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ..errors import ModelError
from ..home import home
from ..volumes.atomic import atomic_folder, storage_errors
from .folder import CARD, holds_model, load_model, save_model
from .model import Model
from .starters import starter_folder, starter_names
from .weights import KNOWN, find_weights, known_weights, missing_weights

_VERSION = re.compile(r"v([1-9]\d*)")


def store_folder() -> Path:
    """Return the folder of the store."""
    return home() / "models"


def list_models() -> Iterator[Model | ModelError]:
    """Yield every stored model, by name and version; in place of one that cannot be opened, its error."""
    for name in sorted(_folders(store_folder())):
        for _, folder in _versions(name):
            try:
                yield load_model(folder)
            except ModelError as error:
                yield error


def find_model(reference: str | Path) -> Model:
    """Open a model by path, by ``NAME`` (its newest version) or ``NAME/vN`` of the store, or by a starter's name.

    The name of known weights, such as ``cpsam_v2``, is that of the model that they are.

    Raises
    ------
    ModelError
        If there is none, or it is damaged.
    """
    found = locate_model(reference)
    name = str(reference)
    if found is None and name in _weights_names():
        raise missing_weights(known_weights(name))
    if found is None and not (Path(reference).is_absolute() or Path(reference).suffix):
        known = [*starter_names(), *_weights_names(), *(folder.name for folder in _folders(store_folder()))]
        if near := difflib.get_close_matches(name, known, n=1):
            raise ModelError(
                f"there is no model {name!r}", "a model folder, or the name of a model", f"did you mean {near[0]!r}?"
            )
    return load_model(found or Path(reference))


def locate_model(reference: str | Path, base: Path | None = None) -> Path | None:
    """Return the folder that `find_model` would open, whole or damaged; None if there is none.

    Parameters
    ----------
    reference : path-like
        A path, or a name.
    base : Path, optional
        Where relative paths begin; here if not given.
    """
    path, name = (base or Path()) / reference, str(reference)
    starter = name in starter_names()
    if path.exists() and (holds_model(path) or not starter):
        return path
    if name in ("", ".") or Path(reference).is_absolute():
        return None
    if found := _stored(name):
        return found
    if name in _weights_names():
        return find_weights(name)
    return starter_folder(name) if starter else None


def import_model(path: Path, name: str | None = None, dims: Literal[2, 3] | None = None) -> Model:
    """Copy a model into the store as the next version of its name.

    Parameters
    ----------
    path : Path
        A model folder, the folder of a job with a model, or a file of weights of Cellpose 4.
    name : str, optional
        In the store; the model's own if not given.
    dims : {2, 3}, optional
        For Cellpose's network, which sees slices: 3 follows objects through a volume.

    Raises
    ------
    ModelError
        If it is damaged, or its network is made for other dims.
    """
    model = load_model(path)
    if dims is not None:
        model = model.in_dims(dims)
    name = safe_name(name or model.card.name)
    number = max((n for n, _ in _versions(store_folder() / name)), default=0) + 1
    target = store_folder() / name / f"v{number}"
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    if model.folder.is_file() or dims is not None:
        return save_model(target, model.card.model_copy(update={"name": name, "version": number}), model.state_dict())
    with storage_errors(target), atomic_folder(target) as temporary:
        shutil.copytree(model.folder, temporary, dirs_exist_ok=True)
    return load_model(target)


def remove_model(reference: str) -> Path:
    """Delete ``NAME/vN`` from the store, or every version of ``NAME``; models elsewhere are never deleted.

    Raises
    ------
    ModelError
        If the store has no such model.
    """
    parts = reference.split("/")
    folder = store_folder().joinpath(*parts)
    inside = len(parts) <= 2 and all(part and part == safe_name(part) for part in parts)
    if not inside or not any(True for _ in folder.rglob(CARD)):
        raise ModelError(
            f"the model store has no {reference!r}", "a NAME or NAME/vN", "see `napari-aitrain models list`"
        )
    with storage_errors(folder):
        shutil.rmtree(folder)
        if folder.parent != store_folder() and not any(folder.parent.iterdir()):
            folder.parent.rmdir()
    return folder


def safe_name(name: str) -> str:
    """Return the name as that of a folder on every system: unicode stays, separators and dots at the ends go.

    Examples
    --------
    >>> safe_name("nuclei: day 3/α")
    'nuclei_ day 3_α'
    """
    clean = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", name).strip(". ")
    return clean or "model"


def _weights_names() -> list[str]:
    return [known.name for known in KNOWN]


def _stored(reference: str) -> Path | None:
    parts = reference.split("/")
    if len(parts) == 1:
        versions = _versions(store_folder() / reference)
        return versions[-1][1] if versions else None
    folder = store_folder().joinpath(*parts)
    return folder if len(parts) == 2 and folder.is_dir() else None


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [f for f in folder.iterdir() if f.is_dir() and not f.name.startswith(".")]


def _versions(folder: Path) -> list[tuple[int, Path]]:
    found = ((_VERSION.fullmatch(f.name), f) for f in _folders(folder))
    return sorted((int(match[1]), f) for match, f in found if match)
