"""The jobs of a window with real workers and with workers that misbehave; no window is needed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_aitrain.errors import AitrainError
from napari_aitrain.gui.jobs import center as center_module
from napari_aitrain.gui.jobs import follower
from napari_aitrain.gui.jobs.center import JobCenter
from napari_aitrain.gui.jobs.job_list import KnownJob
from napari_aitrain.jobs import JobFolder, PredictConfig, Worker, last, stop_job
from napari_aitrain.jobs.lock import living_owner
from napari_aitrain.training.config import TrainConfig
from napari_aitrain.training.config_file import parse_config

pytestmark = pytest.mark.timeout(400)
LONG = {"steps": 1_000_000}
WaitFor = Callable[..., Any]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What people are told."""
    messages: list[str] = []
    monkeypatch.setattr(center_module, "report", lambda error: messages.append(str(error)))
    return messages


@pytest.fixture
def make_center(qapp: Any, told: list[str]) -> Iterator[Callable[..., JobCenter]]:
    made: list[JobCenter] = []

    def make(**options: Any) -> JobCenter:
        made.append(JobCenter(**options))
        return made[-1]

    yield make
    for center in made:
        center.keep_running = False
        center.close()


@pytest.fixture
def center(make_center: Callable[..., JobCenter]) -> JobCenter:
    return make_center()


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., TrainConfig]:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    labels = np.kron(np.arange(1, 17).reshape(4, 4) * (np.indices((4, 4)).sum(0) % 2), np.ones((24, 24)))
    image = np.random.default_rng(0).normal(50 + 80 * (labels > 0), 8).clip(0, 255).astype(np.uint8)
    tifffile.imwrite(tmp_path / "image.tif", image)
    tifffile.imwrite(tmp_path / "labels.tif", labels.astype(np.uint8))
    source = {"image": tmp_path / "image.tif", "labels": tmp_path / "labels.tif"}
    quick = {"steps": 3, "batch_size": 1, "patch_shape": (1, 64, 64), "precision": "float32", "network": "small",
             "start_from": "scratch"}  # fmt: skip

    def make(**settings: Any) -> TrainConfig:
        return parse_config({"sources": [source], **quick, **settings})

    return make


class FakeWorker(Worker):
    """A process that is given a job and does something else."""

    program = ""

    def __init__(self, job: JobFolder | None = None, **_options: Any) -> None:
        self.job = job
        self._ear = None
        command = [sys.executable, "-c", self.program if job is not None else "import sys; sys.stdin.read()"]
        where = job.path if job is not None else None
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=where, stdout=subprocess.DEVNULL)

    def run(self, job: JobFolder, **_options: Any) -> None:
        raise AssertionError("a warm worker that is not idle gets no job")

    @property
    def idle(self) -> bool:
        return False


def make_fake(text: str) -> type[FakeWorker]:
    return type("Fake", (FakeWorker,), {"program": text})


def test_a_training_runs_is_stopped_goes_on_is_killed_and_is_deleted(
    center: JobCenter, config: Any, wait_for: WaitFor, told: list[str]
) -> None:
    kinds: list[str] = []
    main = threading.current_thread()
    center.event.connect(lambda _job, event: kinds.append(event.kind if threading.current_thread() is main else "!"))
    center.prewarm()
    job = center.start(config(**LONG))
    assert center.preparing(job)
    assert center.all() == [job]
    wait_for(lambda: center.state(job) == "running" and center.digest(job).losses, 120)
    assert center.newest_running() == job
    assert "!" not in kinds

    center.pause(job)
    wait_for(lambda: center.state(job) == "paused", 20)
    center.resume(job)
    wait_for(lambda: center.state(job) == "running", 20)
    center.stop(job)
    wait_for(lambda: not center.running(), 20)
    assert center.state(job) == "stopped"
    assert (job.model / "model.json").is_file()

    step = center.digest(job).step
    center.resume(job)
    wait_for(lambda: center.digest(job).step > step, 120)
    owner = living_owner(job.path)
    assert owner is not None
    os.kill(owner.pid, signal.SIGKILL)
    wait_for(lambda: not center.running(), 20)
    assert center.state(job) == "interrupted"
    assert len(told) == 1
    assert "ended without a word" in told[0]
    assert "Resume" in told[0]

    center.remove(job)
    wait_for(lambda: not center.all(), 20)
    assert not job.path.exists()


def test_closing_leaves_a_running_job_alone_and_the_next_window_finds_it(
    make_center: Callable[..., JobCenter], config: Any, wait_for: WaitFor
) -> None:
    first = make_center()
    job = first.start(config(**LONG))
    wait_for(lambda: first.state(job) == "running", 120)
    first.close()
    assert living_owner(job.path) is not None
    second = make_center()
    wait_for(lambda: second.running(), 20)
    assert second.all() == [job]
    wait_for(lambda: second.state(job) == "running" and second.digest(job).losses, 20)
    second.stop(job)
    wait_for(lambda: not second.running(), 20)
    assert second.state(job) == "stopped"
    third = make_center()
    wait_for(lambda: third.all() == [job], 20)
    assert third.state(job) == "stopped"
    assert third.digest(job).best == second.digest(job).best


def test_closing_can_stop_the_jobs(center: JobCenter, config: Any, wait_for: WaitFor) -> None:
    job = center.start(config(**LONG))
    wait_for(lambda: center.state(job) == "running", 120)
    center.keep_running = False
    center.close()
    assert living_owner(job.path) is None
    assert job.state() == "stopped"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("follow", "stop", "ear"))]


