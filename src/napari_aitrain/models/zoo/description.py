"""Reads the description of a model in the zoo's format, from a zip or a folder; nothing is fetched from a server."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from ...errors import ModelError
from .package import optional

NAMES = ("bioimageio.yaml", "bioimageio.yml", "rdf.yaml", "rdf.yml", "model.yaml")
_MOST_TEXT = 2**20
_MOST_NODES = 200_000
_WHOLE = "download the whole package of the model from bioimage.io"


def find_description(folder: Path) -> Path:
    """Return the description in a folder, or in the only folder that it holds.

    Raises
    ------
    ModelError
        If there is none.
    """
    inner = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__MACOSX"))]
    for place in (folder, *inner[:1]):
        for name in NAMES:
            if (place / name).is_file():
                return place / name
    raise ModelError(
        f"{folder} holds no model of the BioImage Model Zoo", f"one with {NAMES[0]} or rdf.yaml in it", _WHOLE
    )


def holds_description(folder: Path) -> bool:
    """Whether a folder is that of a model in the zoo's format."""
    return folder.is_dir() and any((folder / name).is_file() for name in NAMES)


def read_text(path: Path) -> dict[str, Any]:
    """Return a description as plain data, of a bounded size.

    Raises
    ------
    ModelError
        If it is none of a model, or grows out of all proportion.
    """
    try:
        if path.stat().st_size > _MOST_TEXT:
            raise _unreadable(path, "it is too large for a description")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise _unreadable(path, str(error).splitlines()[0]) from error
    # Aliases in YAML can stand for aliases, so that a few lines become billions.
    if sum(1 for _ in _nodes(data, _MOST_NODES)) >= _MOST_NODES:
        raise _unreadable(path, "it unfolds to more than a description can be")
    if not isinstance(data, dict) or data.get("type", "model") != "model":
        raise _unreadable(path, "it does not describe a model")
    return data


def local_file(folder: Path, source: object) -> Path:
    """Return a file that a description names, if it lies beside it.

    Raises
    ------
    ModelError
        If it is on a server, elsewhere on this computer, or missing.
    """
    text = str(source)
    if "://" in text:
        raise ModelError(
            f"the description names {text}, which is on a server", "a package that holds its own files", _WHOLE
        )
    parts = PurePosixPath(text.replace("\\", "/")).parts
    path = folder.joinpath(*parts)
    if text.startswith("/") or ":" in text or ".." in parts or not path.resolve().is_relative_to(folder.resolve()):
        raise ModelError(f"the description names {text}, which lies outside of it", "files inside", _WHOLE)
    if not path.is_file():
        raise ModelError(f"{text} is missing from the model", "all files that its description names", _WHOLE)
    return path


def checked_file(folder: Path, entry: Any) -> Path:
    """Return a file of a description's entry, after a look at its checksum, where one is given.

    Raises
    ------
    ModelError
        If it is missing, elsewhere, or another file.
    """
    path = local_file(folder, entry.source)
    if entry.sha256 is not None:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != str(entry.sha256):
            raise ModelError(f"{path.name} is damaged: its checksum is another one", "the file as it was made", _WHOLE)
    return path


def read_array(folder: Path, entry: Any) -> npt.NDArray[Any] | None:
    """Return a test tensor; None where it is of another kind than NPY.

    Raises
    ------
    ModelError
        If it is missing or damaged.
    """
    if entry is None:
        return None
    path = checked_file(folder, entry)
    if path.suffix != ".npy":
        return None
    try:
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(f"{path.name} is damaged ({error})", "a test tensor", _WHOLE) from error
    return array


def validated(path: Path, data: dict[str, Any]) -> Any:
    """Return a description as `bioimageio.spec.model.v0_5.ModelDescr`, whichever version it was written in.

    Raises
    ------
    ModelError
        If it is not valid, or files of it are on a server.
    """
    for source in _needed(data):
        local_file(path.parent, source)
    spec = optional("bioimageio.spec")
    common = optional("bioimageio.spec.model")
    found = spec.load_description(path, format_version="latest", perform_io_checks=False)
    if not isinstance(found, common.v0_5.ModelDescr):
        summary = getattr(found, "validation_summary", None)
        first = next((e for detail in summary.details for e in detail.errors), None) if summary is not None else None
        where = ".".join(str(part) for part in first.loc) if first is not None else ""
        raise _unreadable(path, f"{where}: {first.msg}" if first is not None else "it is not valid")
    return found


def _needed(data: dict[str, Any]) -> Iterator[Any]:
    """Yield the files that are opened, as far as plain data says."""
    weights = data.get("weights")
    for kind in ("onnx", "torchscript"):
        entry = weights.get(kind) if isinstance(weights, dict) else None
        if isinstance(entry, dict) and "source" in entry:
            yield entry["source"]
    for key in ("test_inputs", "test_outputs"):
        if isinstance(data.get(key), list):
            yield from data[key]
    for key in ("inputs", "outputs"):
        for tensor in data[key] if isinstance(data.get(key), list) else []:
            test = tensor.get("test_tensor") if isinstance(tensor, dict) else None
            if isinstance(test, dict) and "source" in test:
                yield test["source"]


def _nodes(data: Any, most: int) -> Iterator[None]:
    stack, count = [data], 0
    while stack and count < most:
        one = stack.pop()
        count += 1
        yield
        if isinstance(one, dict):
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)


def _unreadable(path: Path, why: str) -> ModelError:
    return ModelError(
        f"{path.name} cannot be read: {why}", "the description of a model of the BioImage Model Zoo", _WHOLE
    )
