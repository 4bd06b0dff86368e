"""The order of the queue: as workers took jobs up, unless a person moves them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_aitrain.errors import JobError
from napari_aitrain.jobs import JobFolder
from napari_aitrain.jobs.events import EventLog
from napari_aitrain.jobs.inbox import Inbox
from napari_aitrain.jobs.lock import Lock
from napari_aitrain.jobs.queue import arrived, expect, jobs_ahead, move, set_turn, wait_for_turn, waiting_jobs

NAMES = ("a", "b", "c", "d")


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[tuple[dict[str, JobFolder], dict[str, Lock]]]:
    """Four jobs that wait, each taken up by this process, and one that runs."""
    jobs, locks = {}, {}
    with contextlib.ExitStack() as held:
        for name in ("running", *NAMES):
            jobs[name] = JobFolder._write(tmp_path / "jobs" / name, "kind: prediction\n")
            locks[name] = held.enter_context(Lock(jobs[name].path))
        EventLog(jobs["running"].path).emit("state", state="running")
        yield jobs, locks


def names(jobs: list[JobFolder]) -> str:
    return "".join(job.name for job in jobs)


def test_jobs_are_moved_and_the_workers_see_the_same_order(queue) -> None:
    jobs, locks = queue
    assert names(waiting_jobs()) == "abcd"
    assert names(move(jobs["d"], -1)) == names(waiting_jobs()) == "abdc"
    assert names(move(jobs["a"], 2)) == names(waiting_jobs()) == "bdac"
    assert names(move(jobs["c"], -99)) == names(waiting_jobs()) == "cbda"
    assert names(move(jobs["c"], 99)) == names(waiting_jobs()) == "bdac"
    assert names(move(jobs["b"], -1)) == "bdac"
    # As the workers see it: each waits for the one that runs, and for those before it.
    for place, name in enumerate("bdac"):
        ahead = {job.name for job in jobs_ahead(jobs[name], locks[name].owner)}
        assert ahead == {"running", *"bdac"[:place]}


def test_a_job_that_is_used_at_once_goes_first_and_one_that_has_run_is_last_again(queue) -> None:
    jobs, locks = queue
    set_turn(jobs["d"], 0.0)
    assert names(waiting_jobs()) == "dabc"
    EventLog(jobs["running"].path).emit("state", state="done")
    locks["running"].__exit__(None, None, None)
    assert list(wait_for_turn(jobs["d"], locks["d"].owner, Inbox(None))) == []
    assert names(waiting_jobs()) == "abcd"


def test_a_job_whose_worker_is_slow_to_begin_is_not_overtaken(queue) -> None:
    jobs, locks = queue
    EventLog(jobs["running"].path).emit("state", state="done")
    for name in ("running", "a"):
        locks[name].__exit__(None, None, None)
    assert jobs_ahead(jobs["b"], locks["b"].owner) == []
    expect(jobs["a"])
    assert jobs_ahead(jobs["b"], locks["b"].owner) == [jobs["a"]]
    arrived(jobs["a"])
    (jobs["a"].path / "coming.txt").write_text("12.5")  # long ago: it never came
    assert jobs_ahead(jobs["b"], locks["b"].owner) == []


def test_what_does_not_wait_is_not_moved(queue) -> None:
    jobs, locks = queue
    with pytest.raises(JobError, match="does not wait"):
        move(jobs["running"], -1)
    locks["b"].__exit__(None, None, None)
    assert names(waiting_jobs()) == "acd"
    (jobs["c"].path / "turn.txt").write_text("rubbish")
    assert names(waiting_jobs()) == "acd"
