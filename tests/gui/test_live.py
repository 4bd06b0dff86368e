"""Live predictions, with jobs that only note what they are sent."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from psygnal import Signal

from napari_aitrain.errors import AitrainError
from napari_aitrain.gui.box_list import BoxList
from napari_aitrain.gui.review.predictions import Predictions
from napari_aitrain.jobs import Event, JobFolder
from napari_aitrain.training.config import Source, TrainConfig
from napari_aitrain.training.config_file import config_to_yaml
from napari_aitrain.training.cropset import CropSet
from napari_aitrain.volumes import Normalisation


class FakeJobs:
    """A job center without processes."""

    added, changed, event = Signal(JobFolder), Signal(JobFolder), Signal(JobFolder, Event)
    removed = Signal(Path)
    failed = Signal(str, AitrainError)

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.states: dict[Path, str] = {}

    def send(self, job: JobFolder, message: dict[str, Any]) -> None:
        self.sent.append(message)

    def state(self, job: JobFolder) -> str:
        return self.states[job.path]

    def preparing(self, job: JobFolder) -> bool:
        return False

    def newest_running(self) -> None:
        return None


class FakeTruths:
    """A session without ground truth."""

    current = None

    def all(self) -> tuple[()]:
        return ()


@pytest.fixture
def shown() -> bool:
    return False


@pytest.fixture
def place(viewer: Any) -> Any:
    """A session whose jobs are fake."""
    session = SimpleNamespace(viewer=viewer, jobs=FakeJobs(), truths=FakeTruths(), boxes=BoxList())
    session.predictions = Predictions(session)
    yield session
    session.predictions.close()


@pytest.fixture
def image(viewer: Any, tmp_path: Path) -> Any:
    """An image of 20 × 60 × 80 voxels that is a file."""
    pixels = np.arange(20 * 60 * 80, dtype=np.uint16).reshape(20, 60, 80)
    layer = viewer.add_image(pixels, scale=(2, 1, 1))
    layer._source = layer.source.model_copy(update={"path": str(tmp_path / "image.tif")})
    return layer


def training(place: Any, folder: Path, dims: int = 2, task: str = "instances", magnification: str = "1") -> JobFolder:
    """Begin to follow a training of the image."""
    (folder / "job" / "crops").mkdir(parents=True)
    (folder / "job" / "previews").mkdir()
    source = Source(image=folder / "image.tif", labels=folder / "labels.tif", magnification=magnification)
    (folder / "job" / "job.yaml").write_text(config_to_yaml(TrainConfig(task=task, sources=(source,))))
    crops = CropSet(crops=(), dims=dims, classes=(0, 1, 2) if task == "semantic" else (0, 1), channels=("0",),
                    voxel_size=(2000, 1000, 1000), normalisation=Normalisation(low=(0,), high=(1,)))  # fmt: skip
    (folder / "job" / "crops" / "index.json").write_text(crops.model_dump_json())
    job = JobFolder(folder / "job")
    place.jobs.states[job.path] = "running"
    place.jobs.changed.emit(job)
    return job


def answer(place: Any, job: JobFolder, message: dict[str, Any], step: int, labels: Any = None) -> None:
    """Answer a request as the worker does."""
    view = message["view"]
    asked = np.load(job.path / view["file"])
    labels = np.ones(asked.shape[1:], np.int32) if labels is None else labels
    arrays = {
        "labels": labels,
        "scores": np.array([0, 0.8], np.float32),
        "uncertainty": np.full(labels.shape, 9, np.uint8),
        "probability": np.full((3, *labels.shape), 180, np.uint8),
    }
    names = {kind: f"view-{step}-{kind}.npy" for kind in arrays}
    for kind, array in arrays.items():
        np.save(job.path / "previews" / names[kind], array)
    data = {"request": view["request"], "step": step, "seconds": 1.0, **names}
    place.jobs.event.emit(job, Event(step, time.time(), "preview", data))


@pytest.fixture
def next_request(place: Any, wait_for: Any) -> Any:
    """Return a function that waits for a request with a higher number."""
    last = 0

    def wait() -> dict[str, Any]:
        nonlocal last
        found = wait_for(lambda: [m for m in place.jobs.sent if m["view"]["request"] > last], what="a request")[-1]
        last = found["view"]["request"]
        return found

    return wait


def test_the_slice_on_screen_is_asked_for_and_shown_where_it_is(viewer, place, image, tmp_path, next_request):
    viewer.dims.set_current_step(0, 7)
    job = training(place, tmp_path)
    message = next_request()
    pixels = np.load(job.path / message["view"]["file"])
    assert np.array_equal(pixels, image.data[None, 7:8])
    assert message["view"]["source"] == str(tmp_path / "image.tif")
    answer(place, job, message, 5)
    layer = viewer.layers["Prediction"]
    assert layer.data.shape == (1, 60, 80)
    assert layer.translate.tolist() == [14, 0, 0]
    assert place.predictions.current.step == 5
    assert place.predictions.badge.text.startswith("Prediction: step 5, ")
    assert viewer.layers.selection.active is image


def test_an_answer_to_an_older_request_is_dropped_and_the_other_slice_comes_next(
    viewer, place, image, tmp_path, next_request
):
    job = training(place, tmp_path)
    first = next_request()
    viewer.dims.set_current_step(0, 3)
    second = next_request()
    answer(place, job, first, 4)
    assert place.predictions.current is None
    answer(place, job, second, 6)
    layer = place.predictions.current.layer.layer
    assert layer.translate[0] == 6
    viewer.dims.set_current_step(0, 4)
    answer(place, job, next_request(), 7)
    assert place.predictions.current.layer.layer is layer
    assert layer.translate[0] == 8
    # The same view again asks for nothing.
    sent = len(place.jobs.sent)
    viewer.scene.camera.center = tuple(c + 0.1 for c in viewer.scene.camera.center)
    place.predictions.live._timer.stop()
    place.predictions.live._ask()
    assert len(place.jobs.sent) == sent


@pytest.mark.parametrize(
    ("dims", "order", "shape"),
    [(2, (1, 0, 2), (20, 33, 80)), (2, (2, 0, 1), (20, 60, 33)), (3, (0, 1, 2), (20, 60, 80))],
)
def test_every_order_of_axes(viewer, place, image, tmp_path, next_request, dims, order, shape):
    viewer.dims.order = order
    viewer.reset_view()
    job = training(place, tmp_path, dims)
    message = next_request()
    pixels = np.load(job.path / message["view"]["file"])[0]
    assert pixels.shape == shape
    answer(place, job, message, 1)
    region = place.predictions.current.placement.start
    assert np.array_equal(pixels, image.data[tuple(slice(a, a + n) for a, n in zip(region, shape, strict=True))])
    assert place.predictions.current.voxel_at(viewer.dims.point) is not None


def test_a_3d_view_and_a_magnification(viewer, place, image, tmp_path, next_request):
    viewer.dims.ndisplay = 3
    job = training(place, tmp_path, 3, magnification="2-2-1")
    message = next_request()
    assert np.load(job.path / message["view"]["file"]).shape == (1, 20, 30, 40)
    answer(place, job, message, 1)
    layer = viewer.layers["Prediction"]
    assert layer.scale.tolist() == [2, 2, 2]
    assert layer.translate.tolist() == [0, 0.5, 0.5]


def test_what_is_asked_for_is_bounded(viewer, place, tmp_path, next_request):
    layer = viewer.add_image(np.zeros((3000, 3000), np.uint8))
    layer._source = layer.source.model_copy(update={"path": str(tmp_path / "image.tif")})
    job = training(place, tmp_path)
    pixels = np.load(job.path / next_request()["view"]["file"])
    assert 2**19 < pixels.size <= 2**20


def test_classes_have_names_and_further_layers(viewer, place, image, tmp_path, next_request):
    job = training(place, tmp_path, task="semantic")
    message = next_request()
    answer(place, job, message, 1)
    assert place.predictions.current.classes() == (1, 2)
    assert not place.predictions.current.provisional
    place.predictions.live.show_map("probability", True)
    place.predictions.live.show_map("uncertainty", True)
    assert viewer.layers["Prediction uncertainty"].data.max() == 9
    assert viewer.layers["Prediction probability"].data.max() == 255 - 180
    place.predictions.live.show_map("uncertainty", False)
    assert "Prediction uncertainty" not in viewer.layers
    place.predictions.set_threshold(0.9)
    assert not np.asarray(viewer.layers["Prediction"].data).any()


def test_trouble_is_told_in_the_dock_and_the_training_goes_on(viewer, place, image, tmp_path, next_request, wait_for):
    job = training(place, tmp_path)
    next_request()
    viewer.layers.remove(image)
    wait_for(lambda: place.predictions.live.trouble, what="trouble")
    assert "not open" in place.predictions.live.trouble
    viewer.layers.append(image)
    wait_for(lambda: not place.predictions.live.trouble, what="no trouble")
    place.jobs.states[job.path] = "done"
    place.jobs.changed.emit(job)
    assert place.predictions.live.training is None
    assert not place.predictions.badge.text


def test_a_request_is_sent_again_when_the_worker_takes_the_job(place, image, tmp_path, next_request):
    job = training(place, tmp_path)
    message = next_request()
    place.jobs.changed.emit(job)
    assert place.jobs.sent[-1] == message
    assert len(place.jobs.sent) > 1
    answer(place, job, message, 1)
    sent = len(place.jobs.sent)
    place.jobs.changed.emit(job)
    assert len(place.jobs.sent) == sent


def test_live_predictions_can_be_switched_off(viewer, place, image, tmp_path, next_request):
    job = training(place, tmp_path)
    message = next_request()
    place.predictions.live.set_enabled(False)
    answer(place, job, message, 1)
    assert place.predictions.current is None


def test_the_layer_is_there_from_the_start_and_goes_if_nothing_comes(viewer, place, image, tmp_path, next_request):
    job = training(place, tmp_path)
    next_request()
    assert not np.asarray(viewer.layers["Prediction"].data).any()
    assert viewer.layers.selection.active is image
    place.jobs.states[job.path] = "failed"
    place.jobs.changed.emit(job)
    assert "Prediction" not in viewer.layers


@pytest.mark.parametrize("shown", [True])
def test_a_new_prediction_of_the_same_place_replaces_no_layer(viewer, place, image, tmp_path, next_request, wait_for):
    job = training(place, tmp_path)
    message = next_request()
    answer(place, job, message, 1)
    layer = viewer.layers["Prediction"]
    drawn: list[Any] = []
    layer.events.data.connect(drawn.append)
    before = viewer.screenshot(canvas_only=True, flash=False).astype(int)
    answer(place, job, message, 2, np.zeros((1, 60, 80), np.int32))
    after = viewer.screenshot(canvas_only=True, flash=False).astype(int)
    assert not drawn
    assert (np.abs(before - after).max(axis=-1) > 20).sum() > 1000
    assert not np.asarray(layer.data).any()
    # Once the training has ended the last prediction stays.
    place.jobs.states[job.path] = "done"
    place.jobs.changed.emit(job)
    assert viewer.layers["Prediction"] is layer
