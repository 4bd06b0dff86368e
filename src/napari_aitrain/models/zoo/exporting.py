"""Export a model in the format of the BioImage Model Zoo: weights, source, tests and description in one zip."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...errors import ModelError
from ...volumes.atomic import atomic_file, refuse_existing, storage_errors
from ...volumes.normalisation import Normalisation
from ..folder import CARD
from ..model import WEIGHTS as WEIGHTS_HERE
from ..model import Model
from ..seen_test import SEEN_TEST
from .describing import About, describe
from .names import ONNX, OPSET, SOURCE, TEST_INPUT, TEST_OUTPUT, WEIGHTS
from .package import optional

if TYPE_CHECKING:
    from ...nets.exported import ExportedNetwork

FloatArray = npt.NDArray[np.float32]
TOLERANCE = 1e-4
"""How far maps may be from those here."""
_LEAST, _TEST = 32, 96
"""Extents in voxels: the smallest that is promised, and that of the test image, about."""


@dataclass(frozen=True)
class ExportedModel:
    """What was written.

    Parameters
    ----------
    path : Path
        The zip.
    formats : tuple of str
        Of weights: ``pytorch_state_dict``, and ``onnx`` where it holds.
    notes : tuple of str
        Sentences for people: what was left out, and why.
    """

    path: Path
    formats: tuple[str, ...]
    notes: tuple[str, ...] = ()


def export_bioimageio(
    model: Model,
    path: Path,
    about: About | None = None,
    *,
    sample: npt.NDArray[Any] | None = None,
    onnx: bool = True,
) -> ExportedModel:
    """Write a model as a zip that `bioimageio.core`, and programs that read the zoo, can run.

    Its maps there are those here, within `TOLERANCE`, for images that are predicted as a whole.

    Parameters
    ----------
    model : Model
        With a network of this package's own.
    path : Path
        A new zip.
    about : About, optional
        Name, description, authors, licence and more, for the catalogue.
    sample : ndarray, shape (c, z, y, x), optional
        A piece of an image for the test that goes with the model; made up if not given.
    onnx : bool
        Whether to write weights for ONNX too, where these give the same.

    Raises
    ------
    ModelError
        If the model has another network, its task another kind of maps, or packages are not installed.
    OutputExistsError
        If there is something at `path`.
    StorageError
        If it cannot be written.
    """
    path = Path(path)
    refuse_existing(path)
    network = exported_network(model)
    image = _test_image(model, sample)
    with np.errstate(all="ignore"):
        maps = run(network, normalised(model, image[0])[None])
    files: dict[str, bytes] = {
        WEIGHTS: _state(network),
        SOURCE: _source().encode(),
        TEST_INPUT: _npy(image),
        TEST_OUTPUT: _npy(maps),
    }
    notes: tuple[str, ...] = ()
    if onnx:
        written, notes = _onnx(network, model, image, maps)
        if written is not None:
            files[ONNX] = written
    with storage_errors(path), atomic_file(path, overwrite=False) as file:
        file.write(describe(model, about or About(), network, files))
    formats = ("pytorch_state_dict", *(("onnx",) if ONNX in files else ()))
    return ExportedModel(path, formats, (*notes, *_left_out(model)))


def _left_out(model: Model) -> tuple[str, ...]:
    """Return a note about what lies with the model and has no place in the zip, such as a classifier of objects."""
    own = {CARD, WEIGHTS_HERE, SEEN_TEST}
    names = sorted(p.name for p in model.folder.iterdir() if p.name not in own and not p.name.startswith("."))
    return (f"Left out, since the zoo has no place for it: {', '.join(names)}.",) if names else ()


def exported_network(model: Model) -> ExportedNetwork:
    """Return the model's network from a normalised image to maps.

    Raises
    ------
    ModelError
        If it is none of this package's own, or its maps are of a kind that cannot be described.
    """
    from ...nets import NetworkConfig, read_network
    from ...nets.exported import ExportedNetwork, activation_of
    from ...nets.scaled import whole_steps

    card = model.card
    config = None if model.remote else read_network(card.network)
    if not isinstance(config, NetworkConfig):
        raise ModelError(
            f"the model {card.name} has no network of napari-aitrain's own",
            "a model that was trained here from a U-Net",
            "a model of Cellpose is written with --format cellpose; one that came from the zoo is there already",
        )
    if card.script is not None:
        raise ModelError(
            f"the task of {card.name} is a script, which the format of the zoo has no place for",
            "a model of a task that comes with napari-aitrain or an installed package",
            "write it as one file: --format aitrain",
        )
    task = model.task()
    activation = activation_of(task.activate, config.heads, task.heads, card.dims)
    if activation is None:
        raise ModelError(
            f"the maps of the task {card.task} cannot be described in the format of the zoo",
            "a task whose maps are logistic functions or a softmax",
            "export it as a file of its own: --format aitrain",
        )
    multiple = (0, *config.multiple[1:]) if card.dims == 2 else config.multiple
    image, seen = whole_steps(card.scale, multiple) if card.scale != 1 else (config.multiple, config.multiple)
    first = 3 - card.dims
    network = ExportedNetwork(
        config.model_dump(mode="json"), task.heads, activation, list(image)[first:], list(seen)[first:]
    )
    network.net.load_state_dict(model.state_dict())
    return network.eval()


def normalised(model: Model, image: npt.NDArray[Any]) -> FloatArray:
    """Return an image, (c, *space), as the network sees it: normalised by its own percentiles, as at prediction."""
    from ...tasks import get_task

    return Normalisation.estimate(image.reshape(len(image), -1), get_task(model.card.task).scaling).apply(image)


def run(network: ExportedNetwork, image: FloatArray) -> FloatArray:
    """Return the maps of a batch."""
    import torch

    with torch.inference_mode():
        found: FloatArray = network(torch.from_numpy(image)).numpy()
    return found


def smallest(network: ExportedNetwork) -> list[int]:
    """Return the smallest extents that are promised, per axis of space."""
    return [-(-_LEAST // image) * image for image, _ in network.steps]


def _test_image(model: Model, sample: npt.NDArray[Any] | None) -> FloatArray:
    """Return a batch of one image, (1, c, *space), of extents that the network takes."""
    network, card = exported_network(model), model.card
    channels = int(card.network["in_channels"])
    steps = [image for image, _ in network.steps]
    if sample is None:
        shape = [max(step, round(_TEST / step) * step) for step in steps]
        if card.dims == 3:
            shape[0] = smallest(network)[0]
        return _made_up((channels, *shape))[None]
    values = np.asarray(sample, np.float32)
    if values.ndim != 4 or len(values) != channels:
        raise ModelError(
            f"the sample has the shape {values.shape}", f"c, z, y, x with {channels} channels", "choose other channels"
        )
    values = values[:, values.shape[1] // 2] if card.dims == 2 else values
    whole = [n // step * step for n, step in zip(values.shape[1:], steps, strict=True)]
    if any(n < least for n, least in zip(whole, smallest(network), strict=True)):
        raise ModelError(
            f"the sample of {values.shape[1:]} voxels is too small",
            f"at least {smallest(network)}",
            "give a larger one",
        )
    return np.ascontiguousarray(values[(slice(None), *(slice(0, n) for n in whole))])[None]


def _made_up(shape: tuple[int, ...]) -> FloatArray:
    """Return blobs in noise, 0 to 255."""
    from scipy.ndimage import gaussian_filter

    random = np.random.default_rng(0)
    smooth = np.stack([gaussian_filter(random.normal(size=shape[1:]), 4) for _ in range(shape[0])])
    blobs = 1 / (1 + np.exp(-60 * smooth))
    made: FloatArray = (40 + 160 * blobs + random.normal(0, 6, shape)).clip(0, 255).astype(np.float32)
    return made


def _state(network: ExportedNetwork) -> bytes:
    import torch

    file = io.BytesIO()
    torch.save(dict(network.state_dict()), file)
    return file.getvalue()


def _source() -> str:
    from ...nets.exported import exported_source

    return exported_source()


def _npy(array: FloatArray) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
    return file.getvalue()


def _onnx(
    network: ExportedNetwork, model: Model, image: FloatArray, maps: FloatArray
) -> tuple[bytes | None, tuple[str, ...]]:
    """Return the weights for ONNX if these give the same maps, also for an image of another size."""
    import torch

    write: Any = torch.onnx.export
    if any(image != seen for image, seen in network.steps):
        return None, ("Weights for ONNX were left out: ONNX cannot scale images as this model sees them.",)
    try:
        runtime = optional("onnxruntime")
        optional("onnx")
    except ModelError as error:
        return None, (f"Weights for ONNX were left out: {error.what}. To have them, {error.remedy}.",)
    seen = normalised(model, image[0])[None]
    space = ("z", "y", "x")[3 - model.card.dims :]
    names = {0: "batch", **{2 + number: axis for number, axis in enumerate(space)}}
    file = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            write(
                network, (torch.from_numpy(seen),), file, input_names=["image"], output_names=["maps"],
                dynamic_axes={"image": names, "maps": names}, opset_version=OPSET, dynamo=False,
            )  # fmt: skip
        session = runtime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
        small = seen[(slice(None), slice(None), *(slice(0, n) for n in smallest(network)))]
        for one, wanted in ((seen, maps), (small, run(network, np.ascontiguousarray(small)))):
            (found,) = session.run(None, {"image": np.ascontiguousarray(one)})
            if not np.allclose(found, wanted, rtol=0, atol=TOLERANCE):
                off = float(np.abs(found - wanted).max())
                return None, (f"Weights for ONNX were left out: their maps are off by {off:.2g}.",)
    except (RuntimeError, torch.onnx.OnnxExporterError, runtime.capi.onnxruntime_pybind11_state.Fail) as error:
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return None, (f"Weights for ONNX were left out, since the network cannot be written in it: {why[:200]}",)
    return file.getvalue(), ()
