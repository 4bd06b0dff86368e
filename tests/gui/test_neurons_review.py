"""A neuron prediction in a window: the slider moves along the merge tree, clicks merge and split, all of it is kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_aitrain.errors import VolumeError
from napari_aitrain.gui.annotate.box_actions import BoxActions
from napari_aitrain.gui.annotate.draw import BoxDrawing
from napari_aitrain.gui.review.dock import ReviewDock
from napari_aitrain.gui.review.prediction import Prediction
from napari_aitrain.gui.review.prediction_layer import Placement, PredictionLayer
from napari_aitrain.gui.review.stored import stored_data
from napari_aitrain.gui.review.thresholded import Thresholded
from napari_aitrain.gui.review.view_files import merges_of
from napari_aitrain.inference.archive import write_arrays
from napari_aitrain.inference.objects import ObjectTable
from napari_aitrain.inference.store import MERGES, PredictionInfo, StoredPrediction, read_info, write_info
from napari_aitrain.jobs import Event, JobFolder
from napari_aitrain.jobs.folder import CONFIG
from napari_aitrain.jobs.predict_config import PredictConfig, predict_config_to_yaml
from napari_aitrain.tasks.merge_tree import Correction, MergeTree
from napari_aitrain.tasks.neurons import NeuronsTask
from napari_aitrain.training.previews import describe
from napari_aitrain.training.views import Answers

SHAPE = (4, 24, 24)
TREE = MergeTree(
    np.array([0, 576, 288, 288, 576, 576]),
    np.array([[2, 3], [1, 2], [4, 5]], np.int32),
    np.array([0.9, 0.6, 0.3], np.float32),
)
"""Fragment 1 above, 2 and 3 beside each other and one after the other in z, 4 and 5 below."""


def fragments() -> Any:
    """Return four quarters of each slice; the upper right one is 2 in the first slices and 3 in the others."""
    labels = np.empty(SHAPE, np.int32)
    labels[:, :12, :12], labels[:, 12:, :12], labels[:, 12:, 12:] = 1, 4, 5
    labels[:2, :12, 12:], labels[2:, :12, 12:] = 2, 3
    return labels


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A stored prediction of neurons; the model's threshold is 0.7."""
    folder, one = tmp_path / "prediction", (1, 1, 1)
    folder.mkdir()
    offsets = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    info = PredictionInfo(
        finished=True, model_name="m", model_fingerprint="", image="image", image_fingerprint="", channels=("0",),
        task="neurons", instances=True, agglomerates=True, offsets=offsets, classes=(0, 1), dims=3, heads=3,
        magnification=one, start=(0, 0, 0), shape=SHAPE, voxel_size=(10, 10, 10), low=(0,), high=(1,), multiple=one,
        halo=(0, 0, 0), overlap=(0, 0, 0), network_block=SHAPE, decode_block=SHAPE, threshold=0.7)  # fmt: skip
    write_info(folder, info)
    labels = fragments()
    zarr.create_array(folder / "labels.zarr", data=labels)
    places = [np.argwhere(labels == number) for number in range(1, 6)]
    start = np.array([[0, 0, 0], *(each.min(axis=0) for each in places)])
    stop = np.array([[0, 0, 0], *(each.max(axis=0) + 1 for each in places)])
    total = np.array([[0.0, 0, 0], *(each.sum(axis=0) for each in places)])
    ObjectTable.of_fragments(TREE.sizes, start, stop, total, 1).save(folder)
    (folder / MERGES).write_bytes(write_arrays(TREE.arrays()))
    return folder


@pytest.fixture
def dock(viewer: Any, session: Any, qtbot: Any) -> Any:
    """The dock in a window with an image in nm."""
    viewer.add_image(np.zeros(SHAPE, np.float32), name="image", scale=(10, 10, 10), units=("nm",) * 3)
    viewer.dims.set_point(0, 0)
    dock = ReviewDock(viewer)
    viewer.window.add_dock_widget(dock, name="Review")
    return dock


