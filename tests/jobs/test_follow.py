"""Followers: woken by a bell or by the clock, and never confused by what a worker does wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from napari_aitrain.jobs import STOP, Follower, JobFolder, Worker
from napari_aitrain.jobs.bell import Bell, Ear
from napari_aitrain.jobs.events import EventLog
from napari_aitrain.jobs.lock import Lock

MakeJob = Callable[..., JobFolder]


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize("blocking", [False, True])
def test_a_ring_wakes_and_the_end_of_the_worker_wakes_once(blocking: bool) -> None:
    read, write = os.pipe()
    bell, ear = Bell(write, blocking), Ear(read)
    assert not ear.wait(0)
    bell.ring()
    assert ear.wait(10)
    bell.close()
    assert ear.wait(10)
    ear.join()
    assert not ear.wait(0)
    bell.ring()
    os.close(read)


@pytest.mark.parametrize("blocking", [False, True])
def test_a_bell_that_nobody_hears_never_keeps_the_worker(blocking: bool) -> None:
    read, write = os.pipe()
    bell = Bell(write, blocking)
    for _ in range(200_000):
        bell.ring()
    os.close(read)
    for _ in range(3):
        bell.ring()
    bell.close()


def test_rubbish_in_the_pipe_only_wakes() -> None:
    read, write = os.pipe()
    ear = Ear(read)
    os.write(write, bytes(range(256)) * 8)
    assert ear.wait(10)
    os.close(write)
    ear.join()
    os.close(read)


def test_a_wake_up_brings_the_event_at_once(make_job: MakeJob) -> None:
    job = make_job()
    woken = threading.Event()

    def wake(timeout: float) -> bool:
        found = woken.wait(timeout)
        woken.clear()
        return found

    with Lock(job.path):
        log = EventLog(job.path, woken.set)
        follower = Follower(job, wake)
        assert [event.kind for event in follower.wait(10)] == ["state"]
        got: list[str] = []
        thread = in_thread(lambda: got.extend(event.kind for event in follower.wait(60)))
        log.emit("progress", step=1)
        thread.join(30)
        assert got == ["progress"]
        assert follower.told == "queued"


def test_lines_that_are_no_events_are_passed_over(make_job: MakeJob) -> None:
    job = make_job()
    follower = Follower(job)
    with Lock(job.path):
        log = EventLog(job.path)
        rubbish = [
            b"\xff\xfe\x00",
            b"[" * 100_000,
            b'{"seq": "x"}',
            b'{"seq": 1, "time": 0, "kind": 3, "data": {}}',
            b"1",
        ]
        with open(job.path / "events.jsonl", "ab") as file:
            for line in rubbish:
                file.write(line + b"\n")
        log.emit("done", steps=1)
        assert [event.kind for event in follower.read()] == ["state", "done"]
    assert list(follower) == []


def test_a_follower_is_closed_from_another_thread(make_job: MakeJob) -> None:
    job = make_job()
    with Lock(job.path):
        EventLog(job.path).emit("state", state="running")
        follower = Follower(job)
        seen: list[str] = []
        thread = in_thread(lambda: seen.extend(event.kind for event in follower))
        follower.close()
        thread.join(30)
        assert not thread.is_alive()


def test_a_worker_that_is_killed_ends_the_following(make_job: MakeJob) -> None:
    job = make_job()
    code = (
        "import os, sys; from pathlib import Path\n"
        "from napari_aitrain.jobs.lock import Lock; from napari_aitrain.jobs.events import EventLog\n"
        "Lock(Path(sys.argv[1])).__enter__(); EventLog(Path(sys.argv[1])).emit('state', state='running'); os._exit(9)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(job.path)]) as dying:
        events = list(Follower(job, alive=lambda: dying.poll() is None))
    assert [event.data for event in events] == [{"state": "queued"}, {"state": "running"}]
    assert job.state() == "interrupted"


def test_a_deleted_folder_ends_the_following(make_job: MakeJob) -> None:
    job = make_job()
    follower = Follower(job)
    follower.read()
    job.remove()
    assert list(follower) == []


def test_a_worker_wakes_its_window_and_keeps_what_it_prints_to_its_log(
    make_job: MakeJob,
) -> None:
    job = make_job(steps=None, minutes=10)
    worker = Worker(job, notify=True)
    follower = Follower(job, worker.wait_news, alive=lambda: worker.alive)
    lags = []
    for event in follower:
        lags.append(time.time() - event.time)
        if event.kind == "progress":
            worker.send(STOP)
    assert job.state() == "stopped"
    assert worker.process.wait(60) == 0
    assert sorted(lags)[len(lags) // 2] < 0.1
    worker.close()
    assert not any(thread.name == "ear" for thread in threading.enumerate())
    worker.wait_news(0)
    assert not worker.wait_news(0)
