"""Trainings in two processes that torchrun starts, on the processor: they learn what one does from the joint batch."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tifffile

from napari_aitrain.annotation.boxes import Box
from napari_aitrain.errors import ConfigError, DeviceError
from napari_aitrain.jobs import STOP, JobFolder, last
from napari_aitrain.jobs.inbox import ground_truth
from napari_aitrain.models import load_model
from napari_aitrain.training.config import Source, TrainConfig
from napari_aitrain.training.distributed import device_of
from napari_aitrain.training.distributed_place import Place, place_here

SCRIPT = Path(__file__).parents[1] / "helpers" / "recorded_training.py"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
LONG = 1_000_000
MakeJob = Callable[..., JobFolder]


@pytest.fixture(autouse=True)
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AITRAIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def make_job(make_config: Callable[..., TrainConfig], tmp_path: Path) -> MakeJob:
    def make(name: str, config: TrainConfig | None = None, **settings: Any) -> JobFolder:
        (tmp_path / f"{name} rows").mkdir()
        return JobFolder.create(config or make_config(**settings), tmp_path / name)

    return make


def start(job: JobFolder, processes: int, *spoil: str) -> subprocess.Popen[bytes]:
    runner = TORCHRUN if processes == 2 else [sys.executable]
    return subprocess.Popen([*runner, str(SCRIPT), str(job.path), f"{job.path} rows", *spoil], stdin=subprocess.DEVNULL)


def run(job: JobFolder, processes: int, *spoil: str) -> list[list[dict[str, float]]]:
    """Run a job to its end; return the rows of every process."""
    start(job, processes, *spoil).wait(timeout=150)
    return [json.loads(Path(f"{job.path} rows", f"losses-{rank}.json").read_text()) for rank in range(processes)]


def column(rows: list[dict[str, float]], name: str) -> list[float]:
    return [row[name] for row in rows]


def await_steps(job: JobFolder, process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Wait until steps are taken; return the processes that train, the leader first."""
    while not any(event.kind == "progress" for event in job.events()):
        assert process.poll() is None, job.log.read_text()
        time.sleep(0.1)
    leader = last(job.events(), "state")
    assert leader is not None
    first = [event.data["pid"] for event in job.events() if "pid" in event.data][-1]
    return sorted(psutil.Process(process.pid).children(), key=lambda child: child.pid != first)


def stack_config(folder: Path) -> TrainConfig:
    """Return a training on neurons in a small stack."""
    chance = np.random.default_rng(0)
    sources = []
    for role in ("train", "validation"):
        ids = np.kron(chance.permutation(64).reshape(4, 4, 4) + 1, np.ones((4, 12, 12))).astype(np.uint16)
        tifffile.imwrite(folder / f"{role}.tif", chance.normal(ids % 7 * 20, 5).clip(0, 255).astype(np.uint8))
        tifffile.imwrite(folder / f"{role} ids.tif", ids)
        box = Box(start=(0, 0, 0), stop=ids.shape, role=role)
        paths = {"image": folder / f"{role}.tif", "labels": folder / f"{role} ids.tif"}
        sources.append(Source(**paths, axes="zyx", voxel_size=(40, 10, 10), boxes=(box,)))
    return TrainConfig(task="neurons", sources=tuple(sources), steps=5, patch_shape=(8, 32, 32), batch_size=2,
                       precision="float32", network="small", dims="3", start_from="scratch")  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", ["instances", "semantic", "neurons"])
