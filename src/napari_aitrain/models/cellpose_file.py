"""Files of weights as Cellpose 4 writes and reads them: they can be opened as models, and models be written as them."""

from __future__ import annotations

import hashlib
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ..errors import ModelError
from ..volumes.atomic import atomic_file, storage_errors
from .card import ModelCard
from .weights import KNOWN, KnownWeights

if TYPE_CHECKING:
    from torch import Tensor

    from .model import Model

TASK = "cellpose"
DIAMETER = 30.0
"""Of the cells that Cellpose's networks were trained on, in pixels; files hold it, too."""
_UNREADABLE = (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, OSError, TypeError,
               AttributeError, struct.error)  # fmt: skip
_USABLE = "a model folder, the name of a model, or a file that Cellpose 4 wrote"
_AGAIN = "download it or copy it again"


def card_of_file(path: Path) -> ModelCard:
    """Return the card of the model in a file of weights; of known weights their size tells which they are.

    Raises
    ------
    ModelError
        If it is not a file of weights for Cellpose's network.
    """
    from ..nets import CellposeConfig

    known = _known(path)
    if known is not None:
        comments = f"{known.title}. {known.note} Licence: {known.licence}, {known.licence_url}"
        return _card(known.name, CellposeConfig(), comments, known.sha256 or "")
    from ..nets.cellpose import config_of_weights

    weights = _read(path)
    try:
        config = config_of_weights(weights)
    except (KeyError, ValueError, IndexError, ValidationError) as error:
        raise _no_weights(path, f"parts are missing or have no sizes that go together ({error})") from error
    with storage_errors(path), path.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    return _card(path.name, config, f"Imported from the Cellpose file {path.name}.", checksum)


def read_cellpose(path: Path) -> dict[str, Tensor]:
    """Read a file of weights of Cellpose 4, as `nets.cellpose.CellposeNetwork` names them; nothing in it is run.

    Raises
    ------
    ModelError
        If it is not such a file, or damaged.
    """
    import torch

    from ..nets.cellpose import from_cellpose

    weights = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in _read(path).items()}
    for name in ("diam_labels", "diam_mean"):
        weights.setdefault(name, torch.tensor([DIAMETER]))
    return from_cellpose(weights)


def export_cellpose(model: Model, path: Path) -> None:
    """Write the weights of a model as a file that Cellpose 4 opens.

    Parameters
    ----------
    model : Model
        With the network of Cellpose.
    path : Path
        Any name; nothing is replaced.

    Raises
    ------
    ModelError
        If the model has another network.
    OutputExistsError
        If there is something at `path`.
    StorageError
        If it cannot be written.
    """
    if model.card.network.get("architecture") != "cellpose":
        raise ModelError(
            f"the model {model.card.name} has not the network of Cellpose",
            "a model that was trained with the task cellpose",
            "train with the task cellpose, starting from cpsam_v2",
        )
    import torch

    from ..nets.cellpose import to_cellpose

    weights = to_cellpose(model.state_dict())
    with atomic_file(path, overwrite=False) as file:
        torch.save(weights, file)


def _known(path: Path) -> KnownWeights | None:
    with storage_errors(path):
        size = path.stat().st_size
    return next((known for known in KNOWN if (known.size, known.name) == (size, path.name)), None)


def _card(name: str, config: Any, comments: str, checksum: str) -> ModelCard:
    return ModelCard(
        name=name,
        task=TASK,
        dims=config.dims,
        network=config.model_dump(mode="json"),
        diameter=DIAMETER,
        # What is shown is what Cellpose shows.
        threshold=0.0,
        comments=comments,
        weights_sha256=checksum,
    )


def _read(path: Path) -> dict[str, Tensor]:
    import torch

    try:
        with path.open("rb") as file:
            head = file.read(512).lstrip()
        found: object = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except FileNotFoundError:
        raise ModelError(f"{path} does not exist", "a file of weights", "check the path") from None
    except _UNREADABLE as error:
        raise _unreadable(path, head, error) from error
    if (
        not isinstance(found, Mapping)
        or not found
        or not all(isinstance(value, torch.Tensor) for value in found.values())
    ):
        raise _no_weights(path, "it holds other things than weights")
    weights = {str(name).removeprefix("module."): value for name, value in found.items()}
    _check_kind(path, weights)
    return weights


def _unreadable(path: Path, head: bytes, error: Exception) -> ModelError:
    if head.startswith(b"PK") and not zipfile.is_zipfile(path):
        return ModelError(f"{path} is cut short", "the whole file", _AGAIN)
    if path.suffix.lower() == ".zip":
        return ModelError(
            f"{path} is no model that can be used as it is",
            _USABLE,
            f"put a model that came as a zip into the model store first: napari-aitrain models import {path}",
        )
    if head[:1] == b"<":
        return _no_weights(path, "it is a web page")
    if isinstance(error, pickle.UnpicklingError) and (head.startswith(b"PK") or head[:1] == b"\x80"):
        return ModelError(
            f"{path} holds more than weights, and is not opened, since such a file could run programs",
            "a file with weights only, as Cellpose 4 writes it",
            "get the model from a source you trust, and as a file that torch opens with weights_only=True",
        )
    return _no_weights(path, f"it cannot be opened as such ({type(error).__name__})")


def _check_kind(path: Path, weights: Mapping[str, Tensor]) -> None:
    if "encoder.cls_token" in weights:
        raise ModelError(
            f"{path} is of Cellpose's second network, with the encoder of DINOv3",
            "a model with the encoder of SAM, such as cpsam_v2 or one fine-tuned from it",
            "use cpsam_v2, or run this one in Cellpose",
        )
    if "W2" in weights:
        return
    if any(name.startswith(("downsample.", "upsample.", "output.")) for name in weights):
        raise ModelError(
            f"{path} is a model of Cellpose 3 or older, whose network is another one",
            "a model of Cellpose 4",
            "start from cpsam_v2, and train with the images the old model was trained on; to go on using the old one, "
            'run it in Cellpose 3 (pip install "cellpose<4" in an environment of its own)',
        )
    raise _no_weights(path, "its parts are not those of Cellpose's network")


def _no_weights(path: Path, why: str) -> ModelError:
    return ModelError(f"{path} is no file of weights of Cellpose 4: {why}", _USABLE, _AGAIN)
