"""Models of others: their weights run as they are, and their answers become the maps of a task."""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from ...errors import ModelError
from ...nets.zoo_config import ZooConfig
from ...volumes.atomic import atomic_write_text, storage_errors
from ..adding import arriving
from ..card import ModelCard
from ..folder import CARD, load_model
from ..model import Model
from .description import checked_file, read_array
from .package import optional
from .tensors import Tensors, read_after, read_before, read_tensors, refused

FloatArray = npt.NDArray[np.float32]
OFF, MANY = 2e-2, 0.01
"""A test has failed if more than so many of its values are off by more than that."""
_INSIDE = re.compile(r"fore|\bfg\b|inside|mask|nucle|cell|object|organoid|mito|semantic", re.IGNORECASE)
_RIM = re.compile(r"bound|border|edge|rim|contour|membrane|outline", re.IGNORECASE)
_KEPT = ("README.md", "readme.md", "LICENSE", "LICENSE.md")


@dataclass(frozen=True)
class Wanted:
    """As what a model of somebody else is to be used; what is not given follows from the names of its maps.

    Parameters
    ----------
    task : {'instances', 'semantic'}, optional
        Objects, or classes of voxels.
    foreground, border : int, optional
        Of objects, which channels of the answer say where they are, and where their borders are, from 0.
    """

    task: Literal["instances", "semantic"] | None = None
    foreground: int | None = None
    border: int | None = None


def take_foreign(described: Path, description: Any, name: str | None, wanted: Wanted) -> Model:
    """Put a model of somebody else into the store.

    Parameters
    ----------
    described : Path
        The file of its description.
    description : ModelDescr
        What is in it.
    name : str, optional
        In the store.
    wanted : Wanted
        As what it is to be used.

    Raises
    ------
    ModelError
        If it cannot be run here, or its test gives something else.
    """
    folder = described.parent
    file, source = _weights(folder, description)
    tensors = read_tensors(description)
    config = _network_of(description, tensors, file)
    with arriving(name or str(description.name)) as one:
        with storage_errors(one.folder):
            one.folder.mkdir()
        _copy_weights(source, one.folder / file, description)
        shares, note = _test(config, one.folder / file, folder, description, tensors)
        chosen = _guess(wanted, tensors.answers, f"{description.name} {' '.join(description.tags)}")
        config, task, classes, names = _used_as(config, chosen, tensors.answers, shares)
        card = ModelCard(
            name=name or str(description.name),
            task=task,
            classes=classes,
            class_names=names,
            dims=config.dims,
            channels=tensors.channels,
            network=config.model_dump(mode="json"),
            voxel_size=tensors.voxel_size,
            # Nothing fitted its scores, so everything is shown.
            threshold=0.0 if task == "instances" else 0.5,
            comments=_comments(description, note),
            weights_sha256=_sha(one.folder / file),
        )
        atomic_write_text(one.folder / CARD, card.model_dump_json(indent=2))
        with storage_errors(one.folder):
            kept = one.folder / "zoo"
            kept.mkdir()
            for path in [described, *(folder / n for n in _KEPT if (folder / n).is_file())]:
                shutil.copyfile(path, kept / path.name)
    return load_model(one.placed)


def _weights(folder: Path, description: Any) -> tuple[Literal["weights.onnx", "weights.torchscript"], Path]:
    """Choose the weights that run here; ONNX only computes, so it comes first."""
    weights = description.weights
    if weights.onnx is not None and (weights.torchscript is None or importlib.util.find_spec("onnxruntime")):
        return "weights.onnx", checked_file(folder, weights.onnx)
    if weights.torchscript is not None:
        return "weights.torchscript", checked_file(folder, weights.torchscript)
    if weights.pytorch_state_dict is not None:
        raise ModelError(
            f"{description.name} has weights for PyTorch alone, which need a Python program that came with the model",
            "weights for ONNX or TorchScript, which are run without somebody else's program",
            "if you trust it, convert it where that program may run (bioimageio add-weights), and import the result",
        )
    raise refused("its weights are for TensorFlow or Keras", "weights for ONNX or TorchScript")


