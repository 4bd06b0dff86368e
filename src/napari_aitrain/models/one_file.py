"""A model as one file, ``NAME-vN.aitrain.zip``: for a colleague, a backup or a paper."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ModelError
from ..volumes.atomic import atomic_file, refuse_existing, storage_errors
from .adding import arriving
from .folder import load_model
from .model import REMOTE, Model
from .safe_zip import SafeZip, open_zip
from .state import VersionState
from .versions import Version, safe_name

SUFFIX = ".aitrain.zip"
MANIFEST = "aitrain.json"
FILE_FORMAT = 1
_MODEL = "model/"
_AGAIN = "export it again, and copy the whole file"


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    size: Annotated[int, Field(ge=0)]
    sha256: str


class Manifest(BaseModel):
    """What is in the file, and what was said of the model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: int = FILE_FORMAT
    name: str
    version: int | None = None
    tags: tuple[str, ...] = ()
    comments: str | None = None
    files: dict[str, _File]


def export_file(model: Model, path: Path, version: Version | None = None) -> Path:
    """Write a model as one file.

    Parameters
    ----------
    model : Model
        Any that has a folder; its files are checked first.
    path : Path
        A new file, or a folder, in which it is called ``NAME-vN.aitrain.zip``.
    version : Version, optional
        Which it is in the store; its tags and comments go with it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ModelError
        If the model is damaged, or a file of weights.
    OutputExistsError
        If there is a file already.
    StorageError
        If it cannot be written.
    """
    if model.folder.is_file():
        raise ModelError(
            f"{model.folder} is one file already", "a model folder", "copy the file, or import it into the store first"
        )
    load_model(model.folder)
    name = version.name if version is not None else model.card.name
    path = path / file_name(name, version) if path.is_dir() else path
    refuse_existing(path)
    found = sorted(p for p in model.folder.rglob("*") if p.is_file() and not p.is_symlink())
    contents = {p.relative_to(model.folder).as_posix(): p for p in found if not p.name.startswith(".")}
    with storage_errors(path):
        files = {inner: _File(size=p.stat().st_size, sha256=_sha(p)) for inner, p in contents.items()}
        manifest = Manifest(
            name=name,
            version=None if version is None else version.number,
            tags=() if version is None else version.state.tags,
            comments=None if version is None else version.state.comments,
            files=files,
        )
        with atomic_file(path, overwrite=False) as out, zipfile.ZipFile(out, "w") as archive:
            archive.writestr(MANIFEST, manifest.model_dump_json(indent=2))
            for inner, source in contents.items():
                archive.write(source, _MODEL + inner, zipfile.ZIP_STORED)
    return path


def file_name(name: str, version: Version | None) -> str:
    """Return what the file of a model is called."""
    return safe_name(name) + ("" if version is None else f"-v{version.number}") + SUFFIX


def import_file(path: Path, name: str | None = None) -> Model:
    """Put the model in a file into the store, as the next version of its name.

    Parameters
    ----------
    path : Path
        What `export_file` has written, here or elsewhere.
    name : str, optional
        In the store; the model's own if not given.

    Raises
    ------
    ModelError
        If it is no such file, damaged, unsafe, or a newer version wrote it.
    StorageError
        If there is no room.
    """
    with open_zip(path) as archive:
        manifest = read_manifest(archive)
        said = VersionState(tags=manifest.tags, comments=manifest.comments)
        with arriving(name or manifest.name, said) as one:
            unpacked = one.folder.with_name(one.folder.name + ".zip.part")
            try:
                archive.unpack(unpacked)
                _check_files(path, unpacked, manifest)
                with storage_errors(one.folder):
                    (unpacked / _MODEL).rename(one.folder)
            finally:
                shutil.rmtree(unpacked, ignore_errors=True)
            load_model(one.folder)
    return load_model(one.placed)


def is_remote(path: Path) -> bool:
    """Whether the model in a file is one on a server, to which images would be sent."""
    with open_zip(path) as archive:
        return _MODEL + REMOTE in archive.files


def read_manifest(archive: SafeZip) -> Manifest:
    """Return what a file says that it holds.

    Raises
    ------
    ModelError
        If it is no model, a newer version wrote it, or it holds something else.
    """
    path = archive.path
    if MANIFEST not in archive.files:
        raise ModelError(
            f"{path} is a zip, but no model in one file: it has no {MANIFEST}",
            f"a file that ends in {SUFFIX}, or a model of the BioImage Model Zoo",
            "export the model again",
        )
    try:
        data = json.loads(archive.read(MANIFEST))
        version = data["format_version"]
        if isinstance(version, int) and version > FILE_FORMAT:
            raise ModelError(
                f"{path} was written by a newer version (format {version})",
                f"format {FILE_FORMAT} or older",
                "update napari-aitrain",
            )
        manifest = Manifest.model_validate(data)
    except ModelError:
        raise
    except (ValueError, LookupError, TypeError, ValidationError) as error:
        raise ModelError(f"{path}: {MANIFEST} cannot be read", "the list of its files", _AGAIN) from error
    listed = {MANIFEST, *(_MODEL + name for name in manifest.files)}
    if listed != set(archive.files):
        odd = sorted(listed ^ set(archive.files))[0]
        raise ModelError(f"{path}: {odd} is missing, or should not be in it", "the files that it lists", _AGAIN)
    return manifest


def _check_files(path: Path, folder: Path, manifest: Manifest) -> None:
    for name, file in manifest.files.items():
        there = folder / _MODEL / name
        if there.stat().st_size != file.size or _sha(there) != file.sha256:
            raise ModelError(f"{path}: {name} is not what it was when it was written", "a whole file", _AGAIN)


def _sha(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
