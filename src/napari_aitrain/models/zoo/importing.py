"""Models in the zoo's format become models here: those that were exported here as what they were, others as a file."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from ...errors import ModelError
from ...volumes.atomic import beside, storage_errors
from ..adding import arriving
from ..card import FORMAT_VERSION, ModelCard
from ..folder import load_model, save_model
from ..model import Model
from ..safe_zip import open_zip
from ..versions import store_folder
from .describing import KEY
from .description import checked_file, find_description, read_array, read_text, validated
from .exporting import exported_network, normalised, run
from .foreign import Wanted, take_foreign

_TOLERANCE = 1e-3
_AGAIN = "export the model again, and copy the whole file"


def import_bioimageio(path: Path, name: str | None = None, wanted: Wanted | None = None) -> Model:
    """Put a model in the format of the BioImage Model Zoo into the store, as the next version of its name.

    One that was exported here becomes what it was. Of others weights for ONNX, or TorchScript, are run as they are;
    weights that need a program of somebody else's are refused, because that would be code. The test that comes with a
    model must give here what it gives elsewhere.

    Parameters
    ----------
    path : Path
        A zip, or a folder with a description.
    name : str, optional
        In the store; the model's own if not given.
    wanted : Wanted, optional
        For models of others: as which task they are to be used, and which of their maps is what.

    Raises
    ------
    ModelError
        If it is damaged, unsafe, or cannot be run here.
    StorageError
        If there is no room.
    """
    with _unpacked(Path(path)) as folder:
        described = find_description(folder)
        data = read_text(described)
        config = data.get("config")
        own = config.get(KEY) if isinstance(config, dict) else None
        if isinstance(own, dict):
            return _take_own(described, data, own, name)
        return take_foreign(described, validated(described, data), name, wanted or Wanted())


@contextlib.contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield path
        return
    store = store_folder()
    with storage_errors(store):
        store.mkdir(parents=True, exist_ok=True)
    folder = beside(store / "zoo")
    try:
        with open_zip(path) as archive:
            archive.unpack(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _take_own(described: Path, data: dict[str, Any], own: dict[str, Any], name: str | None) -> Model:
    """Take a model that was exported here."""
    card = _card(described, own)
    weights = data.get("weights")
    entry = weights.get("pytorch_state_dict") if isinstance(weights, dict) else None
    if not isinstance(entry, dict):
        raise ModelError(f"{described.name} names no weights for PyTorch", "a model that was exported here", _AGAIN)
    state = _state(checked_file(described.parent, _Entry(entry)))
    with arriving(name or card.name) as one:
        model = save_model(one.folder, card, state)
        _check(model, described.parent, data)
    return load_model(one.placed)


def _card(described: Path, own: dict[str, Any]) -> ModelCard:
    card = own.get("card")
    version = card.get("format_version") if isinstance(card, dict) else None
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ModelError(
            f"{described.name} was written by a newer version (format {version})",
            f"format {FORMAT_VERSION} or older",
            "update napari-aitrain",
        )
    try:
        return ModelCard.model_validate(card)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelError(f"{described.name}: card: {where}: {first['msg']}", "the card of a model", _AGAIN) from error


def _state(path: Path) -> dict[str, Any]:
    import pickle

    import torch

    try:
        found: object = torch.load(io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError, LookupError) as error:
        raise ModelError(f"{path.name} is damaged, or holds more than weights", "weights alone", _AGAIN) from error
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise ModelError(f"{path.name} holds other things than weights", "weights alone", _AGAIN)
    return {str(key).removeprefix("net."): value for key, value in found.items()}


def _check(model: Model, folder: Path, data: dict[str, Any]) -> None:
    """Raise if the model does not give here what its test says."""
    tests = [_test(folder, data, key) for key in ("inputs", "outputs")]
    image, maps = tests
    if image is None or maps is None:
        return
    network = exported_network(model)
    if image.ndim != model.card.dims + 2 or image.shape[1] != int(model.card.network["in_channels"]):
        raise ModelError("the test image has another shape than the model takes", "a model that is whole", _AGAIN)
    found = run(network, normalised(model, np.asarray(image[0]))[None])
    if found.shape != maps.shape or not np.allclose(found, maps, rtol=0, atol=_TOLERANCE):
        raise ModelError("the model gives other maps than its test says", "a model that is whole", _AGAIN)


def _test(folder: Path, data: dict[str, Any], key: str) -> npt.NDArray[Any] | None:
    try:
        entry = data[key][0]["test_tensor"]
    except (LookupError, TypeError):
        return None
    return read_array(folder, _Entry(entry)) if isinstance(entry, dict) else None


class _Entry:
    """A file as plain data names it."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self.source, self.sha256 = entry.get("source", ""), entry.get("sha256")
