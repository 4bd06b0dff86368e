"""The description that goes with an exported model: tensors, steps before the network, what it was trained on."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, cast

import yaml

from ...words import sentence
from ..card import ModelCard
from ..model import Model
from . import names

if TYPE_CHECKING:
    from ...nets.exported import ExportedNetwork
    from ...tasks.agglomeration import AgglomeratingTask

FORMAT = "0.5.4"
KEY = "napari_aitrain"
"""Under which the card lies in the description, so that the model comes back here as what it was."""
_TINY = 1e-12
_CITE = {
    "text": "Ronneberger, Fischer, Brox 2015: U-Net: Convolutional Networks for Biomedical Image Segmentation",
    "doi": "10.1007/978-3-319-24574-4_28",
}


@dataclass(frozen=True)
class About:
    """What a catalogue says of a model.

    Parameters
    ----------
    title : str, optional
        Name in the catalogue; that of the model if not given.
    description : str, optional
        A sentence; made from the card if not given.
    authors : tuple of str
        Who made the model.
    licence : str
        Its SPDX name.
    tags : tuple of str
        Further words to find it by.
    """

    title: str | None = None
    description: str | None = None
    authors: tuple[str, ...] = ()
    licence: str = "CC-BY-4.0"
    tags: tuple[str, ...] = ()


def describe(model: Model, about: About, network: ExportedNetwork, files: Mapping[str, bytes]) -> bytes:
    """Return the zip: a description and the files it names.

    Parameters
    ----------
    model : Model
        What is exported.
    about : About
        What a catalogue says of it.
    network : ExportedNetwork
        Its network.
    files : mapping of str to bytes
        Weights, source and test tensors, by name.
    """
    files = {**files, names.README: _readme(model, about).encode()}
    described = yaml.safe_dump(_description(model, about, network, files), sort_keys=False, allow_unicode=True)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(names.DESCRIPTION, described)
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def shared_card(card: ModelCard) -> dict[str, Any]:
    """Return a card for others to see, as plain data: images by name, not by where they lie on this computer."""
    sources = tuple(
        source.model_copy(update={"image": PurePath(source.image).name, "labels": PurePath(source.labels).name})
        for source in card.data.sources
    )
    parent = None if card.parent is None else PurePath(card.parent).name
    shared = card.model_copy(update={"data": card.data.model_copy(update={"sources": sources}), "parent": parent})
    plain: dict[str, Any] = json.loads(shared.model_dump_json())
    return plain


def _description(model: Model, about: About, network: ExportedNetwork, files: Mapping[str, bytes]) -> dict[str, Any]:
    card = model.card
    described: dict[str, Any] = {
        "format_version": FORMAT,
        "type": "model",
        "name": _title(about.title or card.name),
        "description": (about.description or _sentence(card))[:1000],
        "authors": [{"name": name.replace("/", " ")} for name in about.authors or ("unknown",)],
        "license": about.licence,
        "documentation": {"source": names.README, "sha256": _sha(files[names.README])},
        "cite": [_CITE],
        "tags": sorted({"napari", "segmentation", card.task, f"{card.dims}d", *about.tags}),
        "timestamp": card.created.isoformat(),
        "inputs": [_input(model, network, files)],
        "outputs": [_output(model, network, files)],
        "weights": _weights(model, network, files),
        "config": {KEY: {"format_version": 1, "card": shared_card(card)}},
    }
    return described


def _input(model: Model, network: ExportedNetwork, files: Mapping[str, bytes]) -> dict[str, Any]:
    from ...tasks import get_task
    from .exporting import smallest

    card, scaling = model.card, get_task(model.card.task).scaling
    count = int(card.network["in_channels"])
    channels = list(card.channels) if len(card.channels) == count else [f"channel{n}" for n in range(count)]
    space = _space(card)
    axes: list[dict[str, Any]] = [{"type": "batch"}, {"type": "channel", "channel_names": channels}]
    for (axis, more), (step, _), least in zip(space, network.steps, smallest(network), strict=True):
        axes.append({"type": "space", "id": axis, "size": {"min": least, "step": step}, **more})
    low, high = scaling.clip
    return {
        "id": names.IMAGE,
        "description": "An image of any numeric type.",
        "axes": axes,
        "data": {"type": "float32"},
        "test_tensor": _file(names.TEST_INPUT, files),
        "preprocessing": [
            {
                "id": "scale_range",
                "kwargs": {
                    "axes": [axis for axis, _ in space],
                    "min_percentile": scaling.low,
                    "max_percentile": scaling.high,
                    "eps": _TINY,
                },
            },
            {"id": "clip", "kwargs": {"min": low, "max": high}},
        ],
    }


def _output(model: Model, network: ExportedNetwork, files: Mapping[str, bytes]) -> dict[str, Any]:
    card = model.card
    axes: list[dict[str, Any]] = [{"type": "batch"}, {"type": "channel", "channel_names": _maps(model, network.maps)}]
    for axis, more in _space(card):
        axes.append({"type": "space", "id": axis, "size": {"tensor_id": names.IMAGE, "axis_id": axis}, **more})
    return {
        "id": names.MAPS,
        "description": f"Maps of 0 to 1, which napari-aitrain decodes by its task {card.task}.",
        "axes": axes,
        "data": {"type": "float32", "range": [0.0, 1.0]},
        "test_tensor": _file(names.TEST_OUTPUT, files),
    }


def _weights(model: Model, network: ExportedNetwork, files: Mapping[str, bytes]) -> dict[str, Any]:
    import torch

    from ...nets.exported import CALLABLE

    image, seen = zip(*network.steps, strict=True)
    plain = json.loads(json.dumps(model.card.network))
    kwargs = {
        "network": plain,
        "maps": network.maps,
        "activation": network.activation,
        "image_steps": list(image),
        "network_steps": list(seen),
    }
    weights: dict[str, Any] = {
        "pytorch_state_dict": {
            **_file(names.WEIGHTS, files),
            "architecture": {**_file(names.SOURCE, files), "callable": CALLABLE, "kwargs": kwargs},
            "pytorch_version": torch.__version__.split("+")[0],
        }
    }
    if names.ONNX in files:
        weights["onnx"] = {**_file(names.ONNX, files), "opset_version": names.OPSET, "parent": "pytorch_state_dict"}
    return weights


def _space(card: ModelCard) -> list[tuple[str, dict[str, Any]]]:
    """Return the axes of space, each with its unit and the length of a voxel where that is known."""
    axes = ("z", "y", "x")
    sizes: list[dict[str, Any]] = [{}] * 3
    if card.voxel_size is not None:
        sizes = [{"unit": "nanometer", "scale": float(length)} for length in card.voxel_size]
    return list(zip(axes, sizes, strict=True))[3 - card.dims :]


def _maps(model: Model, count: int) -> list[str]:
    """Return what the maps are called."""
    task, card = model.task(), model.card
    if not task.instances:
        called = [card.class_names.get(number, f"class {number}") for number in card.classes]
        return called if len(set(called)) == count else [f"class {number}" for number in card.classes]
    if task.agglomerates:
        return [f"affinity {z} {y} {x}" for z, y, x in cast("AgglomeratingTask", task).offsets]
    return ["foreground", "distance", "border"] if count == 3 else [f"map {number}" for number in range(count)]


def _title(name: str) -> str:
    """Return a name as the catalogue takes it."""
    clean = re.sub(r"[^\w+\- ()]", "_", name, flags=re.ASCII).strip()[:128]
    return clean if len(clean) >= 5 else f"model {clean}"


def _sentence(card: ModelCard) -> str:
    kind = "slices" if card.dims == 2 else "volumes"
    said = f"Segments {kind} of microscopy images; trained with napari-aitrain for the task {card.task}."
    return f"{said} {sentence(card.comments)}".strip()


def _readme(model: Model, about: About) -> str:
    card = model.card
    metrics = {role: value for role, value in card.metrics.items() if isinstance(value, dict)}
    rows = [f"| {role} | {_figures(value)} |" for role, value in metrics.items()]
    table = "\n".join(["| boxes | figures |", "| --- | --- |", *rows]) if rows else "No figures were measured."
    voxel = "unknown" if card.voxel_size is None else " × ".join(f"{v:g}" for v in reversed(card.voxel_size)) + " nm"
    return f"""# {about.title or card.name}

{about.description or _sentence(card)}

- task: {card.task}, {card.dims}-D
- voxel size of the training (x, y, z): {voxel}
- steps: {card.steps}

The maps are decoded into objects or classes by napari-aitrain (`napari-aitrain models import` takes this file);
in other programs they can be looked at and thresholded as they are. An image that is run as a whole gives the same
numbers everywhere; for that no halo is declared. Run large images in tiles that overlap by {_overlap(model)} voxels.

# Validation

{table}

Predict images with ground truth that the model has not seen, and compare: `napari-aitrain evaluate`.
"""


def _figures(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value:.4g}" for key, value in sorted(values.items()) if isinstance(value, (int, float)))


def _overlap(model: Model) -> int:
    from ...nets import read_network

    return max(read_network(model.card.network).receptive_field)


def _file(name: str, files: Mapping[str, bytes]) -> dict[str, str]:
    return {"source": name, "sha256": _sha(files[name])}


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