def test_two_processes_have_the_loss_curve_of_one_with_the_joint_batch(case, make_job: MakeJob, make_config, tmp_path):
    # Three patches are shared unevenly, and a forest teaches where strokes leave voxels unlabelled.
    settings: dict[str, Any] = {
        "instances": {"steps": 12, "augmentation": "full"},
        "semantic": {"task": "semantic", "steps": 8, "batch_size": 3, "augmentation": "full"},
        "neurons": {},
    }[case]
    config = stack_config(tmp_path) if case == "neurons" else make_config(**settings)
    if case == "semantic":
        config = config.model_copy(update={"sources": tuple(_strokes(source) for source in config.sources)})
    alone, both = make_job("alone", config), make_job("both", config)
    (one,) = run(alone, 1)
    first, second = run(both, 2)
    assert len(one) == len(first) == len(second) == config.steps
    # The same patches, varied alike; one loss for both; the same weights after every step.
    np.testing.assert_allclose(column(one, "image"), np.add(column(first, "image"), column(second, "image")))
    assert column(first, "loss") == column(second, "loss")
    assert column(first, "weights") == column(second, "weights")
    # Sums over two processes round otherwise: that is all at first, and training lets it grow.
    np.testing.assert_allclose(column(one, "loss")[:2], column(first, "loss")[:2], rtol=1e-4)
    np.testing.assert_allclose(column(one, "loss"), column(first, "loss"), rtol=5e-3)
    assert both.state() == "done"
    assert [event.seq for event in both.events()] == list(range(1, len(both.events()) + 1)), "one process writes"
    assert "Traceback" not in (both.path / "worker-1.log").read_text()
    assert load_model(both.path).card.steps == config.steps


def _strokes(source: Source) -> Source:
    """Leave some stripes of the labels, as classes."""
    labels = tifffile.imread(source.labels)
    classes = np.where(labels > 0, 2, 1).astype(np.uint8)
    classes[np.arange(len(classes)) % 9 > 2] = 0
    tifffile.imwrite(source.labels, classes)
    boxes = tuple(box.model_copy(update={"dense": False}) for box in source.boxes)
    return source.model_copy(update={"boxes": boxes, "sparse": True, "background_id": 1})


@pytest.mark.slow
def test_a_stopped_training_goes_on_with_another_number_of_processes(make_job: MakeJob) -> None:
    whole, broken = make_job("whole", steps=LONG), make_job("broken", steps=LONG)
    process = start(broken, 2)
    await_steps(broken, process)
    broken.send(STOP)
    assert process.wait(timeout=60) == 0
    assert broken.state() == "stopped"
    taken = json.loads(Path(f"{broken.path} rows", "losses-0.json").read_text())
    for job in (whole, broken):
        text = (job.path / "job.yaml").read_text(encoding="utf-8")
        (job.path / "job.yaml").write_text(text.replace(f"steps: {LONG}", f"steps: {len(taken) + 4}"), "utf-8")
    (rest,) = run(broken, 1)
    (expected,) = run(whole, 1)
    np.testing.assert_allclose(column(expected, "loss"), column(taken + rest, "loss"), rtol=2e-2)
    np.testing.assert_allclose(column(expected, "image")[-4:], column(rest, "image"))


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_when_one_process_is_killed_the_other_ends_and_says_so(victim, make_job: MakeJob) -> None:
    job = make_job("job", steps=LONG)
    process = start(job, 2)
    trainees = await_steps(job, process)
    trainees[victim].kill()
    assert process.wait(timeout=60) != 0
    assert not any(trainee.is_running() for trainee in trainees)
    if victim == 0:
        assert job.state() == "interrupted"
        assert "the process of rank 0" in (job.path / "worker-1.log").read_text()
        return
    failed = last(job.events(), "failed")
    assert failed is not None
    assert re.search(rf"rank 1 \(number {trainees[1].pid} on .*\) ended without a word", failed.data["what"])
    checkpoint = last(job.events(), "checkpoint")
    assert checkpoint is not None and checkpoint.data["step"] > 0, "what was learned until then is kept"


@pytest.mark.slow
def test_the_error_of_a_follower_is_told_in_its_words(make_job: MakeJob) -> None:
    job = make_job("job", steps=LONG)
    run(job, 2, "error", "1", "3")
    failed = last(job.events(), "failed")
    assert failed is not None
    assert "rank 1" in failed.data["what"] and "the paint is wet" in failed.data["what"]
    assert failed.data["remedy"] == "wait until it has dried"
    assert job.state() == "failed"


