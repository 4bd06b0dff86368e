"""The Evaluate dock: its views alone, with real mouse and keys in a window, and a whole evaluation by a real worker."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from evaluated import write_example
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_aitrain.annotation.boxes import Box
from napari_aitrain.annotation.world import WorldBox
from napari_aitrain.evaluation.outcome import COLOURS, OUTCOMES
from napari_aitrain.gui.evaluate.dock import EvaluateDock
from napari_aitrain.gui.evaluate.view import EvaluateView
from napari_aitrain.gui.jobs.job_list import KnownJob
from napari_aitrain.jobs import EvaluateConfig, JobFolder
from napari_aitrain.jobs.evaluate_config import evaluate_config_to_yaml
from napari_aitrain.models import DataCard, ModelCard, SourceCard, read_card, save_model
from napari_aitrain.nets import NetworkConfig, build_network

pytestmark = pytest.mark.timeout(300)


def test_every_widget_has_a_tooltip_and_the_dock_fits(qtbot: Any) -> None:
    view = EvaluateView()
    qtbot.addWidget(view)
    view.show()
    assert view.empty.isVisible()
    assert not view.ask.begin.isEnabled()
    view.ask.set_models([("a model with a name that is much longer than there is room for", Path("/m"))], None)
    view.set_found(True)
    cell = ("0.91\n0.88–0.94", "")
    view.figures.set_rows(["Train (12)", "Validation (4)", "Test (8)"], [(("Objects in truth", ""), [cell] * 3)] * 10)
    view.set_cautions([("A box is near another. " * 6, "Move it.")])
    view.show_box.set_classes({1: "membrane & more", 2: "mitochondria"}, [2])
    for page in range(view.tabs.count()):
        view.tabs.setCurrentIndex(page)
        for widget in view.findChildren(QWidget):
            focusable = widget.isVisible() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
            if focusable and type(widget).__name__ not in ("UpDownScroll", "QTabBar", "QTabWidget"):
                assert widget.toolTip() or widget.parentWidget().toolTip(), widget
    assert view.minimumSizeHint().width() <= 420
    assert [box.isChecked() for box in view.show_box.classes.values()] == [True, False]


@pytest.fixture
def dock(viewer: Any, session: Any) -> EvaluateDock:
    dock = EvaluateDock(viewer)
    viewer.window.add_dock_widget(dock, name="Evaluate")
    return dock


@pytest.fixture
def opened(viewer: Any, session: Any, dock: EvaluateDock, tmp_path: Path, wait_for: Any) -> EvaluateDock:
    """The dock with an evaluation whose image is open."""
    image = tmp_path / "image.tif"
    tifffile.imwrite(image, np.zeros((24, 400), np.uint8))
    viewer.open(str(image), plugin="napari", layer_type="image", scale=(0.5, 0.5))
    job = an_evaluation(session, tmp_path / "job", image)
    session.evaluations.open(job)
    wait_for(lambda: session.evaluations.current is not None, 60, "the evaluation")
    return dock


def an_evaluation(session: Any, folder: Path, image: Path) -> JobFolder:
    """Have the window know a finished evaluation."""
    write_example(folder, source=str(image))
    (folder / "job.yaml").write_text(
        evaluate_config_to_yaml(EvaluateConfig(model=folder, sources=())), encoding="utf-8"
    )
    job = JobFolder(folder)
    session.jobs._known[folder] = KnownJob(job, "done", begun=1.0, kind="evaluation")
    session.jobs.added.emit(job)
    return job


def tick(box: Any) -> None:
    """Press the square of a check box, which is left of its words."""
    assert box.isEnabled()
    QTest.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))


def texts(table: Any, row: int) -> list[str]:
    return [table.item(row, column).text() for column in range(table.columnCount())]


def test_figures_with_intervals_stand_in_columns_by_role(opened: EvaluateDock) -> None:
    view = opened.view
    header = [view.figures.horizontalHeaderItem(column).text() for column in range(4)]
    assert header == ["", "Train (1)", "Validation (1)", "Test (2)"]
    rows = {texts(view.figures, row)[0]: texts(view.figures, row)[1:] for row in range(view.figures.rowCount())}
    assert rows["F1"][0] == "1.00"
    assert "\n" in rows["F1"][2]
    assert rows["In the truth"] == ["5", "5", "10"]
    assert "only" in view._caution.text()
    assert "3 in the training set, 2 of which" in view.training.text()
    assert "Warning at the start: Few objects." in view.training.text()
    assert view.errors.rowCount() == 8
    assert "2 missed, 2 false, 2 merged, 2 split" in view.counts.text()


def test_a_click_on_an_error_shows_it_in_the_colour_of_its_kind(
    viewer: Any, session: Any, opened: EvaluateDock, hand: Any
) -> None:
    view, current = opened.view, session.evaluations.current
    view.tabs.setCurrentIndex(1)
    QTest.keyClicks(view.kinds, "missed")
    rows = [texts(view.errors, row) for row in range(view.errors.rowCount())]
    assert [row[0] for row in rows] == ["missed", "missed"]
    tick(view.show_box.looks["outlines"])
    place = view.errors.visualItemRect(view.errors.item(1, 0)).center()
    QTest.mouseClick(view.errors.viewport(), Qt.MouseButton.LeftButton, pos=place)
    error = [one for one in current.errors_of("test") if one.kind == "missed"][1]
    assert session.evaluations.box.number == error.box
    layer = viewer.layers["Evaluation"]
    assert layer.contour == 0
    camera = viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera
    assert np.allclose(camera.center[-2:], np.multiply(error.centre[1:], 0.5))
    z, y, x = (round(v) for v in error.centre)
    assert z == 0
    box = session.evaluations.box
    value = layer.data[y - box.start[1], x - box.start[2]]
    assert OUTCOMES[(value - 1) % len(OUTCOMES)] == "missed"
    assert np.allclose(layer.get_color(value)[:3], np.array(COLOURS["missed"]) / 255, atol=0.01)
    assert np.allclose(layer.data_to_world((0, 0)), np.multiply(box.start[1:], 0.5))
    # The canvas shows it.
    picture = hand.pixels()
    middle = picture[picture.shape[0] // 2, picture.shape[1] // 2, :3].astype(int)
    assert middle[2] > middle[0] + 40
    QTest.keyClick(view.errors, Qt.Key.Key_Up)
    assert session.evaluations.box.number != error.box


def test_train_and_test_are_toggled_over_the_same_viewer(
    viewer: Any, session: Any, opened: EvaluateDock, hand: Any
) -> None:
    show = opened.view.show_box
    assert [button.text() for button in show.roles.values()] == ["T&rain (1)", "&Validation (1)", "&Test (2)"]
    assert show.roles["test"].isChecked()
    hand.click(show.on)
    first = session.evaluations.box
    hand.click(show.on)
    assert {first.role, session.evaluations.box.role} == {"test"}
    assert session.evaluations.box != first
    hand.click(show.roles["train"])
    assert session.evaluations.box.role == "train"
    assert "nothing is wrong" in show.box.text()
    assert opened.view.errors.rowCount() == 0
    layers = [layer.name for layer in viewer.layers]
    assert layers == ["image", "Evaluation: ground truth", "Evaluation"]
    truth = viewer.layers["Evaluation: ground truth"]
    assert not truth.visible
    tick(show.looks["truth"])
    tick(show.looks["prediction"])
    tick(show.looks["errors"])
    assert truth.visible
    assert not viewer.layers["Evaluation"].visible
    assert set(np.unique(viewer.layers["Evaluation"].data)) == {0, 1, 2, 4, 5, 7}
    assert truth.contour == 1
    hand.click(show.clear)
    assert [layer.name for layer in viewer.layers] == ["image"]


def test_a_box_whose_image_is_not_open_brings_its_part_of_it(
    viewer: Any, session: Any, dock: EvaluateDock, tmp_path: Path, wait_for: Any, hand: Any
) -> None:
    job = an_evaluation(session, tmp_path / "job", tmp_path / "gone.tif")
    session.evaluations.open(job)
    wait_for(lambda: session.evaluations.current is not None, 60, "the evaluation")
    hand.click(dock.view.show_box.on)
    name = session.evaluations.box.name
    assert viewer.layers[name].data.shape == (24, 40)
    assert viewer.layers["Evaluation"].data.shape == (24, 40)
    hand.click(dock.view.show_box.clear)
    assert len(viewer.layers) == 0


def test_what_is_opened_twice_is_shown_once(session: Any, opened: EvaluateDock, wait_for: Any, hand: Any) -> None:
    evaluations = session.evaluations
    times: list[Any] = []
    evaluations.changed.connect(lambda: times.append(evaluations.current))
    before = evaluations.current
    for _ in range(3):
        evaluations.open(evaluations.job)
    wait_for(lambda: evaluations.current is not before, 60, "the evaluation")
    hand.click(opened.view.show_box.on)
    wait_for(lambda: not [one for one in threading.enumerate() if one.name == "napari-aitrain-aside"], 60)
    hand.click(opened.view.show_box.on)
    assert evaluations.box is not None
    assert len({id(found) for found in times}) == 1


def test_report_and_plots(
    session: Any, opened: EvaluateDock, hand: Any, wait_for: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = opened.view
    wait_for(lambda: len(view.plots) == 3, 60, "the plots")
    threshold = view.plots["threshold"]
    assert threshold._marks["locked"] == 0.5
    assert "best on validation" in threshold._marks
    assert "serves validation best" in view.threshold_text.text()
    assert "calibration error" in view.trust_text.text()
    out = tmp_path / "report.html"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(out), ""))
    hand.click(view.report)
    wait_for(lambda: view.report.isEnabled(), 60)
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (tmp_path / "report.objects.csv").is_file()


@pytest.fixture
def model(home: Path, tmp_path: Path) -> Path:
    """A model in the store that has learned nothing, and the boxes that it was trained with."""
    labels = np.kron(np.arange(1, 26).reshape(5, 5), np.pad(np.ones((18, 18), int), 3)).astype(np.uint8)
    image = (40 + 150 * (labels > 0)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "cells.tif", image)
    tifffile.imwrite(tmp_path / "truth.tif", labels)
    network = NetworkConfig(
        dims=2, in_channels=1, heads=3, stem=(1, 2, 2), widths=(8, 8), pools=((1, 2, 2),), kernels=((1, 3, 3),) * 2
    )
    torch.manual_seed(0)
    boxes = [
        Box(start=(0, y, x), stop=(1, y + 48, x + 48), role=role, name=f"{role} {n}")
        for n, (role, y, x) in enumerate([("train", 0, 0), ("validation", 0, 70), ("test", 70, 0), ("test", 70, 70)])
    ]
    source = SourceCard(image=str(tmp_path / "cells.tif"), labels=str(tmp_path / "truth.tif"), boxes=tuple(boxes))
    card = ModelCard(
        task="instances", dims=2, name="tiny", network=network.model_dump(mode="json"), channels=("0",),
        data=DataCard(sources=(source,), objects={"train": 4}), threshold=0.0,
    )  # fmt: skip
    return save_model(home / "models" / "tiny" / "v1", card, build_network(network).state_dict()).folder


def test_a_press_evaluates_and_what_was_found_is_shown(
    viewer: Any, session: Any, model: Path, dock: EvaluateDock, hand: Any, wait_for: Any, tmp_path: Path
) -> None:
    ask = dock.view.ask
    dock.controller._on_jobs()
    assert ask.models.currentData() == model
    hand.click(ask.begin)
    assert not ask.begin.isEnabled()
    wait_for(lambda: session.evaluations.current is not None, 200, "the evaluation")
    found = session.evaluations.current
    assert [box.role for box in found.boxes] == ["train", "validation", "test", "test"]
    assert dock.view.results.count() == 1
    assert ask.begin.isEnabled()
    # Of the window: what is labelled in it now, in a box of its own.
    viewer.open(str(tmp_path / "cells.tif"), plugin="napari", layer_type="image")
    image = viewer.layers["cells"]
    layer = session.truths.create(image, "instances")
    layer.data[:60, :60] = tifffile.imread(tmp_path / "truth.tif")[:60, :60]
    session.boxes.add(WorldBox(start=(-0.5, -0.5, -0.5), stop=(0.5, 59.5, 59.5), image="cells", role="test"))
    ask.on.setCurrentIndex(1)
    hand.click(ask.begin)
    wait_for(lambda: session.evaluations.current is not found, 200, "the other evaluation")
    other = session.evaluations.current
    assert [(box.role, box.stop) for box in other.boxes] == [("test", (1, 60, 60))]
    assert "test-overlaps-training" in [caution.code for caution in other.warnings]
    hand.click(dock.view.show_box.on)
    assert {"cells", "Evaluation"} < {one.name for one in viewer.layers}
    best = read_card(model).threshold
    assert best == 0.0
