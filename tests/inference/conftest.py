"""Small models with random weights, images of blobs, and stores with maps as a perfect network would give them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_aitrain.inference.stages import Stages
from napari_aitrain.inference.store import MAPS, PredictionInfo, create_array
from napari_aitrain.models import Model, ModelCard, save_model
from napari_aitrain.nets import NetworkConfig, build_network
from napari_aitrain.tasks import make_task

torch.set_num_threads(1)


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Model]:
    """Return a function that saves a tiny model whose maps follow the intensity of the image."""

    def make(task: str, dims: int, *, channels: int = 1, name: str = "tiny", seed: int = 0, **card: Any) -> Model:
        heads = make_task(task).heads + make_task(task).auxiliary_heads(dims)
        flat = dims == 2
        network = NetworkConfig(
            dims=dims, in_channels=channels, heads=heads, stem=(1, 2, 2), widths=(8, 8),
            pools=((1 if flat else 2, 2, 2),), kernels=((1 if flat else 3, 3, 3),) * 2,
        )  # fmt: skip
        torch.manual_seed(seed)
        module = build_network(network)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.mul_(1.5)
        made = ModelCard(
            task=task, dims=dims, name=name, network=network.model_dump(mode="json"),
            channels=card.pop("names", tuple(str(i) for i in range(channels))), **card,
        )  # fmt: skip
        return save_model(tmp_path / "models" / f"{name}-{task}{dims}-{seed}", made, module.state_dict())

    return make


def draw_blobs(shape: tuple[int, int, int], count: int, radius: float, seed: int, gap: float = 0) -> np.ndarray:
    """Return int32 ids of balls; where two meet the nearer centre has the voxel."""
    generator = np.random.default_rng(seed)
    centres: list[np.ndarray] = []
    for _ in range(20 * count):
        centre = generator.uniform(0, shape) if shape[0] > 1 else np.array([0, *generator.uniform(0, shape[1:])])
        if all(np.linalg.norm(centre - c) > 1.5 * radius + gap for c in centres) and len(centres) < count:
            centres.append(centre)
    grid = np.indices(shape).transpose(1, 2, 3, 0)
    nearest, labels = np.full(shape, radius), np.zeros(shape, np.int32)
    for number, centre in enumerate(centres, start=1):
        distance = np.sqrt(((grid - centre) ** 2).sum(axis=-1))
        labels[distance < nearest] = number
        nearest = np.minimum(nearest, distance)
    return labels


@pytest.fixture(scope="session")
def blobs() -> Callable[..., np.ndarray]:
    return draw_blobs


@pytest.fixture(scope="session")
def perfect_stages() -> Callable[..., Stages]:
    """Return a function that makes stages whose maps are done."""

    def make(
        store: Path, maps: np.ndarray, task: str, dims: int, block: tuple[int, int, int], overlap: tuple[int, int, int]
    ) -> Stages:
        made, shape = make_task(task), maps.shape[1:]
        info = PredictionInfo(
            model_name="perfect", model_fingerprint="", image="", image_fingerprint="", channels=("0",), task=task,
            instances=made.instances, classes=made.classes, dims=dims, heads=len(maps), magnification=(1, 1, 1),
            start=(0, 0, 0), shape=shape, voxel_size=None, low=(0.0,), high=(1.0,), multiple=(1, 1, 1), halo=(0, 0, 0),
            overlap=overlap, network_block=shape, decode_block=block, threshold=0.5,
        )  # fmt: skip
        store.mkdir()
        create_array(store / MAPS, maps.shape, maps.shape, np.uint8)[...] = maps
        return Stages(store, info, made)

    return make


@pytest.fixture(autouse=True)
def private_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep whatever the package remembers about a person out of the tests."""
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