@pytest.fixture
def show(session: Any, store: Path) -> Callable[[], Prediction]:
    """Return what opens the stored prediction."""

    def open_it() -> Prediction:
        info = read_info(store)
        data = stored_data(store, info, 0, False)
        assert data is not None
        layer = PredictionLayer(session.viewer, "Prediction")
        placement = Placement(session.viewer.layers["image"], (1, 1, 1), (0, 0, 0))
        one = Prediction(Path("/m"), data, placement, layer, voxel_size=info.voxel_size)
        one.take_table(StoredPrediction.open(store))
        session.predictions.propose_threshold(Path("/m"), info.threshold)
        session.predictions.show(one)
        return one

    return open_it


@pytest.fixture
def job(store: Path, tmp_path: Path) -> JobFolder:
    """The job of an earlier session that made the stored prediction."""
    folder = tmp_path / "job"
    folder.mkdir()
    config = PredictConfig(name="image prediction", model=tmp_path / "model", image=tmp_path / "gone.zarr")
    (folder / CONFIG).write_text(predict_config_to_yaml(config))
    shutil.copytree(store, folder / "prediction")
    return JobFolder(folder)


def place(viewer: Any, y: float, x: float) -> QPoint:
    """Return where a voxel is on the canvas."""
    size, camera = viewer.canvas.size, viewer.scene.camera
    row, column = (
        (10 * at - c) * camera.zoom + n / 2 for at, c, n in zip((y, x), camera.center[-2:], size, strict=True)
    )
    return QPoint(round(column), round(row))


def quarters(viewer: Any) -> list[tuple[int, ...]]:
    """Return the colours that the canvas shows of the four quarters, from the upper left one on, row by row."""
    picture = viewer.screenshot(canvas_only=True, flash=False)
    ratio = picture.shape[0] / viewer.canvas.size[0]
    places = [place(viewer, y, x) for y in (6, 18) for x in (6, 18)]
    return [tuple(picture[round(p.y() * ratio), round(p.x() * ratio), :3].tolist()) for p in places]


