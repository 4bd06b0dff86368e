"""Models that come as files: which kind they are is found out, and each goes into the store its own way."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal

from ..errors import ModelError
from .adding import import_model
from .model import Model
from .one_file import MANIFEST, import_file
from .safe_zip import open_zip
from .zoo import Wanted, holds_description, import_bioimageio

Kind = Literal["one-file", "bioimageio", "folder", "cellpose"]


def kind_of(path: Path) -> Kind:
    """Return what kind of model lies at a path.

    Raises
    ------
    ModelError
        If nothing is there, or it is a zip that is not safe to open.
    """
    if path.is_dir():
        return "bioimageio" if holds_description(path) else "folder"
    if not path.exists():
        raise ModelError(f"{path} does not exist", "a model, as a file or folder", "check the path")
    with path.open("rb") as file:
        start = file.read(4)
    # Weights that torch has saved are zip files, too, which start with a folder of their own.
    if path.suffix.lower() == ".zip" or (start.startswith(b"PK") and _listed(path)):
        with open_zip(path) as archive:
            return "one-file" if MANIFEST in archive.files else "bioimageio"
    return "cellpose"


def take_in(
    path: Path,
    name: str | None = None,
    dims: Literal[2, 3] | None = None,
    wanted: Wanted | None = None,
) -> Model:
    """Put a model into the store as the next version of its name.

    Parameters
    ----------
    path : Path
        A model in one file, one in the format of the BioImage Model Zoo, a model folder, or weights of Cellpose 4.
    name : str, optional
        In the store; the model's own if not given.
    dims : {2, 3}, optional
        For Cellpose's network: 3 follows objects through volumes.
    wanted : Wanted, optional
        For models of the zoo that were not made here: what their maps are.

    Raises
    ------
    ModelError
        If it is damaged, unsafe, or cannot be run here.
    StorageError
        If there is no room.
    """
    kind = kind_of(path)
    if kind == "one-file":
        return import_file(path, name)
    if kind == "bioimageio":
        return import_bioimageio(path, name, wanted)
    return import_model(path, name, dims)


def _listed(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return MANIFEST in archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return False
