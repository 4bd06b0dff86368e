"""A user's folder of the test's own, and small trainings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_aitrain.jobs import JobFolder
from napari_aitrain.training.config import TrainConfig
from napari_aitrain.training.config_file import parse_config


@pytest.fixture(autouse=True)
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path / "home"


@pytest.fixture
def make_config(tmp_path: Path) -> Callable[..., TrainConfig]:
    """Return a factory of configs of a training that takes a few quick steps."""

    def make(**settings: Any) -> TrainConfig:
        rng = np.random.default_rng(0)
        labels = np.kron(np.arange(1, 17).reshape(4, 4) * (np.indices((4, 4)).sum(0) % 2), np.ones((24, 24)))
        image = rng.normal(50 + 80 * (labels > 0), 8).clip(0, 255).astype(np.uint8)
        tifffile.imwrite(tmp_path / "bild ü.tif", image)
        tifffile.imwrite(tmp_path / "labels.tif", labels.astype(np.uint8))
        source = {"image": tmp_path / "bild ü.tif", "labels": tmp_path / "labels.tif"}
        quick = {"steps": 3, "batch_size": 1, "patch_shape": (1, 64, 64), "precision": "float32", "network": "small",
                 "start_from": "scratch"}  # fmt: skip
        return parse_config({"sources": [source], **quick, **settings})

    return make


@pytest.fixture
def make_job(tmp_path: Path, make_config: Callable[..., TrainConfig]) -> Callable[..., JobFolder]:
    """Return a factory of jobs by name."""

    def make(name: str = "job α", **settings: Any) -> JobFolder:
        return JobFolder.create(make_config(**settings), tmp_path / "jobs" / name)

    return make