def drag(view: Any, threshold: float) -> None:
    """Drag the slider."""
    slider = view.slider
    at = QPoint(round(8 + threshold * (slider.width() - 16)), 60)
    QTest.mousePress(slider, Qt.MouseButton.LeftButton, pos=QPoint(slider.width() // 2, 60))
    QTest.mouseMove(slider, at)
    QTest.mouseRelease(slider, Qt.MouseButton.LeftButton)
    assert view.value() == pytest.approx(threshold, abs=0.01)


def click(viewer: Any, y: float, x: float) -> None:
    """Click a voxel of the slice on screen."""
    canvas = viewer.window._qt_viewer.canvas.native
    QTest.mouseMove(canvas, place(viewer, y, x))
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=place(viewer, y, x))


def test_the_slider_moves_along_the_merge_tree_on_all_slices(viewer, session, dock, show, wait_for):
    show()
    view = dock.view.threshold
    assert view.value() == pytest.approx(0.7)
    assert view.ends.isVisible()
    first = quarters(viewer)
    assert len({*first, (0, 0, 0)}) == 5
    drag(view, 0.5)
    second = quarters(viewer)
    # 1 is the largest of 1, 2 and 3: it gives its colour, and the others keep theirs.
    assert second == [first[0], first[0], first[2], first[3]]
    viewer.dims.set_point(0, 30)
    assert quarters(viewer) == second
    drag(view, 0.2)
    assert quarters(viewer) == [first[0], first[0], first[2], first[2]]
    drag(view, 0.95)
    split = quarters(viewer)
    assert [split[0], split[2], split[3]] == [first[0], first[2], first[3]]
    viewer.dims.set_point(0, 0)
    assert quarters(viewer)[1] == first[1] != split[1]


def test_clicks_merge_and_split_and_steps_are_undone_and_kept(viewer, session, dock, show, store, wait_for):
    show()
    view = dock.view.proof
    assert view.isVisible() and view.count.text() == "No corrections"
    assert not view.steps["undo"].isEnabled() and not view.taking["corrected"].isEnabled()
    first = quarters(viewer)
    QTest.mouseClick(view.tools["merge"], Qt.MouseButton.LeftButton)
    assert viewer.cursor.style == "crosshair" and "first of two" in view.hint.text()
    click(viewer, 6, 6)
    wait_for(lambda: "Click the other one; object 1 is joined" in view.hint.text(), what="the first click")
    click(viewer, 18, 18)
    wait_for(lambda: view.count.text() == "1 correction", what="a merge")
    assert quarters(viewer) == [first[0], first[1], first[2], first[0]]
    assert dock.view.object.text.text() == "Object 1 · 1,152 voxels · 0.001152 µm³ · 2 fragments · weakest merge 1.000"
    drag(dock.view.threshold, 0.2)
    assert len(set(quarters(viewer))) == 1
    QTest.mouseClick(view.tools["split"], Qt.MouseButton.LeftButton)
    click(viewer, 6, 18)
    wait_for(lambda: "another neuron" in view.hint.text(), what="the first click")
    click(viewer, 18, 6)
    wait_for(lambda: view.count.text() == "2 corrections", what="a split")
    # The way from 2 to 4 goes by 1 and 5; the least sure merge on it is that of 4 and 5.
    assert quarters(viewer) == [first[0], first[0], first[2], first[0]]
    viewer.layers["Prediction"].visible = False
    assert StoredPrediction.open(store).lookup(0.2).tolist() == [0, 1, 1, 1, 4, 1]
    viewer.layers["Prediction"].visible = True

    canvas = viewer.window._qt_viewer.canvas.native
    click(viewer, 6, 6)
    wait_for(lambda: "another neuron" in view.hint.text(), what="the first click")
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert "Click a place" in view.hint.text()
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert not view.tools["split"].isChecked() and viewer.cursor.style == "standard" and not view.hint.isVisible()

    QTest.mouseClick(view.steps["undo"], Qt.MouseButton.LeftButton)
    assert view.count.text() == "1 correction" and len(set(quarters(viewer))) == 1
    QTest.mouseClick(view.steps["redo"], Qt.MouseButton.LeftButton)
    assert quarters(viewer) == [first[0], first[0], first[2], first[0]] and not view.steps["redo"].isEnabled()
    viewer.layers.remove("Prediction")
    show()
    assert view.count.text() == "2 corrections"
    assert quarters(viewer) == [first[0], first[0], first[2], first[0]]


def test_what_cannot_be_corrected_is_said(viewer, session, dock, show, wait_for, monkeypatch):
    told = []
    monkeypatch.setattr("napari_aitrain.gui.notify.show_error", told.append)
    show()
    view = dock.view.proof
    for tool, where, what in (
        ("split", [(6, 6), (2, 2)], "one fragment"),
        ("split", [(6, 6), (18, 6)], "two objects already"),
        ("merge", [(6, 6), (2, 2)], "one object already"),
    ):
        QTest.mouseClick(view.tools[tool], Qt.MouseButton.LeftButton)
        for y, x in where:
            click(viewer, y, x)
        wait_for(lambda what=what: any(what in text for text in told), what=what)
        QTest.mouseClick(view.tools[tool], Qt.MouseButton.LeftButton)
        assert session.predictions.tool.kind is None
    assert view.count.text() == "No corrections"
    QTest.mouseClick(view.tools["merge"], Qt.MouseButton.LeftButton)
    viewer.layers.remove("Prediction")
    assert session.predictions.tool.kind is None


def test_one_mouse_tool_is_in_hand_at_a_time(viewer, session, dock, show):
    show()
    drawing = BoxDrawing(session, BoxActions(session))
    drawing.start()
    QTest.mouseClick(dock.view.proof.tools["split"], Qt.MouseButton.LeftButton)
    assert not drawing.active and session.tool is session.predictions.tool
    drawing.start()
    assert session.predictions.tool.kind is None and not dock.view.proof.tools["split"].isChecked()
    drawing.stop()
    assert session.tool is None


def test_segments_become_ground_truth_as_they_are_seen(viewer, session, dock, show):
    truth = session.truths.create("image")
    show()
    viewer.layers.selection.active = truth
    session.predictions.set_threshold(0.5)
    click(viewer, 6, 18)
    assert dock.view.object.text.text() == "Object 1 · 1,152 voxels · 0.001152 µm³ · 3 fragments · weakest merge 0.600"
    drag(dock.view.threshold, 0.8)
    assert dock.view.object.text.text() == "Object 2 · 576 voxels · 0.000576 µm³ · 2 fragments · weakest merge 0.900"
    QTest.mouseClick(dock.view.object.buttons["accept"], Qt.MouseButton.LeftButton)
    taken = np.asarray(truth.data) > 0
    assert taken.sum() == 576 and taken[:, :12, 12:].all()
    session.predictions.proof.merge(4, 5)
    dock.view.proof.taking["corrected"].trigger()
    ids = np.asarray(truth.data)
    assert len(np.unique(ids[:, 12:])) == 1 and ids[0, 20, 0] not in (0, ids[0, 0, 20])
    assert not ids[:, :12, :12].any()
    truth.undo()
    assert np.asarray(truth.data).astype(bool).sum() == 576
    assert len(session.predictions.proof.corrections) == 1


def test_a_live_preview_cannot_be_corrected_and_says_why(viewer, session, dock):
    layer = PredictionLayer(viewer, "Prediction")
    data = Thresholded(fragments(), np.ones(6, np.float32), merges=TREE)
    placement = Placement(viewer.layers["image"], (1, 1, 1), (0, 0, 0))
    session.predictions.show(Prediction(Path("/m"), data, placement, layer, step=7))
    assert session.predictions.threshold == 0.5
    view = dock.view.proof
    assert view.isVisible() and not view.tools["merge"].isEnabled()
    assert "made anew" in view.tools["split"].toolTip()
    labels = np.ones(SHAPE, np.int32)
    other = Thresholded(labels, np.array([0, 0.9], np.float32))
    session.predictions.show(Prediction(Path("/m"), other, placement, layer, step=8))
    assert not view.isVisible() and not dock.view.threshold.ends.isVisible()


def test_a_prediction_of_an_earlier_session_is_opened_again_with_its_corrections(viewer, session, dock, job, wait_for):
    StoredPrediction.open(job.prediction).correct([Correction("merge", 1, 5)])
    session.predictions.runs.reopen(job)
    wait_for(lambda: session.predictions.current is not None)
    assert dock.view.proof.count.text() == "1 correction"
    first = quarters(viewer)
    assert first[0] == first[3] != first[2]
    layers = list(viewer.layers)
    session.predictions.runs.reopen(job)
    assert list(viewer.layers) == layers
    viewer.layers.remove("image")
    with pytest.raises(VolumeError, match="is not open"):
        session.predictions.runs.reopen(job)


def test_the_files_of_a_live_preview_hold_the_merge_tree(tmp_path):
    task = NeuronsTask().planned((10, 10, 10), 3)
    maps = np.full((task.heads, 8, 24, 24), 0.9, np.float32)
    maps[:, :, 12] = 0.1
    told = describe(maps, task, (10, 10, 10), 3)
    names = Answers(tmp_path).write(told)
    tree = merges_of(tmp_path, Event(1, 0.0, "preview", {"step": 3, **names}))
    assert tree is not None and len(tree) == told["labels"].max() == len(told["scores"]) - 1
    assert np.array_equal(tree.segments(0.5), task.decode(maps, (10, 10, 10), 3).merges.segments(0.5))
    assert merges_of(tmp_path, Event(2, 0.0, "preview", {"labels": names["labels"]})) is None
