"""A model folder with small random weights, and an image of bright blobs that it segments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_aitrain.models import Model, ModelCard, save_model
from napari_aitrain.nets import NetworkConfig, build_network

torch.set_num_threads(1)


def config(dims: int, heads: int, channels: int = 1) -> NetworkConfig:
    flat = dims == 2
    return NetworkConfig(
        dims=dims, in_channels=channels, heads=heads, stem=(1, 2, 2), widths=(8, 8),
        pools=((1 if flat else 2, 2, 2),), kernels=((1 if flat else 3, 3, 3),) * 2,
    )  # fmt: skip


def make_model(folder: Path, task: str, dims: int, *, heads: int, channels: int = 1, **card: object) -> Model:
    torch.manual_seed(0)
    network = config(dims, heads, channels)
    fields = {"name": "tiny", "channels": tuple(str(i) for i in range(channels)), **card}
    made = ModelCard(task=task, dims=dims, network=network.model_dump(mode="json"), **fields)
    return save_model(folder, made, build_network(network).state_dict())


def blobs(shape: tuple[int, int, int], count: int, radius: float, seed: int = 0) -> np.ndarray:
    """Return an image, uint16, of balls that may touch, one channel."""
    generator = np.random.default_rng(seed)
    image = generator.normal(200, 20, shape)
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    for _ in range(count):
        centre = [generator.uniform(0, n) for n in shape]
        inside = sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)) < radius**2
        image[inside] += 800
    return image.clip(0).astype(np.uint16)


@pytest.fixture(scope="session")
def instances_model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return make_model(tmp_path_factory.mktemp("models") / "instances", "instances", 2, heads=3)
