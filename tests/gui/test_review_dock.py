"""The Review dock: its views alone, and with real mouse and keys in a window; predictions with a chosen model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QWidget

from napari_aitrain.geometry import Region
from napari_aitrain.gui.review.dock import ReviewDock
from napari_aitrain.gui.review.prediction import Prediction
from napari_aitrain.gui.review.prediction_layer import Placement, PredictionLayer
from napari_aitrain.gui.review.stored_arrays import GrowingObjects
from napari_aitrain.gui.review.threshold_view import ThresholdView
from napari_aitrain.gui.review.thresholded import Thresholded
from napari_aitrain.gui.review.view import ReviewView
from napari_aitrain.inference.objects import ObjectTable
from napari_aitrain.inference.store import PredictionInfo, write_info
from napari_aitrain.jobs import Event, JobFolder
from napari_aitrain.models import ModelCard


def test_the_threshold_view_alone(qtbot):
    view = ThresholdView()
    qtbot.addWidget(view)
    view.resize(340, 120)
    view.show()
    view.set_histogram([1, 0, 9])
    told = []
    view.valueChanged.connect(told.append)
    view.setValue(0.25)
    assert told == []
    assert view.value() == 0.25
    slider = view.slider
    QTest.mousePress(slider, Qt.MouseButton.LeftButton, pos=QPoint(8, 60))
    QTest.mouseMove(slider, QPoint(slider.width() // 2, 60))
    QTest.mouseRelease(slider, Qt.MouseButton.LeftButton)
    assert told[0] == 0
    assert told[-1] == pytest.approx(0.5, abs=0.01)
    QTest.keyClick(slider, Qt.Key.Key_Right)
    assert told[-1] == pytest.approx(view.value()) == pytest.approx(0.51, abs=0.011)
    view.number.setValue(0.9)
    assert told[-1] == 0.9
    assert slider.value() == 900
    view.set_lockable(False)
    assert "provisional" in view.lock.toolTip()


def test_every_widget_has_a_tooltip_and_the_dock_fits(qtbot):
    view = ReviewView()
    qtbot.addWidget(view)
    view.set_models([("a model with a name that is much longer than there is room for in a dock", Path("/m"))], None)
    view.look.set_classes({1: "membrane & more", 2: "mitochondria"}, [2])
    view.show()
    assert view.minimumSizeHint().width() <= 420
    for widget in view.findChildren(QWidget):
        if (
            widget.isVisible()
            and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
            and type(widget).__name__ != "UpDownScroll"
        ):
            assert widget.toolTip() or widget.parentWidget().toolTip(), widget
    assert [box.isChecked() for box in view.look.classes.values()] == [True, False]
    toggled = []
    view.look.class_toggled.connect(lambda number, on: toggled.append((number, on)))
    view.look.classes[2].click()
    assert toggled == [(2, True)]
    view.set_models([], None)
    view.set_shown(False)
    assert view.empty.isVisible()


@pytest.fixture
def dock(viewer: Any, session: Any, qtbot: Any) -> Any:
    """The dock in a window with an image of 4 × 32 × 32, µm."""
    viewer.add_image(np.zeros((32, 32), np.float32), name="image", scale=(0.5, 0.5), units=("um", "um"))
    dock = ReviewDock(viewer)
    viewer.window.add_dock_widget(dock, name="Review")
    return dock


def shown(session: Any) -> Prediction:
    """Show two objects: scores 0.9 and 0.4."""
    labels = np.zeros((1, 32, 32), np.int32)
    labels[0, 4:10, 4:10], labels[0, 20:28, 20:28] = 1, 2
    data = Thresholded(labels, np.array([0, 0.9, 0.4], np.float32), flat=True)
    image = session.viewer.layers["image"]
    layer = PredictionLayer(session.viewer, "Prediction")
    one = Prediction(Path("/m"), data, Placement(image, (1, 1, 1), (0, 0, 0)), layer, voxel_size=(500, 500, 500))
    session.predictions.show(one)
    return one


def on_canvas(viewer: Any, y: float, x: float) -> QPoint:
    """Return where a place of the world is on the canvas."""
    size, camera = viewer.canvas.size, viewer.scene.camera
    row, column = ((at - c) * camera.zoom + n / 2 for at, c, n in zip((y, x), camera.center[-2:], size, strict=True))
    return QPoint(round(column), round(row))


def pixel(viewer: Any, y: float, x: float) -> Any:
    """Return the colour that the canvas shows at a place of the world."""
    place = on_canvas(viewer, y, x)
    picture = viewer.screenshot(canvas_only=True, flash=False)
    ratio = picture.shape[0] / viewer.canvas.size[0]
    return picture[round(place.y() * ratio), round(place.x() * ratio), :3]


def test_the_slider_changes_the_canvas(viewer, session, dock, wait_for):
    shown(session)
    assert pixel(viewer, 12, 12).any()
    slider = dock.view.threshold.slider
    QTest.mousePress(slider, Qt.MouseButton.LeftButton, pos=QPoint(10, 60))
    QTest.mouseMove(slider, QPoint(round(0.6 * slider.width()), 60))
    QTest.mouseRelease(slider, Qt.MouseButton.LeftButton)
    assert session.predictions.threshold == pytest.approx(0.6, abs=0.03)
    assert not pixel(viewer, 12, 12).any()
    assert pixel(viewer, 3.5, 3.5).any()


def test_click_and_keys_on_the_canvas(viewer, session, dock, wait_for):
    truth = session.truths.create("image")
    shown(session)
    canvas = viewer.window._qt_viewer.canvas.native
    place = on_canvas(viewer, 3.5, 3.5)
    QTest.mouseMove(canvas, place)
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=place)
    wait_for(lambda: session.predictions.picked, what="a picked object")
    assert dock.view.object.text.text() == "Object 1 · score 0.900 · 36 pixels · 9 µm²"
    QTest.mouseClick(dock.view.object.buttons["accept"], Qt.MouseButton.LeftButton)
    assert np.count_nonzero(truth.data) == 36
    QTest.mouseMove(canvas, on_canvas(viewer, 12, 12))
    wait_for(lambda: abs(viewer.cursor.position[0] - 12) < 0.5, what="the cursor")
    QTest.keyClick(canvas, Qt.Key.Key_N)
    background = session.truths.current.background_id
    wait_for(lambda: np.count_nonzero(truth.data == background) == 64, what="background")
    assert not pixel(viewer, 10.1, 10.1)[1] > pixel(viewer, 10.1, 10.1)[0] + 5
    truth.undo()
    assert np.count_nonzero(truth.data) == 36


def test_a_dock_can_be_closed_and_opened_again(viewer, session, dock):
    shown(session)
    viewer.window.remove_dock_widget(dock)
    session.predictions.set_threshold(0.5)
    again = ReviewDock(viewer)
    assert again.view.threshold.value() == 0.5
    again.leave()
    again.deleteLater()


def make_store(folder: Path, finished: bool) -> PredictionInfo:
    """Write a stored prediction of one object, or one that has begun."""
    folder.mkdir(parents=True, exist_ok=True)
    shape, one = (1, 32, 32), (1, 1, 1)
    info = PredictionInfo(
        finished=finished, model_name="m", model_fingerprint="", image="image", image_fingerprint="", channels=("0",),
        task="instances", instances=True, classes=(0, 1), dims=2, heads=3, magnification=one, start=(0, 0, 0),
        shape=shape, voxel_size=(500, 500, 500), low=(0,), high=(1,), multiple=one, halo=(0, 0, 0), overlap=(0, 0, 0),
        network_block=shape, decode_block=shape, threshold=0.7)  # fmt: skip
    write_info(folder, info)
    labels = np.zeros(shape, np.int32)
    labels[0, 4:10, 4:10] = 1
    if not finished:
        zarr.create_array(folder / "pieces.zarr", data=labels)
        return info
    zarr.create_array(folder / "labels.zarr", data=labels)
    zeros = np.zeros((2, 3))
    ObjectTable(np.array([0, 0.8], np.float32), np.array([0, 36]), zeros.astype(int), np.array([[0] * 3, [1, 10, 10]]),
                zeros, zeros.astype(np.float32), np.array([0, 1], np.int32)).save(folder)  # fmt: skip
    return info


def test_a_prediction_streams_in_and_ends_with_scores(viewer, session, dock, tmp_path, monkeypatch, wait_for):
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.json").write_text(ModelCard(task="instances", dims=2, network={}, threshold=0.6).model_dump_json())
    asked, job = [], JobFolder(tmp_path / "job")
    monkeypatch.setattr(session.jobs, "start_prediction", lambda config, at_once: asked.append(config) or job)
    monkeypatch.setattr(session.jobs, "state", lambda of: "running")
    session.predictions.set_model(model)
    dock.controller._on_model(model)
    assert session.predictions.threshold == 0.6
    QTest.mouseClick(dock.view.predict.buttons["view"], Qt.MouseButton.LeftButton)
    run = wait_for(session.predictions.runs.running, what="a job")
    assert asked[0].region == Region((0, 0, 0), (1, 32, 32))
    assert asked[0].image.exists()
    assert not dock.view.predict.buttons["view"].isEnabled()
    session.jobs.event.emit(job, Event(1, 0.0, "progress", {"done": 1, "total": 4, "stage": "network"}))
    assert dock.view.predict.rows[str(job.path)].bar.value() == 250
    make_store(job.prediction, finished=False)
    session.jobs.event.emit(job, Event(2, 0.0, "block", {}))
    wait_for(lambda: run.shown, what="the first block")
    assert isinstance(run.shown.data.labels, GrowingObjects)
    layer = run.layer.layer
    assert np.count_nonzero(layer._slice.image.raw) == 36
    make_store(job.prediction, finished=True)
    monkeypatch.setattr(session.jobs, "state", lambda of: "done")
    session.jobs.changed.emit(job)
    wait_for(lambda: run.shown.stored, what="the table of objects")
    assert run.layer.layer is layer
    assert session.predictions.runs.running() is None
    assert session.predictions.current.size_of(1) == 36
    assert not session.predictions.current.provisional
    session.predictions.set_threshold(0.85)
    assert not np.count_nonzero(layer._slice.image.raw)
    QTest.mouseClick(dock.view.threshold.lock, Qt.MouseButton.LeftButton)
    assert "0.85" in (model / "model.json").read_text()


def test_training_again_goes_on_from_the_model_with_fresh_ground_truth(session, dock, tmp_path, monkeypatch):
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.json").write_text(ModelCard(task="instances", dims=2, network={}).model_dump_json())
    started = []
    monkeypatch.setattr(session.jobs, "start", started.append)
    session.predictions.set_model(model)
    truth = session.truths.create("image")
    truth.data_setitem((np.array([3]), np.array([4])), 2)
    QTest.mouseClick(dock.view.again, Qt.MouseButton.LeftButton)
    assert started[0].start_from == str(model)
    assert started[0].sources[0].labels.exists()
