"""What a training starts from, in the Train dock."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtTest import QTest
from tiny_starter import balls, make_starter, photographed

from napari_aitrain.annotation.world import WorldBox
from napari_aitrain.models import save_model, starters

WaitFor = Callable[..., Any]


@pytest.fixture
def starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_starter(tmp_path / "made", steps=1)
    card = made.card.model_copy(update={"comments": "2-D nuclei in fluorescence."})
    save_model(tmp_path / "starters" / "nuclei-2d", card, made.state_dict(), precision="float16")
    monkeypatch.setattr(starters, "FOLDER", tmp_path / "starters")


def add_truth(session: Any, diameter: float) -> None:
    labels = balls((1, 256, 256), diameter, gap=1.3)[0]
    session.viewer.add_image(photographed(labels).clip(0), name="nuclei")
    session.truths.create("nuclei", "instances").data = labels
    for role, x in (("train", 0), ("validation", 128)):
        box = WorldBox(start=(-0.5, -0.5, x - 0.5), stop=(0.5, 255.5, x + 127.5), image="nuclei", name=role, role=role)
        session.boxes.add(box)


def test_the_dock_says_what_automatic_chooses_and_how_images_are_scaled(
    viewer: Any, session: Any, wait_for: WaitFor, starter: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    add_truth(session, 24)
    view = viewer.window.add_plugin_dock_widget("napari-aitrain", "Train")[1].view
    field = view.form._fields["start_from"]

    def said(code: str) -> str:
        return " ".join(one.text for one in view.status.value().problems if one.level == code)

    wait_for(lambda: "scaled by" in said("info"))
    assert "nuclei-2d (2-D nuclei in fluorescence)" in said("info") and "yours: 24" in said("info")
    assert field.value == "auto" and "nuclei-2d" in field.widget.native.currentText()
    assert field.widget.tooltip
    if folder := os.environ.get("AITRAIN_SCREENSHOTS"):
        for theme in ("dark", "light"):
            viewer.theme = theme
            QTest.qWait(500)
            viewer.window.screenshot(path=f"{folder}/start-from-{theme}.png", canvas_only=False)
    view.form.setValue({"start_from": "scratch"})
    wait_for(lambda: not view.status.value().checking and not said("info"))
    assert "nuclei-2d" in [str(choice) for choice in field.widget.choices]
    view.form.setValue({"start_from": "auto", "task": "em-instances"})
    wait_for(lambda: "from scratch" in field.widget.native.currentText())
    assert view.form.value()["start_from"] == "auto"
