"""A starter model of a few thousand weights, trained within seconds on computed balls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from napari_aitrain.models import Model, ModelCard, save_model
from napari_aitrain.nets import NetworkConfig, build_network
from napari_aitrain.tasks import make_task
from napari_aitrain.volumes import Normalisation

DIAMETER = 12.0
SHAPES = {2: (1, 128, 128), 3: (16, 32, 32)}


def balls(shape: tuple[int, int, int], diameter: float, seed: int = 0, gap: float = 1.3) -> np.ndarray:
    """Return labels of discs or balls on a jittered lattice, shape (z, y, x)."""
    random = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    step, places = gap * diameter, []
    ticks = [np.arange(step / 2, n - step / 4, step) if n > 1 else np.zeros(1) for n in shape]
    for place in np.stack(np.meshgrid(*ticks, indexing="ij"), -1).reshape(-1, 3):
        places.append(place + random.uniform(-0.1, 0.1, 3) * diameter * (np.array(shape) > 1))
    grid = np.indices(shape).transpose(1, 2, 3, 0)
    for number, place in enumerate(places, start=1):
        labels[((grid - place) ** 2).sum(axis=-1) <= (diameter / 2) ** 2] = number
    return labels


def photographed(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return a noisy image of labels, float32."""
    return (100 + 900 * (labels > 0) + np.random.default_rng(seed).normal(0, 40, labels.shape)).astype(np.float32)


def make_starter(folder: Path, dims: int = 2, steps: int = 100) -> Model:
    """Train a model of objects of `DIAMETER` voxels, and save it."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    task = make_task("instances")
    flat = dims == 2
    config = NetworkConfig(
        dims=dims, in_channels=1, heads=task.heads + task.auxiliary_heads(dims),
        stem=(1 if flat else 2, 2, 2), widths=(16, 24) if flat else (8, 16),
        pools=((1 if flat else 2, 2, 2),), kernels=((1 if flat else 3, 3, 3),) * 2,
    )  # fmt: skip
    labels = balls(SHAPES[dims], DIAMETER)
    raw = photographed(labels)[None]
    image = torch.from_numpy(Normalisation.estimate(raw).apply(raw))
    made = task.prepare(labels, np.ones(labels.shape, bool), None, dims)
    values, weight = torch.from_numpy(made.values), torch.from_numpy(made.weight)[None]
    if flat:
        image, values, weight = image[:, 0], values[:, 0], weight[:, 0]
    module = build_network(config).train()
    optimiser = torch.optim.AdamW(module.parameters(), 1e-2)
    for _ in range(steps):
        optimiser.zero_grad()
        task.loss(module(image[None]), values[None], weight[None]).backward()
        optimiser.step()
    card = ModelCard(
        name=folder.name, task="instances", task_settings=task.settings.model_dump(), dims=dims, channels=("0",),
        network=config.model_dump(mode="json"), diameter=DIAMETER,
    )  # fmt: skip
    return save_model(folder, card, module.state_dict())
