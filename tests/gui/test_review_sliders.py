"""Sliders that make objects again from stored maps: with the mouse, in a window, and as numbers move faster than it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_aitrain.evaluation.calibration import Calibration
from napari_aitrain.gui.review.decoding import AT_ONCE
from napari_aitrain.gui.review.dock import ReviewDock
from napari_aitrain.gui.review.maps import Maps
from napari_aitrain.gui.review.prediction import Prediction
from napari_aitrain.gui.review.prediction_layer import Placement, PredictionLayer
from napari_aitrain.gui.review.run import Run
from napari_aitrain.gui.review.sliders_view import SlidersView
from napari_aitrain.gui.review.thresholded import Thresholded
from napari_aitrain.inference.info import LABELS, MAPS, PredictionInfo, write_info
from napari_aitrain.inference.objects import ObjectTable
from napari_aitrain.jobs import JobFolder
from napari_aitrain.models import ModelCard, read_card
from napari_aitrain.tasks import get_task, make_task
from napari_aitrain.tasks.instances import InstancesTask
from napari_aitrain.tasks.sliders import sliders_of

SIZE = 128
TASK = make_task("instances")


@pytest.fixture
def shown() -> bool:
    return False


def dumbbells(height: int = SIZE, width: int = SIZE) -> np.ndarray:
    """Return maps of pairs of discs that touch, one pair in each 32 × 32 pixels."""
    y, x = np.mgrid[:height, :width] % 32
    nearest = np.minimum(np.hypot(y - 16, x - 10), np.hypot(y - 16, x - 22))
    distance = np.clip(1 - nearest / 9, 0, 1)
    maps = np.stack([distance > 0, distance, np.zeros_like(distance)])
    return np.round(255 * maps).astype(np.uint8)[:, None]


def predicted(session: Any, model: Path, maps: np.ndarray | None, **options: Any) -> Prediction:
    """Return a prediction of the image, made with the task's defaults."""
    objects = TASK.decode(dumbbells(), None, 2)
    data = Thresholded(objects.labels, objects.scores, flat=True)
    kept = None if maps is None else Maps(TASK, 2, None, lambda region: maps[(slice(None), *region.slices)])
    place = Placement(session.viewer.layers["image"], (1, 1, 1), (0, 0, 0))
    layer = options.pop("layer", None) or PredictionLayer(session.viewer, "Prediction")
    return Prediction(model, data, place, layer, maps=kept, **options)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.json").write_text(ModelCard(task="instances", dims=2, network={}).model_dump_json())
    return folder


@pytest.fixture
def dock(viewer: Any, session: Any, model: Path) -> Any:
    viewer.add_image(np.zeros((SIZE, SIZE), np.uint8), name="image")
    dock = ReviewDock(viewer)
    viewer.window.add_dock_widget(dock, name="Review")
    session.predictions.set_model(model)
    return dock


def count(session: Any) -> int:
    """Return how many objects are on screen."""
    return len(np.unique(session.predictions.current.layer.layer._slice.image.raw)) - 1


def test_the_view_alone(qtbot: Any) -> None:
    view = SlidersView()
    qtbot.addWidget(view)
    view.set_sliders(sliders_of(InstancesTask))
    view.show()
    told: list[tuple[str, float]] = []
    view.valueChanged.connect(lambda *moved: told.append(moved))
    view.set_values({"foreground": 0.5, "split": 0.95})
    assert told == []
    assert view.numbers["split"].value() == 0.95
    view.sliders["foreground"].setFocus()
    QTest.keyClick(view.sliders["foreground"], Qt.Key.Key_Right)
    assert told == [("foreground", pytest.approx(0.51))]
    assert view.numbers["foreground"].value() == pytest.approx(0.51)
    view.numbers["split"].setValue(0.3)
    assert told[-1] == ("split", 0.3)
    view.set_usable("Not now.")
    assert not view.sliders["split"].isEnabled()
    assert view.sliders["split"].toolTip() == "Not now."
    view.set_sliders(sliders_of(get_task("cellpose")))
    assert list(view.sliders) == ["cellprob_threshold", "flow_threshold"]
    assert not view.sliders["flow_threshold"].isEnabled()
    view.set_usable("")
    view.set_values({"cellprob_threshold": -6.0, "flow_threshold": 0.4})
    assert view.sliders["cellprob_threshold"].value() == 0
    QTest.keyClick(view.sliders["cellprob_threshold"], Qt.Key.Key_Right)
    assert told[-1] == ("cellprob_threshold", pytest.approx(-5.9))


