"""A small training set on disk, and a way to run a training within the test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from napari_aitrain.annotation.boxes import Box
from napari_aitrain.training.config import Source, TrainConfig
from napari_aitrain.training.loop import BEHIND_FOREST, run_training


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def disks(shape: tuple[int, int], seed: int, ids: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return a noisy image of bright disks, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint16)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    for number in range(1, 1 + shape[0] * shape[1] // 500):
        at = rng.uniform(5, np.subtract(shape, 5))
        inside = (rows - at[0]) ** 2 + (columns - at[1]) ** 2 < rng.uniform(4, 7) ** 2
        labels[inside & (labels == 0)] = number
    image = rng.normal(20 + 100 * (labels > 0), 8).clip(0, 255).astype(np.uint8)
    return image, labels if ids else (labels > 0).astype(np.uint16)


@pytest.fixture
def make_config(tmp_path: Path) -> Callable[..., TrainConfig]:
    """Return a factory of configs for two small images on disk."""

    def make(task: str = "instances", **settings: Any) -> TrainConfig:
        sources = []
        for seed, role in enumerate(("train", "validation")):
            image, labels = disks((96, 96), seed, ids=task == "instances")
            tifffile.imwrite(tmp_path / f"image {seed}.tif", image)
            tifffile.imwrite(tmp_path / f"läbels {seed}.tif", labels)
            box = Box(start=(0, 0, 0), stop=(1, 96, 96), role=role)
            sources.append(
                Source(image=tmp_path / f"image {seed}.tif", labels=tmp_path / f"läbels {seed}.tif", boxes=(box,))
            )
        base = {"steps": 4, "patch_shape": (1, 64, 64), "batch_size": 2, "precision": "float32", "network": "small",
                "start_from": "scratch"}  # fmt: skip
        return TrainConfig(task=task, sources=tuple(sources), **(base | settings))

    return make


class Run:
    """One training, with the events it gave and messages for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.when: Callable[[Run], list[dict[str, Any]]] = lambda run: []

    def __call__(self, config: TrainConfig) -> "Run":
        self.folder.mkdir(exist_ok=True)

        def emit(kind: str, **data: Any) -> None:
            self.events.append((kind, data))

        run_training(self.folder, config, emit, lambda: self.when(self))
        return self

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the data of all events of a kind."""
        return [data for k, data in self.events if k == kind]

    def warnings(self) -> list[str]:
        """Return what was warned of, but for the one that so short a training nearly always ends with."""
        return [data["message"] for data in self.of("warning") if data["message"] != BEHIND_FOREST]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[str], Run]:
    """Return a factory of runs, each in a folder of this name."""
    return lambda name: Run(tmp_path / name)
