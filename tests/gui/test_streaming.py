"""A prediction of 64 GiB that grows in the window: nothing of it is read, and nothing waits, on the main thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import zarr
from qtpy.QtWidgets import QApplication

from napari_aitrain.geometry import Region
from napari_aitrain.gui.jobs.digest import Digest
from napari_aitrain.gui.review import forecast as forecast_module
from napari_aitrain.gui.review.dock import ReviewDock
from napari_aitrain.gui.review.prediction_layer import PredictionLayer
from napari_aitrain.gui.review.run import Run
from napari_aitrain.gui.review.stored_arrays import StoredArray
from napari_aitrain.gui.review.through import Held
from napari_aitrain.inference.info import LABELS, RAW, FailedBlock, PredictionInfo, write_info
from napari_aitrain.inference.objects import ObjectTable
from napari_aitrain.inference.stitching import PIECES, Pieces, block_file, first_id
from napari_aitrain.jobs import Event, JobFolder
from napari_aitrain.jobs.folder import CONFIG
from napari_aitrain.jobs.predict_config import PredictConfig, predict_config_to_yaml
from napari_aitrain.models import ModelCard

pytestmark = pytest.mark.timeout(600)
SIDE, BLOCK, CHUNK = 4096, (256, 512, 512), (32, 256, 256)
COUNTS = (16, 8, 8)
FIRST, SECOND = (8, 4, 4), (8, 4, 5)
MODEL = Path("/no/model")


@pytest.fixture
def shown() -> bool:
    return False


@pytest.fixture
def image(viewer: Any) -> Any:
    """A pyramid of 64 GiB."""
    da = pytest.importorskip("dask.array")
    levels = [da.zeros((SIDE // step,) * 3, np.uint8, chunks=256) for step in (1, 8, 64)]
    layer = viewer.add_image(levels, multiscale=True, contrast_limits=(0, 255), name="image")
    viewer.dims.set_point(0, 2112)
    return layer


class Grown:
    """A stored prediction of it, written by hand as the worker would."""

    def __init__(self, job: JobFolder) -> None:
        self.job, self.store = job, job.prediction
        self.store.mkdir(parents=True)
        one = (1, 1, 1)
        self.info = PredictionInfo(
            model_name="m", model_fingerprint="", image="image", image_fingerprint="", channels=("0",),
            task="instances", instances=True, classes=(0, 1), dims=3, heads=3, magnification=one, start=(0, 0, 0),
            shape=(SIDE,) * 3, voxel_size=None, low=(0,), high=(1,), multiple=one, halo=(0, 0, 0),
            overlap=(0, 0, 0), network_block=BLOCK, decode_block=BLOCK, threshold=0.2)  # fmt: skip
        write_info(self.store, self.info)
        self.raw = self._array(RAW)

    def block(self, place: tuple[int, int, int], scores: tuple[float, float]) -> Event:
        """Write a block of two objects, and return what the worker says of it."""
        index = int(np.ravel_multi_index(place, COUNTS))
        start = tuple(p * n for p, n in zip(place, BLOCK, strict=True))
        region = Region.from_shape(BLOCK, start)  # type: ignore[arg-type]
        labels = np.zeros(BLOCK, np.int32)
        labels[:, :256], labels[:, 256:] = first_id(index) + 1, first_id(index) + 2
        self.raw[region.slices] = labels
        whole, places = np.array([1, 1]), np.zeros((2, 3), np.int64)
        Pieces(whole, whole, places, places, places.astype(float), np.array(scores, np.float32),
               np.zeros((2, 1), np.float32)).save(block_file(self.store / PIECES, index))  # fmt: skip
        return Event(1, 0.0, "block", {"stage": "objects", "array": RAW, "start": start, "stop": region.stop})

    def finish(self, failed: tuple[FailedBlock, ...] = ()) -> None:
        """Write the end: one object."""
        labels = self._array(LABELS)
        labels[2048:2304, 2048:2560, 2048:2560] = 1
        zeros = np.zeros((2, 3))
        bounds = np.array([[0] * 3, [2048] * 3]), np.array([[0] * 3, [2304, 2560, 2560]])
        ObjectTable(np.array([0, 0.8], np.float32), np.array([0, 2**26]), *bounds, zeros, zeros.astype(np.float32),
                    np.array([0, 1], np.int32)).save(self.store)  # fmt: skip
        write_info(self.store, self.info.model_copy(update={"finished": True, "failed": failed}))

    def _array(self, name: str) -> Any:
        return zarr.create_array(
            self.store / name, shape=(SIDE,) * 3, chunks=CHUNK, dtype=np.int32, fill_value=0, overwrite=True
        )


@pytest.fixture
def grown(tmp_path: Path, image: Any, session: Any, monkeypatch: pytest.MonkeyPatch) -> Grown:
    job = JobFolder(tmp_path / "job")
    states = {job.path: "running"}
    monkeypatch.setattr(session.jobs, "state", lambda of: states.get(of.path, "done"))
    monkeypatch.setattr(session.jobs, "predicts", lambda of: True)
    grown = Grown(job)
    grown.states = states  # type: ignore[attr-defined]
    return grown


@pytest.fixture(autouse=True)
def nothing_is_read_on_the_main_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    wrong: list[str] = []

    def watched(of: type, name: str) -> None:
        real = getattr(of, name)

        def call(self: Any, *arguments: Any, **options: Any) -> Any:
            if threading.current_thread() is threading.main_thread():
                wrong.append(f"{of.__name__}.{name}")
            return real(self, *arguments, **options)

        monkeypatch.setattr(of, name, call)

    watched(StoredArray, "read")
    watched(StoredArray, "__getitem__")
    watched(Held, "__array__")
    yield
    assert wrong == []


def begin(session: Any, grown: Grown, image: Any) -> Run:
    layer = PredictionLayer(session.viewer, "image: prediction of all")
    run = Run(grown.job, MODEL, image, (), layer)
    session.predictions.runs.add(run, None)
    return run


def values(run: Run) -> set[int]:
    """Return what is on screen."""
    return set(np.unique(run.layer.layer._slice.image.raw).tolist()) if run.layer.present else set()


def test_it_grows_under_the_threshold_and_ends_with_objects(
    viewer: Any, session: Any, image: Any, grown: Grown, wait_for: Any
) -> None:
    run = begin(session, grown, image)
    longest = 0.0

    def patient(predicate: Any, what: str) -> Any:
        nonlocal longest
        end = time.monotonic() + 200
        while not (found := predicate()):
            assert time.monotonic() < end, what
            # Of this thread alone: the machine may be busy.
            began = time.thread_time()
            QApplication.processEvents()
            longest = max(longest, time.thread_time() - began)
            time.sleep(0.005)
        return found

    session.jobs.event.emit(grown.job, grown.block(FIRST, (0.3, 0.9)))
    patient(lambda: values(run) == {0, 1, 2}, "two objects")
    layer = run.layer.layer
    assert layer.multiscale and layer.data[0].shape == (SIDE,) * 3
    patient(lambda: len(run.shown.data.scores) == 3, "their scores")
    session.predictions.set_threshold(0.5)
    assert values(run) == {0, 2}
    session.jobs.event.emit(grown.job, grown.block(SECOND, (0.6, 0.1)))
    patient(lambda: values(run) == {0, 2, 3}, "another block, seen through the same threshold")
    patient(lambda: len(run.shown.data.scores) == 5, "its scores")
    session.predictions.set_threshold(0.05)
    # What the last block has below the threshold before may still be read.
    patient(lambda: values(run) == {0, 1, 2, 3, 4}, "all that there is")
    grown.finish()
    grown.states[grown.job.path] = "done"  # type: ignore[attr-defined]
    session.jobs.changed.emit(grown.job)
    patient(lambda: run.shown.stored is not None and values(run) == {0, 1}, "the end")
    assert run.layer.layer is layer
    assert session.predictions.current.size_of(1) == 2**26
    viewer.dims.ndisplay = 3
    patient(lambda: values(run) == {0, 1}, "the same in 3-D")
    assert longest < 2


def test_a_layer_that_a_person_removed_does_not_come_back_by_itself(
    viewer: Any, session: Any, image: Any, grown: Grown, wait_for: Any
) -> None:
    run = begin(session, grown, image)
    session.jobs.event.emit(grown.job, grown.block(FIRST, (0.3, 0.9)))
    wait_for(lambda: run.layer.present, 100)
    viewer.layers.remove(image)
    session.jobs.event.emit(grown.job, grown.block(SECOND, (0.3, 0.9)))
    wait_for(lambda: values(run) == {0, 1, 2, 3, 4}, 100, "more of it, though its image has gone")
    viewer.layers.remove(run.layer.layer)
    session.jobs.event.emit(grown.job, grown.block(FIRST, (0.3, 0.9)))
    grown.finish()
    session.jobs.event.emit(grown.job, Event(2, 0.0, "done", {}))
    QApplication.processEvents()
    assert not run.layer.present and run.shown is None
    assert not [one for one in threading.enumerate() if one.name == "napari-aitrain-tiles"]
    viewer.layers.append(image)
    session.predictions.runs.reopen(grown.job)
    wait_for(lambda: values(run) == {0, 1}, 100, "it again, as somebody wants it")


@pytest.mark.parametrize("state", ["running", "interrupted"])
def test_a_prediction_of_an_earlier_window_goes_on_or_offers_to(
    viewer: Any, session: Any, image: Any, grown: Grown, wait_for: Any, state: str, monkeypatch: pytest.MonkeyPatch,
    hand: Any,
) -> None:  # fmt: skip
    dock = ReviewDock(viewer)
    viewer.window.add_dock_widget(dock, name="Review")
    config = PredictConfig(name="image prediction", model=MODEL, image=grown.store / "elsewhere.zarr")
    (grown.job.path / CONFIG).write_text(predict_config_to_yaml(config))
    grown.block(FIRST, (0.3, 0.9))
    grown.states[grown.job.path] = state  # type: ignore[attr-defined]
    digest = Digest([Event(1, 0.0, "progress", {"done": 1, "total": 4, "fraction": 0.4, "stage": "network"})])
    monkeypatch.setattr(session.jobs, "digest", lambda of: digest)
    viewer.layers.remove(image)
    session.jobs.added.emit(grown.job)
    assert session.predictions.runs.all() == []
    viewer.layers.append(image)
    (run,) = session.predictions.runs.all()
    row = dock.view.predict.rows[str(grown.job.path)]
    assert row.bar.value() == 400
    if state == "running":
        wait_for(lambda: values(run) == {0, 1, 2}, 100, "the layer")
        assert not row.buttons["stop"].isHidden() and not row.buttons["pause"].isHidden()
        return
    asked: list[JobFolder] = []
    monkeypatch.setattr(session.jobs, "resume", asked.append)
    assert not run.layer.present
    assert "interrupted" in row.text.text()
    row.buttons["resume"].click()
    assert asked == [grown.job]


def test_blocks_that_failed_are_named(viewer: Any, session: Any, image: Any, grown: Grown, wait_for: Any) -> None:
    dock = ReviewDock(viewer)
    viewer.window.add_dock_widget(dock, name="Review")
    begin(session, grown, image)
    failed = {"stage": "network", "start": (0, 0, 256), "stop": (8, 64, 512), "error": "OSError: broken"}
    session.jobs.event.emit(grown.job, Event(1, 0.0, "failed-block", failed))
    row = dock.view.predict.rows[str(grown.job.path)]
    said = "x 256–511, y 0–63, z 0–7 could not be predicted: OSError: broken"
    assert row.trouble.text() == said
    grown.finish((FailedBlock.model_validate(failed),))
    grown.states[grown.job.path] = "done"  # type: ignore[attr-defined]
    session.jobs.changed.emit(grown.job)
    wait_for(lambda: session.predictions.current is not None, 100)
    assert row.trouble.text() == said and not row.buttons["resume"].isHidden()
    row.buttons["forget"].click()
    assert not dock.view.predict.rows


def test_time_and_disk_are_said_before_it_begins(
    viewer: Any, session: Any, image: Any, wait_for: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.json").write_text(ModelCard(task="instances", dims=3, network={}).model_dump_json())
    dock = ReviewDock(viewer)
    viewer.window.add_dock_widget(dock, name="Review")
    session.predictions.set_model(model)
    dock.controller._on_model(model)
    asked: list[Any] = []
    monkeypatch.setattr(
        session.jobs, "start_prediction", lambda config, at_once: asked.append(config) or JobFolder(tmp_path / "job")
    )
    monkeypatch.setattr(
        "napari_aitrain.gui.review.runs.config_of", lambda *given: SimpleNamespace(model=given[0], near=given[6])
    )
    monkeypatch.setattr(session.jobs, "estimate_prediction", lambda *_: {"seconds": 7200.0, "bytes_needed": 2**36})
    predict = dock.view.predict
    for free, possible in ((2**33, False), (2**40, True)):
        monkeypatch.setattr(forecast_module.shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        predict.buttons["volume"].click()
        wait_for(lambda: predict.ask.isVisibleTo(predict) and session.predictions.runs.asked, 100, "the question")
        text = predict.question.text()
        assert "About 2 h" in text and "64.0 GiB of disk" in text
        assert f"{free / 2**30:.1f} GiB are free" in text
        assert predict.begin.isEnabled() == possible
        if not possible:
            assert "not enough" in text
            predict.leave.click()
            assert not predict.ask.isVisibleTo(predict)
    assert asked == []
    predict.begin.click()
    assert len(asked) == 1 and asked[0].near[0] == pytest.approx(2112.5)
    assert not predict.ask.isVisibleTo(predict)