@pytest.mark.slow
def test_a_loss_that_is_no_number_in_one_process_takes_both_back(make_job: MakeJob) -> None:
    job = make_job("job", steps=5)
    first, second = run(job, 2, "nan", "1", "2")
    assert np.isnan(column(first, "loss")).tolist() == np.isnan(column(second, "loss")).tolist()
    assert np.isnan(column(first, "loss")).sum() == 1
    assert column(first, "weights") == column(second, "weights")
    assert [event.data["message"] for event in job.events() if "half the learning rate" in str(event.data)]
    assert job.state() == "done"


@pytest.mark.slow
def test_all_processes_learn_from_new_ground_truth(make_job: MakeJob, make_config) -> None:
    config = make_config(steps=LONG)
    job = make_job("job", config)
    process = start(job, 2)
    await_steps(job, process)
    source = config.sources[0]
    tifffile.imwrite(source.labels, np.roll(tifffile.imread(source.labels), 7, 0))
    job.send(ground_truth(config.sources))
    steps = []
    while len(steps) < 2:
        assert process.poll() is None
        time.sleep(0.2)
        events = job.events()
        taken = [event.seq for event in events if event.kind == "ground-truth" and event.data["changed"] == 1]
        steps = [event for event in events if taken and event.seq > taken[0] and event.kind == "progress"]
    job.send(STOP)
    assert process.wait(timeout=60) == 0
    first, second = (json.loads(Path(f"{job.path} rows", f"losses-{rank}.json").read_text()) for rank in range(2))
    assert column(first, "weights") == column(second, "weights")
    assert job.state() == "stopped"


@pytest.mark.slow
def test_more_processes_than_patches_are_refused(make_job: MakeJob) -> None:
    job = make_job("job", batch_size=1)
    assert start(job, 2).wait(timeout=100) != 0
    failed = last(job.events(), "failed")
    assert failed is not None
    assert failed.data["error"] == "ConfigError"
    assert "1 patches" in failed.data["what"]


def cli(*arguments: str, runner: list[str] | None = None) -> subprocess.Popen[str]:
    command = [*(runner or [sys.executable]), "-m", "napari_aitrain", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ))


@pytest.mark.slow
def test_the_command_line_starts_torchrun_and_ctrl_c_stops_all(make_job: MakeJob) -> None:
    job = make_job("job", steps=LONG)
    process = cli("train", str(job.path), "--processes", "2")
    while not any(event.kind == "progress" for event in job.events()):
        assert process.poll() is None
        time.sleep(0.1)
    started = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=90)
    assert process.returncode == 130
    assert "shared by 2 processes" in said and "Stopped" in said
    assert job.state() == "stopped"
    assert not any(one.is_running() for one in started)


@pytest.mark.slow
def test_torchrun_runs_the_command_line(make_job: MakeJob) -> None:
    job = make_job("job", steps=3)
    said, _ = cli("train", str(job.path), runner=TORCHRUN).communicate(timeout=150)
    assert said.count("Done after") == 1
    assert job.state() == "done"


def test_only_a_written_job_can_be_given_to_torchrun(monkeypatch, tmp_path: Path) -> None:
    from napari_aitrain.cli.running import take_part

    for key, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(key, value)
    assert place_here() is None, "only torchrun counts"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    assert place_here() == Place(0, 2, 0, 2)
    with pytest.raises(ConfigError, match="a job of its own") as refused:
        take_part(tmp_path / "job.yaml")
    assert "--write-only" in refused.value.remedy
    with pytest.raises(ConfigError, match="each is to start 3"):
        take_part(tmp_path, 3)
    take_part(tmp_path)


def test_every_process_has_a_device_of_its_own(monkeypatch) -> None:
    import torch

    place = Place(3, 4, 1, 2)
    assert device_of(place, "cpu") == torch.device("cpu")
    with pytest.raises(ConfigError, match="one device for 4"):
        device_of(place, "cuda:0")
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert device_of(place, "auto") == torch.device("cuda:1")
    assert chosen == [1]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(DeviceError, match="2 processes share 1 GPUs"):
        device_of(place, "cuda")
