"""Finding models: by path, by name in the store, and those that come with the program."""

from __future__ import annotations

import difflib
from pathlib import Path

from ..errors import ModelError
from .folder import holds_model, load_model
from .model import Model
from .starters import starter_folder, starter_names
from .trash import missing, was_deleted
from .versions import Version, current_name, reference_of, split_reference, stored_names, versions_of
from .weights import KNOWN, find_weights, known_weights, missing_weights


def find_version(reference: str) -> Version:
    """Return the version that ``NAME`` or ``NAME/vN`` means in the store, whole or damaged.

    Raises
    ------
    ModelError
        If there is none; of a version that was deleted it says how to get it back.
    """
    name, number = split_reference(reference)
    found = versions_of(current_name(name))
    for version in found:
        if version.number == number or (number is None and version.active):
            return version
    if found and number is None:
        raise ModelError(
            f"every version of {name} is archived or damaged",
            "a version that is in use and whole",
            f"name one, such as {found[-1].reference}, or bring it back: "
            f"napari-aitrain models restore {found[-1].reference}",
        )
    raise missing(reference)


def find_model(reference: str | Path) -> Model:
    """Open a model by path, by ``NAME`` (its active version) or ``NAME/vN`` of the store, or by a starter's name.

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
        known = [*starter_names(), *_weights_names(), *stored_names()]
        if near := difflib.get_close_matches(name, known, n=1):
            raise ModelError(
                f"there is no model {name!r}", "a model folder, or the name of a model", f"did you mean {near[0]!r}?"
            )
    if found is None and not Path(reference).exists():
        if (gone := reference_of(Path(reference))) is not None:
            raise missing(gone)
        if Path(name).name == name and not Path(name).suffix:
            raise ModelError(
                f"there is no model {name!r}",
                "a model folder, or the name of a model of the store or of a starter model",
                "choose one of `napari-aitrain models list`; of a training's model give the folder that is shown there",
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

    Raises
    ------
    ModelError
        If it is the name of a model whose versions are all archived, or were deleted.
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


def _weights_names() -> list[str]:
    return [known.name for known in KNOWN]


def _stored(reference: str) -> Path | None:
    """Return the folder in the store; None for what is no name of it."""
    try:
        name, number = split_reference(reference)
    except ModelError:
        return None
    elsewhere = number is None and (name in starter_names() or name in _weights_names())
    # Only a model that has this name now goes before a starter model, not one that once had it.
    known = versions_of(name if elsewhere else current_name(name), strict=False)
    if not known and (elsewhere or not was_deleted(reference)):
        return None
    return find_version(reference).folder