def _network_of(description: Any, tensors: Tensors, file: Literal["weights.onnx", "weights.torchscript"]) -> ZooConfig:
    """Return what is known of a network from its description."""
    before, after = read_before(description, tensors), read_after(description, tensors)
    try:
        return ZooConfig(
            dims=2 if tensors.dims == 2 else 3,
            in_channels=len(tensors.channels),
            file=file,
            inputs=tensors.inputs,
            outputs=tensors.outputs,
            answer=tensors.answer,
            dtype=tensors.dtype,
            sizes=tensors.sizes,
            halo=tensors.halo,
            before=before,
            after=after,
        )
    except ValidationError as error:
        raise refused(error.errors()[0]["msg"], "a model that segments slices or volumes") from error


def _copy_weights(source: Path, target: Path, description: Any) -> None:
    with storage_errors(target):
        if target.suffix != ".onnx":
            shutil.copyfile(source, target)
            return
    onnx: Any = optional("onnx")
    helper: Any = optional("onnx.external_data_helper")
    broken = optional("google.protobuf.message").DecodeError
    try:
        model = onnx.load(source, load_external_data=False)
        outside = any(helper.uses_external_data(tensor) for tensor in helper._get_all_tensors(model))
        if outside and description.weights.onnx.external_data is not None:
            checked_file(source.parent, description.weights.onnx.external_data)
            model = onnx.load(source)
    except ModelError:
        raise
    except (broken, ValueError, OSError, RuntimeError, onnx.checker.ValidationError) as error:
        raise ModelError(f"{source.name} is no whole ONNX file", "a network", "get the model again") from error
    if outside and description.weights.onnx.external_data is None:
        raise ModelError(
            f"{source.name} names another file, which its description does not",
            "a model that is whole",
            "get the model again, from somebody you trust",
        )
    with storage_errors(target):
        onnx.save_model(model, target) if outside else shutil.copyfile(source, target)


def _test(config: ZooConfig, path: Path, folder: Path, description: Any, tensors: Tensors) -> tuple[bool, str]:
    """Run the test that came with the model; return whether its answer holds shares, and what is to be told."""
    import torch

    from ...nets.zoo import ZooNetwork

    image = next(tensor for tensor in description.inputs if not tensor.optional)
    given = read_array(folder, image.test_tensor)
    wanted = read_array(folder, description.outputs[tensors.answer].test_tensor)
    network = ZooNetwork(config, path)
    if given is None or given.ndim != len(tensors.inputs):
        return True, "It came without a test, so nobody knows whether it gives here what it gives elsewhere."
    sample = np.asarray(_arranged(given, tensors.inputs), np.float64)
    if len(sample) != config.in_channels:
        raise refused(f"its test image has {len(sample)} channels", f"{config.in_channels}, as it says")
    seen = config.normalisation(sample.reshape(len(sample), -1)).apply(sample)
    with torch.inference_mode():
        found: FloatArray = network.answer(torch.from_numpy(seen)).numpy()
    if len(found) != len(tensors.answers):
        raise refused(f"it gives {len(found)} channels", f"{len(tensors.answers)}, as it says")
    shares = bool(np.isfinite(found).all() and found.min() >= -1e-4 and found.max() <= 1 + 1e-4)
    if wanted is None or wanted.ndim != len(tensors.outputs):
        return shares, "It came without the answer to its test."
    there = np.asarray(_arranged(wanted, tensors.outputs), np.float32)
    if there.shape != found.shape:
        return shares, "The answer to its test has another size, and was not compared."
    off = np.abs(there - found) / np.maximum(1, np.abs(there))
    if float((off > OFF).mean()) > MANY or not np.isfinite(found).all():
        raise ModelError(
            f"{description.name} gives other values here than its test says (up to {float(off.max()):.2g} off)",
            "the values that it gave where it was made",
            "it may need steps that are not known here; use it in bioimageio.core, ilastik or deepImageJ",
        )
    return shares, f"Its test gave the same here, within {float(off.max()):.2g}."


