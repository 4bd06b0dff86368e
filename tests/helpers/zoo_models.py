"""Small models: of this package's own, and of others in the format of the BioImage Model Zoo."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor, nn

from napari_aitrain import nets
from napari_aitrain.models import Model, ModelCard, save_model


def small_network(dims: int, heads: int, channels: int = 1) -> dict[str, Any]:
    """Return the config of a U-Net of two levels."""
    depth = 1 if dims == 2 else 2
    return {
        "dims": dims,
        "in_channels": channels,
        "heads": heads,
        "stem": (1, 2, 2),
        "widths": (4, 8),
        "pools": ((depth, 2, 2),),
        "kernels": ((1 if dims == 2 else 3, 3, 3),) * 2,
    }


def own_model(folder: Path, dims: int = 2, task: str = "instances", **card: Any) -> Model:
    """Save a model with random weights and running figures."""
    heads = 3 + dims if task == "instances" else 3
    config = small_network(dims, heads, len(card.get("channels", "0")))
    torch.manual_seed(0)
    network = nets.build_network(nets.NetworkConfig.model_validate(config))
    for part in network.modules():
        if isinstance(part, (nn.BatchNorm2d, nn.BatchNorm3d)):
            part.running_mean.normal_(0, 0.2)
            part.running_var.uniform_(0.5, 2)
    values = {"name": "my model", "classes": (0, 1) if task == "instances" else (0, 3, 7), **card}
    made = ModelCard(task=task, dims=dims, network=config, **values)
    return save_model(folder, made, network.state_dict())


class Theirs(nn.Module):
    """Somebody else's network: foreground and border of what is bright."""

    def __init__(self, dims: int = 2, outputs: int = 2) -> None:
        super().__init__()
        conv = nn.Conv2d if dims == 2 else nn.Conv3d
        self.first, self.last = conv(1, 4, 3, padding=1), conv(4, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return raw output."""
        return self.last(self.first(x).relu())


def their_package(
    folder: Path,
    *,
    dims: int = 2,
    kinds: tuple[str, ...] = ("onnx",),
    outputs: tuple[str, ...] = ("foreground", "boundary"),
    preprocessing: list[dict[str, Any]] | None = None,
    postprocessing: list[dict[str, Any]] | None = None,
    size: Any = None,
    halo: int = 4,
) -> Path:
    """Write a model of somebody else's as a folder; its test is what PyTorch gives."""
    folder.mkdir()
    torch.manual_seed(1)
    network = Theirs(dims, len(outputs)).eval()
    shape = (16, 24, 32)[3 - dims :] if size is None or isinstance(size, dict) else (size,) * dims
    image = np.random.default_rng(0).normal(100, 20, (1, 1, *shape)).astype(np.float32)
    if preprocessing is None:
        preprocessing = [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["channel", *"zyx"[3 - dims :]]}}]
    if postprocessing is None:
        postprocessing = [{"id": "sigmoid"}]
    seen = prepared(image, preprocessing)
    with torch.inference_mode():
        answer = network(torch.from_numpy(seen))
        for step in postprocessing:
            answer = answer.sigmoid() if step["id"] == "sigmoid" else answer.softmax(1)
    np.save(folder / "input.npy", image)
    np.save(folder / "output.npy", answer.numpy())
    save_weights(folder, network, torch.from_numpy(seen), kinds)
    space = "zyx"[3 - dims :]
    entries: dict[str, Any] = {}
    if "onnx" in kinds:
        entries["onnx"] = {"source": "w.onnx", "opset_version": 18}
    if "torchscript" in kinds:
        entries["torchscript"] = {"source": "w.ts", "pytorch_version": "2.5"}
    if "pytorch_state_dict" in kinds:
        (folder / "net.py").write_text("raise SystemExit('somebody else\\'s program was run')\n")
        entries["pytorch_state_dict"] = {
            "source": "w.pt",
            "pytorch_version": "2.5",
            "architecture": {"source": "net.py", "callable": "Net", "kwargs": {}},
        }
    for entry, parent in zip([*entries.values()][1:], entries, strict=False):
        entry["parent"] = parent
    described = {
        "format_version": "0.5.4",
        "type": "model",
        "name": "Their nuclei model",
        "description": "Nuclei.",
        "authors": [{"name": "Ada"}],
        "license": "MIT",
        "cite": [{"text": "a paper", "doi": "10.1038/s41592-020-01018-x"}],
        "inputs": [
            {
                "id": "raw",
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "channel_names": ["dapi"]},
                    *({"type": "space", "id": a, "size": size or {"min": 16, "step": 8}} for a in space),
                ],
                "test_tensor": {"source": "input.npy"},
                "preprocessing": preprocessing,
            }
        ],
        "outputs": [
            {
                "id": "probability",
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "channel_names": list(outputs)},
                    *(
                        {"type": "space", "id": a, "size": {"tensor_id": "raw", "axis_id": a}}
                        | ({"halo": halo} if halo and size is None else {})
                        for a in space
                    ),
                ],
                "test_tensor": {"source": "output.npy"},
                "postprocessing": postprocessing,
            }
        ],
        "weights": entries,
    }
    (folder / "rdf.yaml").write_text(yaml.safe_dump(described, sort_keys=False))
    return folder


def prepared(image: np.ndarray[Any, Any], steps: list[dict[str, Any]]) -> np.ndarray[Any, Any]:
    """Return an image after the steps that tests use, written out."""
    values = image.astype(np.float64)
    for step in steps:
        kwargs = step.get("kwargs", {})
        if step["id"] == "zero_mean_unit_variance":
            values = (values - values.mean()) / (values.std() + 1e-6)
        elif step["id"] == "scale_linear":
            values = values * kwargs["gain"] + kwargs["offset"]
        elif step["id"] == "scale_range":
            low, high = np.percentile(values, (kwargs["min_percentile"], kwargs["max_percentile"]))
            values = (values - low) / (high - low + 1e-6)
        elif step["id"] == "clip":
            values = values.clip(kwargs["min"], kwargs["max"])
    return values.astype(np.float32)


def save_weights(folder: Path, network: nn.Module, image: Tensor, kinds: tuple[str, ...]) -> None:
    """Write weights of the kinds that are wanted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "onnx" in kinds:
            axes = {0: "b", **{n: f"a{n}" for n in range(2, image.ndim)}}
            torch.onnx.export(
                network, (image,), folder / "w.onnx", input_names=["x"], output_names=["y"],
                dynamic_axes={"x": axes, "y": axes}, opset_version=18, dynamo=False,
            )  # fmt: skip
        if "torchscript" in kinds:
            torch.jit.trace(network, image).save(folder / "w.ts")
        if "pytorch_state_dict" in kinds:
            torch.save(network.state_dict(), folder / "w.pt")
