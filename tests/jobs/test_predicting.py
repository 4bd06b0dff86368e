"""Prediction jobs: a folder like a training's, run by the same worker."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_aitrain.errors import AitrainError, ConfigError
from napari_aitrain.geometry import Region
from napari_aitrain.inference import StoredPrediction
from napari_aitrain.jobs import RESUME, STOP, JobFolder, PredictConfig, Worker, last, measure, summarise
from napari_aitrain.jobs.events import read_events
from napari_aitrain.jobs.inbox import Inbox
from napari_aitrain.jobs.predict_config import parse_predict_config
from napari_aitrain.jobs.worker import run_job
from napari_aitrain.training.config import TrainConfig
from napari_aitrain.training.config_file import config_to_yaml

MakeJob = Callable[..., JobFolder]


@pytest.fixture
def make_prediction(make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., JobFolder]:
    """Return a factory of prediction jobs with a model of its own and an image of a few blocks."""
    monkeypatch.setattr("napari_aitrain.inference.planning.tile_voxels", lambda network: 2**16)
    monkeypatch.setattr("napari_aitrain.inference.planning.DECODE_VOXELS", 2**18)
    trained = make_job("trained")
    assert run_job(trained, Inbox(None)) == 0
    image = tmp_path / "large.tif"
    tifffile.imwrite(image, np.random.default_rng(1).normal(80, 30, (360, 360)).clip(0, 255).astype(np.uint8))

    def make(name: str = "prediction", **settings: Any) -> JobFolder:
        config = PredictConfig(model=trained.path, image=image, precision="float32", **settings)
        return JobFolder.create_prediction(config, tmp_path / "jobs" / name)

    return make


def test_a_prediction_tells_blocks_and_leaves_a_store(make_prediction: MakeJob, tmp_path: Path) -> None:
    region = Region((0, 8, 16), (1, 208, 316))
    job = make_prediction(region=region, out=tmp_path / "new" / "out.tif", threshold=0.0)
    assert isinstance(job.settings(), PredictConfig)
    assert job.state() == "queued"
    assert run_job(job, Inbox(None)) == 0
    assert job.state() == "done"
    events = job.events()
    blocks = [event.data for event in events if event.kind == "block"]
    assert list(dict.fromkeys(block["stage"] for block in blocks)) == ["network", "objects", "stitching"]
    assert max(tuple(block["stop"]) for block in blocks if block["stage"] == "stitching") == region.shape
    fractions = [event.data["fraction"] for event in events if event.kind == "progress"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    stored = StoredPrediction.open(job.prediction)
    assert stored.info.start == region.start
    assert np.array_equal(tifffile.imread(tmp_path / "new" / "out.tif"), stored.labels(threshold=0.0)[0])
    summary = summarise(job)
    assert (summary["kind"], summary["prediction"]) == ("prediction", str(job.prediction))
    job.remove()
    assert not job.path.exists()
    assert (tmp_path / "new" / "out.tif").exists()


class Interrupted(Inbox):
    """Gives a message once so many blocks are there."""

    def __init__(self, job: JobFolder, blocks: int, act: Callable[[Inbox], None]) -> None:
        super().__init__(None)
        self._job, self._blocks, self._act = job, blocks, act

    def messages(self) -> list[dict[str, Any]]:
        if sum(event.kind == "block" for event in read_events(self._job.path)) == self._blocks:
            self._blocks = -1
            self._act(self)
        return super().messages()


def test_a_stopped_prediction_goes_on_where_it_was(make_prediction: MakeJob) -> None:
    whole, broken = make_prediction("whole"), make_prediction("broken")
    assert run_job(whole, Inbox(None)) == 0
    total = sum(event.kind == "block" for event in whole.events())
    assert total > 3
    assert run_job(broken, Interrupted(broken, 1, lambda inbox: inbox.put(STOP))) == 0
    assert broken.state() == "stopped"
    broken.enqueue()
    assert run_job(broken, Inbox(None)) == 0
    assert broken.state() == "done"
    assert sum(event.kind == "block" for event in broken.events()) == total
    first, second = (StoredPrediction.open(job.prediction) for job in (whole, broken))
    assert np.array_equal(first.labels(threshold=0.0), second.labels(threshold=0.0))


KILLED = """
import os, sys
from pathlib import Path
from napari_aitrain.jobs import JobFolder
from napari_aitrain.jobs.events import EventLog
from napari_aitrain.jobs.inbox import Inbox
from napari_aitrain.jobs.worker import run_job

emit = EventLog.emit

def die_after_a_block(self, kind, /, **data):
    emit(self, kind, **data)
    if kind == "block":
        os._exit(9)

EventLog.emit = die_after_a_block
run_job(JobFolder.open(Path(sys.argv[1])), Inbox(None))
"""


def test_a_killed_prediction_goes_on_where_it_was(make_prediction: MakeJob) -> None:
    job = make_prediction()
    killed = subprocess.run([sys.executable, "-c", KILLED, str(job.path)], timeout=120)
    assert killed.returncode == 9
    assert job.state() == "interrupted"
    job.enqueue()
    assert run_job(job, Inbox(None)) == 0
    blocks = [json.dumps(event.data) for event in job.events() if event.kind == "block"]
    assert len(blocks) == len(set(blocks))
    StoredPrediction.open(job.prediction)


def test_a_pause_waits_and_does_not_count(make_prediction: MakeJob) -> None:
    job = make_prediction()

    def pause(inbox: Inbox) -> None:
        for message in ({"kind": "pause"}, RESUME):
            inbox.put(message)

    assert run_job(job, Interrupted(job, 1, pause)) == 0
    told = [event.data["state"] for event in job.events() if event.kind == "state"]
    assert told == ["queued", "starting", "running", "paused", "running"]


def test_what_cannot_be_predicted_is_told(make_prediction: MakeJob, tmp_path: Path) -> None:
    job = make_prediction(region=Region((0, 0, 0), (9, 9, 9)))
    assert run_job(job, Inbox(None)) == 1
    failed = last(job.events(), "failed")
    assert failed is not None
    assert "cannot be predicted" in failed.data["what"]
    with pytest.raises(AitrainError):
        JobFolder.create_prediction(PredictConfig(model=tmp_path, image=tmp_path / "large.tif"), tmp_path / "a")
    with pytest.raises(AitrainError):
        make_prediction("b", device="abacus")
    assert not (tmp_path / "jobs" / "b").exists()


@pytest.mark.parametrize(
    "wrong", [{"modell": "x"}, {"threshold": 2}, {"region": {"start": [1, 1, 1], "stop": [1, 2, 2]}}, {"model": None}]
)
def test_a_wrong_setting_is_named(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        parse_predict_config({"model": "m", "image": "i", **wrong})


def test_a_warm_worker_measures_and_tells_what_is_wrong(
    make_config: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    config = make_config()
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(config_to_yaml(config), encoding="utf-8")
    bad.write_text("task: juggling", encoding="utf-8")
    worker = Worker(notify=True)
    answers = []
    for path in (good, bad):
        to = path.with_suffix(".json")
        worker.send(measure(path, to))
        while not to.exists():
            worker.wait_news(10)
        answers.append(json.loads(to.read_text(encoding="utf-8")))
    assert answers[0]["seconds_per_step"] > 0
    assert "juggling" in answers[1]["what"]
    assert worker.idle
    worker.close()