def test_a_job_that_cannot_be_started_is_told_once_and_leaves_nothing(
    center: JobCenter, config: Any, wait_for: WaitFor, told: list[str]
) -> None:
    failures: list[tuple[str, AitrainError]] = []
    center.failed.connect(lambda name, error: failures.append((name, error)))
    job = center.start(config(device="abacus"))
    wait_for(lambda: failures)
    assert "abacus" in told[0]
    assert len(told) == 1
    assert center.all() == []
    assert not job.path.exists()


@pytest.mark.parametrize(
    "program",
    [
        "import os; os._exit(3)",
        "open('events.jsonl', 'a').write('{\"seq\": \\n\\x00rubbish}\\n[1]\\n'); print('x' * 99999)",
    ],
    ids=["dies", "prints rubbish"],
)
def test_a_worker_that_ends_without_a_word_is_told_once(
    program: str, make_center: Callable[..., JobCenter], config: Any, wait_for: WaitFor, told: list[str]
) -> None:
    center = make_center(make_worker=make_fake(program))
    job = center.start(config())
    wait_for(lambda: not center.running(), 20)
    assert center.state(job) == "interrupted"
    assert len(told) == 1


def test_a_worker_that_hangs_is_told_once_and_can_be_stopped(
    make_center: Callable[..., JobCenter],
    config: Any,
    wait_for: WaitFor,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follower, "SILENCE", 0.3)
    monkeypatch.setattr(center_module, "stop_job", lambda job, given_up: stop_job(job, 0.3, given_up))
    hanging = """
import pathlib, time
from napari_aitrain.jobs.events import EventLog
from napari_aitrain.jobs.lock import Lock
with Lock(pathlib.Path.cwd()):
    EventLog(pathlib.Path.cwd()).emit("state", state="running")
    time.sleep(600)
"""
    fake = make_fake(hanging)
    monkeypatch.setattr(fake, "stop", lambda self, given_up: stop_job(self.job, 0.3, given_up))
    center = make_center(make_worker=fake)
    job = center.start(config())
    wait_for(lambda: told, 30)
    assert "no sign of life" in told[0]
    center.stop(job)
    wait_for(lambda: not center.running(), 20)
    assert center.state(job) == "interrupted"
    assert len(told) == 2


def test_closing_does_not_wait_for_a_worker_that_was_told_to_stop_and_takes_long(
    make_center: Callable[..., JobCenter], config: Any, wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    saving = """
import pathlib, sys
from napari_aitrain.jobs.events import EventLog
from napari_aitrain.jobs.lock import Lock
with Lock(pathlib.Path.cwd()):
    EventLog(pathlib.Path.cwd()).emit("state", state="stopping")
    input()
    EventLog(pathlib.Path.cwd()).emit("state", state="stopped")
"""
    fake = make_fake(saving)
    monkeypatch.setattr(fake, "stop", lambda self, given_up: stop_job(self.job, 1e9, given_up))
    center = make_center(make_worker=fake)
    job = center.start(config())
    wait_for(lambda: center.state(job) == "stopping", 30)
    center.stop(job)
    center.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("follow", "stop"))]
    # Its pipe was closed, but it was left to end by itself.
    wait_for(lambda: living_owner(job.path) is None, 20)


def test_a_second_job_waits_and_can_be_taken_back(center: JobCenter, config: Any, wait_for: WaitFor) -> None:
    first = center.start(config(**LONG))
    wait_for(lambda: center.state(first) == "running", 120)
    second = center.start(config(**LONG))
    assert second.path != first.path
    wait_for(lambda: any("Waiting for" in line.text for line in center.digest(second).lines), 120)
    assert center.state(second) == "queued"
    center.stop(second)
    wait_for(lambda: center.running() == [first], 20)
    assert center.state(second) == "stopped"
    assert center.state(first) == "running"


def test_events_of_a_job_that_is_not_followed_are_read(
    make_center: Callable[..., JobCenter], config: Any, wait_for: WaitFor, tmp_path: Path
) -> None:
    job = JobFolder.create(config(), tmp_path / "jobs" / "earlier")
    center = make_center()
    wait_for(lambda: center.all() == [job])
    assert center.state(job) == "queued"
    assert last(center.events(job), "state") is not None


def test_a_prediction_that_was_interrupted_goes_on(
    make_center: Callable[..., JobCenter],
    config: Any,
    wait_for: WaitFor,
    told: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config()
    monkeypatch.setattr("napari_aitrain.jobs.settling.load_model", lambda _path: None)
    prediction = PredictConfig(model=tmp_path / "model", image=tmp_path / "image.tif")
    job = JobFolder.create_prediction(prediction, tmp_path / "jobs" / "prediction")
    given: list[Path] = []

    class Fake(make_fake("pass")):  # type: ignore[misc]
        def __init__(self, job: JobFolder | None = None, **options: Any) -> None:
            super().__init__(job, **options)
            given.extend([] if job is None else [job.path])

    center = make_center(make_worker=Fake)
    wait_for(lambda: center.all() == [job])
    center.resume(job)
    wait_for(lambda: given == [job.path] and not center.running(), 60)
    assert len(told) == 1 and "ended without a word" in told[0]

    (job.path / "job.yaml").write_text("kind: prediction", encoding="utf-8")
    center.resume(job)
    wait_for(lambda: not center.running(), 60)
    assert given == [job.path] and "job.yaml" in told[-1]


def test_the_newest_running_job_is_a_training(center: JobCenter, tmp_path: Path) -> None:
    for number, predicts in enumerate((False, True), start=1):
        job = JobFolder(tmp_path / str(number))
        center._known[job.path] = KnownJob(job, "running", begun=number, kind="prediction" if predicts else "training")
    newest = center.newest_running()
    assert newest is not None and newest.name == "1"
    center._known.clear()