def test_a_slider_makes_objects_again_under_the_threshold_and_back(
    session: Any, dock: Any, model: Path, hand: Any, wait_for: Any
) -> None:
    base = predicted(session, model, dumbbells())
    session.predictions.show(base)
    view, predictions = dock.view.sliders, session.predictions
    assert not dock.view.sliders_group.isHidden()
    assert count(session) == 32
    assert not view.reset.isEnabled()
    layer = predictions.current.layer.layer
    bar = view.sliders["split"]
    # From the right end to the left: all pairs become one.
    hand.drag_on(bar, *((at, bar.height() // 2) for at in (bar.width() - 4, bar.width() // 2, 12)))
    assert predictions.decoding.values["split"] < 0.3
    wait_for(lambda: count(session) == 16, what="joined objects")
    assert predictions.current.layer.layer is layer
    made = TASK.__class__(TASK.settings.model_copy(update=predictions.decoding.values)).decode(dumbbells(), None, 2)
    assert np.array_equal(predictions.current.data.labels, made.labels)
    assert np.array_equal(predictions.current.data.scores, made.scores)
    middle = float(np.median(made.scores[1:]))
    predictions.set_threshold(middle)
    assert count(session) == int(np.count_nonzero(made.scores[1:] >= middle)) < 17
    predictions.set_threshold(0)
    hand.click(view.reset)
    assert predictions.current is base
    assert count(session) == 32
    assert view.numbers["split"].value() == pytest.approx(0.95)


def test_the_newest_number_wins(
    session: Any, dock: Any, model: Path, monkeypatch: pytest.MonkeyPatch, wait_for: Any
) -> None:
    session.predictions.show(predicted(session, model, dumbbells()))
    started, gate, done = threading.Event(), threading.Event(), []
    real = Maps.decode

    def slow(maps: Maps, given: Any, values: Any) -> Any:
        started.set()
        assert gate.wait(20)
        done.append(values["split"])
        return real(maps, given, values)

    monkeypatch.setattr(Maps, "decode", slow)
    for value in (0.9, 0.8, 0.7, 0.6, 0.2):
        dock.view.sliders.numbers["split"].setValue(value)
        assert started.wait(20)
    gate.set()
    wait_for(lambda: count(session) == 16, what="what the last number makes")
    assert done == [0.9, 0.2]


def test_a_new_preview_comes_as_the_sliders_stand(session: Any, dock: Any, model: Path, wait_for: Any) -> None:
    first = predicted(session, model, dumbbells(), step=1)
    session.predictions.show(first)
    dock.view.sliders.numbers["split"].setValue(0.2)
    wait_for(lambda: count(session) == 16)
    seen: list[int] = []

    def note() -> None:
        seen.append(count(session))

    session.predictions.changed.connect(note)
    maps = dumbbells()
    maps[..., :32] = 0
    session.predictions.show(predicted(session, model, maps, step=2, layer=first.layer))
    wait_for(lambda: session.predictions.current.step == 2, what="the new preview")
    assert count(session) == 12
    session.predictions.changed.disconnect(note)
    # It was never shown as the worker made it.
    assert 32 not in seen
    assert not dock.view.sliders.keep.isEnabled()
    assert "learning" in dock.view.sliders.keep.toolTip()
    session.viewer.layers.remove(first.layer.layer)
    assert session.predictions.current is None
    assert "Predict this view" in dock.view.sliders.sliders["split"].toolTip()


def test_numbers_are_kept_in_the_model_and_whatever_it_predicts_is_made_with_them(
    session: Any, dock: Any, model: Path, hand: Any, wait_for: Any
) -> None:
    base = predicted(session, model, dumbbells())
    session.predictions.show(base)
    view = dock.view.sliders
    assert not view.keep.isEnabled()
    view.numbers["split"].setValue(0.2)
    wait_for(lambda: count(session) == 16)
    hand.click(view.keep)
    assert read_card(model).task_settings["split"] == 0.2
    assert "Kept" in view.hint.text()
    assert not view.keep.isEnabled()
    # It was made with the numbers before, and is shown with those that the model has now.
    view.numbers["split"].setValue(0.95)
    assert session.predictions.current is base
    hand.click(view.reset)
    assert session.predictions.decoding.values["split"] == 0.2
    wait_for(lambda: count(session) == 16)


def test_what_has_no_sliders_has_no_group_and_what_has_no_maps_says_so(session: Any, dock: Any, model: Path) -> None:
    assert not dock.view.sliders_group.isHidden()
    assert "Predict this view" in dock.view.sliders.sliders["split"].toolTip()
    session.predictions.show(predicted(session, model, None))
    assert not dock.view.sliders.sliders["split"].isEnabled()
    assert "not kept" in dock.view.sliders.numbers["split"].toolTip()
    assert not dock.view.sliders.reset.isEnabled()
    other = model.parent / "other"
    other.mkdir()
    (other / "model.json").write_text(ModelCard(task="semantic", dims=2, network={}).model_dump_json())
    session.predictions.set_model(other)
    assert dock.view.sliders_group.isHidden()


def test_maps_that_cannot_be_read_leave_what_is_there(session: Any, dock: Any, model: Path, wait_for: Any) -> None:
    base = predicted(session, model, dumbbells())

    def gone(region: Any) -> Any:
        raise FileNotFoundError("maps.zarr is gone")

    assert base.maps is not None
    session.predictions.show(replace(base, maps=replace(base.maps, read=gone)))
    dock.view.sliders.numbers["split"].setValue(0.2)
    wait_for(lambda: "maps.zarr is gone" in dock.view.sliders.hint.text(), what="the reason")
    assert count(session) == 32


@pytest.fixture
def stored(viewer: Any, session: Any, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stored prediction of two slices of 2,048² pixels, which a layer shows in levels."""
    shape, block, one = (2, 2048, 2048), (1, 512, 512), (1, 1, 1)
    names = TASK.feature_names
    calibration = Calibration(kind="logistic", feature_names=names, mean=(0,) * len(names), scale=(1,) * len(names),
                              coefficients=(0,) * len(names), intercept=1.0)  # fmt: skip
    job = JobFolder(tmp_path / "job")
    job.prediction.mkdir(parents=True)
    write_info(job.prediction, PredictionInfo(
        finished=True, model_name="m", model_fingerprint="", image="image", image_fingerprint="", channels=("0",),
        task="instances", task_settings=TASK.settings.model_dump(), instances=True, classes=(0, 1), dims=2, heads=3,
        magnification=one, start=(0, 0, 0), shape=shape, voxel_size=None, low=(0,), high=(1,), multiple=one,
        halo=(0, 0, 0), overlap=(0, 0, 0), network_block=block, decode_block=block, threshold=0.0))  # fmt: skip
    maps = np.repeat(dumbbells(*shape[1:]), 2, axis=1)
    zarr.create_array(job.prediction / MAPS, data=maps, chunks=(3, *block))
    labels = TASK.decode(maps, None, 2).labels
    zarr.create_array(job.prediction / LABELS, data=labels, chunks=block)
    rows = int(labels.max()) + 1
    zeros = np.zeros((rows, 3))
    ObjectTable(np.ones(rows, np.float32), np.ones(rows, np.int64), zeros.astype(int), zeros.astype(int), zeros,
                zeros.astype(np.float32), np.ones(rows, np.int32)).save(job.prediction)  # fmt: skip
    monkeypatch.setattr(session.jobs, "state", lambda of: "done")
    image = viewer.add_image(np.zeros(shape, np.uint8), name="image")
    run = Run(job, model, image, (), PredictionLayer(viewer, "image: prediction"), calibration=calibration)
    session.predictions.runs.add(run, None).look()
    return run


def test_of_a_volume_what_is_on_screen_is_made_again(
    viewer: Any, session: Any, stored: Any, model: Path, wait_for: Callable[..., Any]
) -> None:
    predictions = session.predictions
    dock = ReviewDock(viewer)
    viewer.window.add_dock_widget(dock, name="Review")
    wait_for(lambda: predictions.current, what="the stored prediction")
    base, layer = predictions.current, predictions.current.layer.layer
    assert layer.multiscale
    viewer.dims.set_point(0, 1)
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0, 300, 300), 4
    dock.view.sliders.numbers["split"].setValue(0.2)
    wait_for(lambda: predictions.current is not base, what="the part on screen")
    made = predictions.current
    assert made.whole.size < AT_ONCE
    assert made.placement.start[0] == 1
    assert made.whole.shape[0] == 1
    assert len(made.data.scores) - 1 == len(np.unique(made.data.labels)) - 1 > 10
    # Scores are fitted as they are in the volume.
    assert np.allclose(made.data.scores[1:], 0.7311, atol=1e-3)
    assert made.layer.layer is layer
    assert layer in viewer.layers
    assert not dock.view.sliders.hint.text()
    viewer.scene.camera.center = (0, 1500, 1500)
    wait_for(lambda: predictions.current.placement.start[1] > 1000, what="what came on screen")
    viewer.reset_view()
    wait_for(lambda: "middle" in dock.view.sliders.hint.text(), what="that not all is shown")
    assert predictions.current.whole.size <= 2**20
    dock.view.sliders.reset.click()
    assert predictions.current is base
    assert base.layer.layer is layer
    dock.leave()
