"""Predictions that are asked for with the mouse in the Review dock, made by a real worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from napari_aitrain.annotation.world import WorldBox
from napari_aitrain.gui.jobs import center as center_module
from napari_aitrain.gui.review.dock import ReviewDock
from napari_aitrain.models import ModelCard, save_model
from napari_aitrain.models.model import WEIGHTS
from napari_aitrain.nets import NetworkConfig, build_network

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def shown() -> bool:
    return False


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    messages: list[str] = []
    monkeypatch.setattr(center_module, "report", lambda error: messages.append(str(error)))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return messages


@pytest.fixture
def model(home: Path) -> Path:
    """A model in the store that tells two classes apart, badly."""
    network = NetworkConfig(
        dims=2, in_channels=1, heads=2, stem=(1, 2, 2), widths=(8, 8), pools=((1, 2, 2),), kernels=((1, 3, 3),) * 2
    )
    torch.manual_seed(0)
    card = ModelCard(
        task="semantic", dims=2, name="tiny", network=network.model_dump(mode="json"), channels=("0",),
        class_names={0: "background", 1: "membrane"},
    )  # fmt: skip
    folder = home / "models" / "tiny" / "v1"
    save_model(folder, card, build_network(network).state_dict())
    return folder


@pytest.fixture
def open_dock(viewer: Any, session: Any, model: Path, tmp_path: Path, told: Any, hand: Any) -> Any:
    """Return a function that opens an image from a file, and the dock with the model chosen."""

    def make(shape: tuple[int, int, int]) -> ReviewDock:
        path = tmp_path / "cells.tif"
        tifffile.imwrite(path, np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8))
        viewer.open(str(path), plugin="napari", layer_type="image")
        dock = ReviewDock(viewer)
        viewer.window.add_dock_widget(dock, name="Review")
        session.predictions.set_model(model)
        return dock

    return make


@pytest.mark.parametrize(
    ("where", "start", "shape"),
    [("view", (3, 0, 0), (1, 96, 128)), ("box", (1, 8, 16), (4, 40, 48)), ("volume", (0, 0, 0), (6, 96, 128))],
)
def test_a_press_predicts_what_it_says(
    viewer: Any, session: Any, open_dock: Any, hand: Any, wait_for: Any, told: Any, where: Any, start: Any, shape: Any
) -> None:
    dock = open_dock((6, 96, 128))
    image = viewer.layers[0]
    viewer.reset_view()
    viewer.dims.set_current_step(0, 3)
    assert not dock.view.predict.buttons["box"].isEnabled()
    session.boxes.add(WorldBox(start=(0.5, 7.5, 15.5), stop=(4.5, 47.5, 63.5), image=image.name))
    hand.click(dock.view.predict.buttons[where])
    runs = session.predictions.runs
    assert not dock.view.predict.buttons[where].isEnabled()
    wait_for(lambda: not runs.preparing and runs.running() is None, 200, "the prediction")
    wait_for(lambda: (one := session.predictions.current) and not one.growing, 60, "its layer")
    current = session.predictions.current
    assert (current.placement.start, current.whole.shape) == (start, shape)
    layer = current.layer.layer
    assert layer in viewer.layers
    assert layer.translate.tolist() == list(start)
    assert dict(current.class_names) == {0: "background", 1: "membrane"}
    assert dock.view.predict.buttons[where].isEnabled()
    assert not dock.view.predict.trouble.text()
    assert told == []


def test_a_prediction_is_cancelled_on_its_way(
    session: Any, open_dock: Any, hand: Any, wait_for: Any, told: Any
) -> None:
    dock = open_dock((120, 512, 512))
    hand.click(dock.view.predict.buttons["volume"])
    runs = session.predictions.runs
    run = wait_for(lambda: (one := runs.running()) and one.done and one, 200, "a block")
    row = dock.view.predict.rows[str(run.job.path)]
    hand.click(row.buttons["stop"])
    wait_for(lambda: runs.running() is None, 100, "the end")
    # Where a block takes longer than people wait, the worker is ended.
    assert session.jobs.state(run.job) in ("stopped", "interrupted")
    assert run.fraction < 1
    assert not row.buttons["resume"].isHidden()
    assert dock.view.predict.buttons["volume"].isEnabled()
    assert told == []


def test_one_that_fails_says_why_where_it_was_asked_for(
    session: Any, open_dock: Any, hand: Any, wait_for: Any, told: Any, model: Path
) -> None:
    dock = open_dock((2, 96, 128))
    (model / WEIGHTS).write_bytes(b"rubbish")
    hand.click(dock.view.predict.buttons["volume"])
    wait_for(lambda: dock.view.predict.trouble.text(), 60, "trouble")
    assert "checksum" in dock.view.predict.trouble.text()
    assert len(told) == 1
    assert session.predictions.runs.running() is None
    assert dock.view.predict.buttons["volume"].isEnabled()
    hand.click(dock.view.predict.buttons["volume"])
    assert not dock.view.predict.trouble.text()
    wait_for(lambda: len(told) == 2, 60, "the same again")