def _arranged(array: npt.NDArray[Any], axes: str) -> npt.NDArray[Any]:
    """Return the first item of a batch as (channels, *space)."""
    if "b" in axes:
        array, axes = array.take(0, axis=axes.index("b")), axes.replace("b", "")
    if "c" not in axes:
        array, axes = array[None], "c" + axes
    order = [axis for axis in "czyx" if axis in axes]
    return array.transpose([axes.index(axis) for axis in order])


def _used_as(
    config: ZooConfig, chosen: Wanted, answers: Sequence[str], shares: bool
) -> tuple[ZooConfig, str, tuple[int, ...], dict[int, str]]:
    """Return the network with maps of a task, the task, its classes and their names."""
    for number in (chosen.foreground, chosen.border):
        if number is not None and not 0 <= number < len(answers):
            raise ModelError(
                f"the model has no channel {number}", f"0 to {len(answers) - 1}: {', '.join(answers)}", "choose another"
            )
    changed: dict[str, Any] = {"shares": shares}
    if chosen.task == "instances":
        inside = chosen.foreground or 0
        # Without a map of distances the foreground stands for it, which the border cuts.
        maps = (inside, inside, chosen.border)
        return config.model_copy(update={**changed, "maps": maps}), "instances", (0, 1), {}
    if len(answers) == 1:
        changed |= {"maps": (-1, 0), "classes": True}
        if not shares:
            # Softmax of two opposite values is the logistic function of their difference.
            changed |= {"after": (*config.after, _halved())}
        return config.model_copy(update=changed), "semantic", (0, 1), {0: "background", 1: answers[0]}
    numbers = tuple(range(len(answers)))
    return (
        config.model_copy(update={**changed, "maps": numbers, "classes": True}),
        "semantic",
        numbers,
        dict(zip(numbers, answers, strict=True)),
    )


def _guess(wanted: Wanted, answers: Sequence[str], about: str) -> Wanted:
    """Return what is wanted, with what follows from the names of channels; of a single one also from the model's."""
    rims = [number for number, name in enumerate(answers) if _RIM.search(name)]
    insides = [number for number, name in enumerate(answers) if _INSIDE.search(name) and number not in rims]
    task = wanted.task
    if task is None:
        chosen = wanted.foreground is not None or wanted.border is not None
        alone = len(answers) == 1 and not rims and bool(insides or _INSIDE.search(about)) and not _RIM.search(about)
        task = "instances" if chosen or (insides and rims) or alone else "semantic"
    if task == "semantic":
        return replace(wanted, task=task)
    rest = [number for number in range(len(answers)) if number not in rims]
    foreground = wanted.foreground if wanted.foreground is not None else next(iter([*insides, *rest]), 0)
    border = wanted.border if wanted.border is not None else next((n for n in rims if n != foreground), None)
    return Wanted(task, foreground, border)


def _halved() -> Any:
    from ...nets.zoo_config import Linear

    return Linear(gain=(0.5,), offset=(0.0,))


def _comments(description: Any, note: str) -> str:
    authors = ", ".join(str(author.name) for author in description.authors)
    said = [
        f"{description.name}, a model in the format of the BioImage Model Zoo"
        + (f" by {authors}" if authors else "")
        + (f"; licence {description.license}." if description.license else "."),
        str(description.description or ""),
        note,
    ]
    cited = [str(entry.doi or entry.url) for entry in description.cite if entry.doi or entry.url]
    return "\n".join([*(one for one in said if one), *([f"To cite: {', '.join(cited)}"] if cited else [])])


def _sha(path: Path) -> str:
    import hashlib

    with storage_errors(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
