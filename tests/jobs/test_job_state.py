"""The state of a job: from its events, its lock, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from napari_aitrain.errors import ConfigError, GroundTruthError, JobError, OutputExistsError
from napari_aitrain.jobs import JobFolder, known_folders, stop_job, summarise
from napari_aitrain.jobs.events import EventLog
from napari_aitrain.jobs.inbox import Inbox
from napari_aitrain.jobs.lock import LOCK, Lock, living_owner
from napari_aitrain.jobs.queue import jobs_ahead, refuse_if_busy, wait_for_turn
from napari_aitrain.training.config import TrainConfig
from napari_aitrain.training.config_file import config_to_yaml

MakeJob = Callable[..., JobFolder]


def write_lock(job: JobFolder, **changes: object) -> None:
    with Lock(job.path) as lock:
        owner = vars(lock.owner) | changes
    (job.path / LOCK).write_text(json.dumps(owner), encoding="utf-8")


def test_a_new_job_is_whole_and_is_found_again(make_job: MakeJob, make_config: Callable[..., TrainConfig]) -> None:
    job = make_job(minutes=2.5)
    assert job.state() == "queued"
    assert job.config() == make_config(minutes=2.5, policy={"alone": True})
    assert (job.path / "crops" / "index.json").is_file()
    assert known_folders() == [job.path]
    assert JobFolder.open(job.path) == job


def test_an_empty_folder_is_taken_and_a_filled_one_is_not(
    tmp_path: Path, make_config: Callable[..., TrainConfig]
) -> None:
    (tmp_path / "empty").mkdir()
    JobFolder.create(make_config(), tmp_path / "empty")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    for folder in (tmp_path / "mine", tmp_path / "mine" / "notes.txt", tmp_path / "empty"):
        with pytest.raises(OutputExistsError):
            JobFolder.create(make_config(), folder)
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_what_cannot_be_trained_on_leaves_nothing_behind(
    tmp_path: Path, make_config: Callable[..., TrainConfig]
) -> None:
    import numpy as np
    import tifffile

    config = make_config()
    tifffile.imwrite(config.sources[0].labels, np.zeros((50, 50), np.uint8))
    with pytest.raises(GroundTruthError):
        JobFolder.create(config, tmp_path / "jobs" / "a")
    assert not (tmp_path / "jobs").exists()
    assert known_folders() == []


def test_deleted_jobs_are_forgotten(make_job: MakeJob, user_folder: Path) -> None:
    gone, kept = make_job("gone"), make_job("kept")
    shutil.rmtree(gone.path)
    assert known_folders() == [kept.path]
    assert len(list((user_folder / "job-entries").iterdir())) == 1
    with pytest.raises(JobError, match="does not exist"):
        gone.state()


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ([("state", "starting")], "interrupted"),
        ([("state", "running")], "interrupted"),
        ([("state", "running"), ("state", "paused")], "interrupted"),
        ([("state", "running"), ("done", None)], "done"),
        ([("state", "running"), ("state", "stopping"), ("done", None)], "stopped"),
        ([("state", "running"), ("failed", None)], "failed"),
        ([("failed", None), ("state", "queued")], "queued"),
        ([("state", "running"), ("state", "no such state")], "interrupted"),
    ],
)
def test_states_without_a_worker(make_job: MakeJob, told: list[tuple[str, str | None]], state: str) -> None:
    job = make_job()
    log = EventLog(job.path)
    for kind, value in told:
        log.emit(kind, **({} if value is None else {"state": value}))
    assert job.state() == state


def test_a_living_worker_keeps_its_state_and_its_folder(make_job: MakeJob) -> None:
    job = make_job()
    EventLog(job.path).emit("state", state="running")
    with Lock(job.path):
        assert job.state() == "running"
        for refused in (job.enqueue, job.remove, Lock(job.path).__enter__):
            with pytest.raises(JobError, match="is being run"):
                refused()
    assert job.state() == "interrupted"
    assert living_owner(job.path) is None


def test_a_later_process_of_the_same_number_is_not_the_worker(make_job: MakeJob) -> None:
    job = make_job()
    EventLog(job.path).emit("state", state="running")
    write_lock(job, started=psutil.Process().create_time() - 3600)
    assert job.state() == "interrupted"
    with Lock(job.path):
        assert job.state() == "running"


def test_the_lock_of_a_killed_process_is_taken_over(make_job: MakeJob) -> None:
    job = make_job()
    code = (
        "import os, sys; from pathlib import Path; from napari_aitrain.jobs.lock import Lock\n"
        "Lock(Path(sys.argv[1])).__enter__(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(job.path)], check=False, timeout=60)
    assert (job.path / LOCK).exists()
    assert living_owner(job.path) is None
    with Lock(job.path) as lock:
        assert living_owner(job.path) == lock.owner
    assert not list(job.path.glob(".lock*"))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_a_damaged_lock_holds_nothing(make_job: MakeJob, text: str) -> None:
    job = make_job()
    (job.path / LOCK).write_text(text)
    assert living_owner(job.path) is None
    with Lock(job.path):
        pass


def test_a_worker_on_another_machine_lives_by_its_heartbeat(make_job: MakeJob) -> None:
    job = make_job()
    EventLog(job.path).emit("state", state="running")
    write_lock(job, host="elsewhere")
    assert job.state() == "running"
    os.utime(job.path / LOCK, (0, 0))
    assert job.state() == "interrupted"


def test_following_ends_with_the_job(make_job: MakeJob) -> None:
    job = make_job()
    log = EventLog(job.path)
    log.emit("progress", step=1)
    assert [event.kind for event in job.follow()] == ["state", "progress"]
    assert [event.seq for event in job.follow(since=1)] == [2]
    with Lock(job.path):
        events = job.follow()
        assert [next(events).seq, next(events).seq] == [1, 2]
        log.emit("done", steps=1)
        assert next(events).kind == "done"
    assert list(events) == []


def test_following_a_worker_that_dies_before_it_takes_the_job(make_job: MakeJob) -> None:
    assert [e.kind for e in make_job().follow(alive=iter([True, True, False]).__next__)] == ["state"]


def test_removing_leaves_what_others_put_there(make_job: MakeJob) -> None:
    job, other = make_job("a"), make_job("b")
    (job.path / "my notes.txt").write_text("keep")
    job.remove()
    other.remove()
    assert [p.name for p in job.path.iterdir()] == ["my notes.txt"]
    assert not other.path.exists()
    assert known_folders() == []


def test_a_config_changed_by_hand_to_nonsense(make_job: MakeJob) -> None:
    job = make_job()
    (job.path / "job.yaml").write_text(config_to_yaml(job.config()) + "minuts: 3\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="minuts"):
        job.config()


def test_summary_of_a_job_that_ran_twice(make_job: MakeJob) -> None:
    job = make_job()
    log = EventLog(job.path)
    log.emit("state", state="running")
    log.emit("progress", step=5, seconds=1.0, best=0.5)
    log.emit("failed", error="StorageError", what="the disk is full", expected="", remedy="")
    assert summarise(job)["failed"]["what"] == "the disk is full"
    log.emit("state", state="queued")
    log.emit("state", state="running")
    log.emit("done", steps=9, seconds=2.0, best=0.4, device="cpu", precision="float32", model="elsewhere")
    found = summarise(job)
    assert "failed" not in found
    assert (found["state"], found["steps"], found["best"], found["model"]) == ("done", 9, 0.4, None)


def test_jobs_take_turns(make_job: MakeJob) -> None:
    first, second = make_job("first"), make_job("second")
    refuse_if_busy()
    with Lock(first.path) as one, Lock(second.path) as two:
        assert (jobs_ahead(first, one.owner), jobs_ahead(second, two.owner)) == ([], [first])
        with pytest.raises(JobError, match="one job at a time"):
            refuse_if_busy()
        EventLog(second.path).emit("state", state="running")
        assert jobs_ahead(first, one.owner) == [second]
        EventLog(second.path).emit("state", state="paused")
        assert jobs_ahead(first, one.owner) == []
        assert list(wait_for_turn(first, one.owner, Inbox(None))) == []
    assert jobs_ahead(first, one.owner) == []


def test_a_waiting_job_says_for_whom_and_hears(make_job: MakeJob) -> None:
    running, waiting = make_job("running"), make_job("waiting")
    inbox = Inbox(None)
    with Lock(running.path), Lock(waiting.path) as lock:
        EventLog(running.path).emit("state", state="running")
        news = wait_for_turn(waiting, lock.owner, inbox)
        assert next(news) == [running]
        inbox.put({"kind": "stop"})
        assert next(news) == {"kind": "stop"}


def test_stopping_a_queued_job_only_marks_it(make_job: MakeJob) -> None:
    job = make_job()
    assert stop_job(job) == "stopped"
    assert stop_job(job) == "stopped"
    assert [event.kind for event in job.events()] == ["state", "state"]


def test_control_messages_of_an_earlier_run_are_not_heard(make_job: MakeJob) -> None:
    job, inbox = make_job(), Inbox(None)
    job.send({"kind": "stop"})
    inbox.watch(job.path / "control.jsonl")
    assert inbox.messages() == []
