"""Models with random weights, and a user's folder of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from napari_aitrain.models import Model, ModelCard, save_model
from napari_aitrain.nets import NetworkConfig, build_network
from napari_aitrain.tasks import make_task

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def private_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep whatever the package remembers about a person out of the tests."""
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Model]:
    """Return a function that saves a tiny model with random weights."""

    def make(dims: int = 2, seed: int = 0, task: str = "semantic", **card: Any) -> Model:
        made, flat = make_task(task), dims == 2
        network = NetworkConfig(
            dims=dims, in_channels=1, heads=made.heads + made.auxiliary_heads(dims), stem=(1, 2, 2), widths=(8, 8),
            pools=((1 if flat else 2, 2, 2),), kernels=((1 if flat else 3, 3, 3),) * 2,
        )  # fmt: skip
        torch.manual_seed(seed)
        about = {"name": f"tiny{seed}", "task": task, "dims": dims, "channels": ("0",)} | card
        about["network"] = network.model_dump(mode="json")
        return save_model(
            tmp_path / "models" / f"{task}{dims}-{seed}", ModelCard(**about), build_network(network).state_dict()
        )

    return make
