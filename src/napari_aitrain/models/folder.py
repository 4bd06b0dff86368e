"""A model is a folder: ``model.json`` (the card) and ``weights.safetensors``."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from ..errors import ModelError, OutputExistsError
from ..volumes.atomic import atomic_write_bytes, atomic_write_text, beside, move_into_place, storage_errors
from .card import FORMAT_VERSION, ModelCard
from .cellpose_file import card_of_file
from .model import AGAIN, REMOTE, WEIGHTS, Model, damaged, weights_name

if TYPE_CHECKING:
    import torch

CARD = "model.json"


def save_model(
    folder: Path,
    card: ModelCard,
    state_dict: Mapping[str, torch.Tensor],
    *,
    replace: bool = False,
    precision: Literal["float32", "float16"] = "float32",
    files: Mapping[str, bytes] = MappingProxyType({}),
) -> Model:
    """Save a model; a kill at any moment leaves the old model, the new one or none, never half of one.

    Parameters
    ----------
    folder : Path
        Where the model is to be.
    card : ModelCard
        Its `weights_sha256` and `format_version` are set here.
    state_dict : mapping of str to Tensor
        On any device, in any memory layout.
    replace : bool
        Whether a model that is there already, from the same training, may go.
    precision : {'float32', 'float16'}
        What weights are stored in; those that float16 cannot hold stay as they are.
    files : mapping of str to bytes
        What else belongs to the model, by name.

    Raises
    ------
    OutputExistsError
        If the folder exists and `replace` is False, or it holds something that is not a model.
    StorageError
        If it cannot be written.
    """
    from safetensors.torch import save

    folder = Path(folder)
    if folder.exists() and not (replace and (folder / CARD).is_file()):
        raise OutputExistsError(f"{folder} exists", "a folder that does not exist yet", "choose another name")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state_dict.items()}
    if precision == "float16":
        tensors = {name: _halved(tensor) for name, tensor in tensors.items()}
    weights = save(tensors)
    card = card.model_copy(
        update={"weights_sha256": hashlib.sha256(weights).hexdigest(), "format_version": FORMAT_VERSION}
    )
    temporary = beside(folder)
    with storage_errors(folder):
        try:
            temporary.mkdir(parents=True)
            for name, content in {**files, WEIGHTS: weights}.items():
                atomic_write_bytes(temporary / name, content)
            atomic_write_text(temporary / CARD, card.model_dump_json(indent=2))
            _replace(folder, temporary)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return Model(folder, card)


def _halved(tensor: torch.Tensor) -> torch.Tensor:
    half = tensor.half()
    return half if tensor.is_floating_point() and bool(half.isfinite().all()) else tensor


def _replaced(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.replaced")


def _replace(folder: Path, by: Path) -> None:
    old = _replaced(folder)
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        move_into_place(folder, old)
    move_into_place(by, folder)
    shutil.rmtree(old, ignore_errors=True)


def load_model(path: Path | str) -> Model:
    """Open a model and check that its files are whole; the weights are read when asked for.

    Parameters
    ----------
    path : path-like
        A model folder, or a job folder that holds one in ``model/``; or a file of weights of Cellpose 4.

    Raises
    ------
    ModelError
        If there is no model, it is damaged, or a newer version wrote it.
    """
    if Path(path).is_file():
        return Model(Path(path), card_of_file(Path(path)))
    folder = model_folder(Path(path))
    card = _read_card(folder)
    if (folder / REMOTE).is_file():
        return Model(folder, card)
    try:
        with open(folder / Path(weights_name(card)).name, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise damaged(folder, "it is missing or cannot be read") from error
    if found != card.weights_sha256:
        raise damaged(folder, "its checksum is not the one in the card")
    return Model(folder, card)


def read_card(path: Path | str) -> ModelCard:
    """Read the card of a model, or of a job's model, without a look at its weights.

    Raises
    ------
    ModelError
        If there is none, or it cannot be read.
    """
    return card_of_file(Path(path)) if Path(path).is_file() else _read_card(model_folder(Path(path)))


def holds_model(path: Path) -> bool:
    """Whether a folder is that of a model, or of a job that has one."""
    return _held(path) is not None


def _held(path: Path) -> Path | None:
    # A save that was killed between its two renames leaves the older model under the second name.
    whole = path.absolute()
    places = (path, path / "model", _replaced(whole) if whole.name else path, _replaced(whole / "model"))
    return next((folder for folder in places if (folder / CARD).is_file()), None)


def model_folder(path: Path) -> Path:
    """Return the folder of a model, or of the model of a job.

    Raises
    ------
    ModelError
        If there is none.
    """
    if (folder := _held(path)) is not None:
        return folder
    if path.is_file():
        raise ModelError(
            f"{path} is a file of weights, in which nothing else can be kept",
            "a model folder",
            f"make a model of it first: napari-aitrain models import {path}",
        )
    if not path.exists():
        raise ModelError(f"{path} does not exist", "a model folder", "check the path; `napari-aitrain models list`")
    raise ModelError(
        f"{path} holds no model",
        f"a folder with {CARD} and {WEIGHTS}, or the folder of a job that has saved a model",
        "check the path; a job saves its model at its first validation and when it ends",
    )


def _read_card(folder: Path) -> ModelCard:
    try:
        data = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder / CARD} cannot be read: {error}", "the card of a model", AGAIN) from error
    version = data.get("format_version") if isinstance(data, dict) else None
    if not isinstance(version, int):
        raise ModelError(f"{folder / CARD} is not the card of a model", "a card with a format_version", AGAIN)
    if version > FORMAT_VERSION:
        raise ModelError(
            f"{folder} was saved by a newer version (format {version})",
            f"format {FORMAT_VERSION} or older",
            "update napari-aitrain",
        )
    try:
        return ModelCard.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelError(f"{folder / CARD}: {where}: {first['msg']}", "the card of a model", AGAIN) from error
