"""The queue: jobs of one machine take turns, in the order in which they were queued, or as a person chose.

There is no server. Every waiting worker looks at the locks of the jobs before it; a worker that dies is passed over.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ..errors import JobError
from ..volumes.atomic import atomic_write_text
from .events import told_state
from .folder import COMING, TURN, JobFolder
from .inbox import Inbox, Message
from .lock import Owner, living_owner
from .registry import known_folders

WhenBusy = Literal["wait", "refuse", "run"]
_LOOK_EVERY = 0.5
_BEFORE = 1.0
_PATIENCE = 60.0
"""Seconds that a worker may take to begin."""


def running_jobs(but: Path | None = None) -> Iterator[tuple[JobFolder, Owner]]:
    """Yield the jobs of this machine that a living worker has taken up and that are not paused."""
    for folder in known_folders():
        owner = None if folder == but else living_owner(folder)
        if owner is not None and owner.here:
            job = JobFolder(folder)
            if told_state(job.events()) != "paused":
                yield job, owner


def refuse_if_busy() -> None:
    """Refuse to start a second job at once.

    Raises
    ------
    JobError
        If a job is running or waiting on this machine.
    """
    for job, _ in running_jobs():
        raise JobError(
            f"the job {job.name} is running",
            "one job at a time",
            "wait until it ends, queue this one with --when-busy wait, or run both with --when-busy run",
        )


def jobs_ahead(job: JobFolder, owner: Owner) -> list[JobFolder]:
    """Return the jobs that a waiting worker lets go first."""
    mine = _rank(job, owner)
    ahead = [other for other in _coming_jobs(but=job.path) if _rank(other) < mine]
    for other, its in running_jobs(but=job.path):
        if not _waits(other) or _rank(other, its) < mine:
            ahead.append(other)
    return ahead


def waiting_jobs() -> list[JobFolder]:
    """Return the jobs of this machine that wait for their turn, the next one first."""
    waiting = [(_rank(job, owner), job) for job, owner in running_jobs() if _waits(job)]
    return [job for _, job in sorted(waiting, key=lambda pair: pair[0])]


def move(job: JobFolder, places: int) -> list[JobFolder]:
    """Move a waiting job in the queue, and return the queue as it is then.

    Parameters
    ----------
    job : JobFolder
        One that waits.
    places : int
        Backward; below 0 forward. Beyond the ends is the end.

    Raises
    ------
    JobError
        If it does not wait.
    StorageError
        If its folder cannot be written.
    """
    queue = waiting_jobs()
    if job not in queue:
        raise JobError(f"{job.name} does not wait for its turn", "a job in the queue", "see `napari-aitrain jobs list`")
    at = queue.index(job)
    to = min(max(0, at + places), len(queue) - 1)
    if to == at:
        return queue
    rest = [other for other in queue if other != job]
    turns = [_turn(other) for other in rest]
    before = turns[to - 1] if to > 0 else turns[0] - 2 * _BEFORE
    after = turns[to] if to < len(rest) else turns[-1] + 2 * _BEFORE
    set_turn(job, (before + after) / 2)
    return [*rest[:to], job, *rest[to:]]


def set_turn(job: JobFolder, turn: float) -> None:
    """Have a job wait as if it had been queued at this time, in seconds since 1970.

    Raises
    ------
    StorageError
        If its folder cannot be written.
    """
    atomic_write_text(job.path / TURN, repr(turn))


def wait_for_turn(job: JobFolder, owner: Owner, inbox: Inbox) -> Iterator[list[JobFolder] | Message]:
    """Yield whom the job waits for whenever that changes, and messages that come; end when it is its turn."""
    before: list[JobFolder] = []
    while ahead := jobs_ahead(job, owner):
        if ahead != before:
            before = ahead
            yield ahead
        yield from inbox.messages()
        time.sleep(_LOOK_EVERY)
    # Resumed later, it waits behind those that wait by then.
    with contextlib.suppress(OSError):
        (job.path / TURN).unlink(missing_ok=True)


def expect(job: JobFolder) -> None:
    """Note that a worker is coming for a job, so that those queued later let it go first, however slowly it begins."""
    with contextlib.suppress(OSError):
        (job.path / COMING).write_text(repr(time.time()), encoding="utf-8")


def arrived(job: JobFolder) -> None:
    """Note that the worker of a job has come."""
    with contextlib.suppress(OSError):
        (job.path / COMING).unlink(missing_ok=True)


def _coming_jobs(but: Path) -> Iterator[JobFolder]:
    for folder in known_folders():
        with contextlib.suppress(OSError, ValueError):
            age = time.time() - float((folder / COMING).read_text(encoding="utf-8"))
            # One that does not come is not waited for.
            if folder != but and age < _PATIENCE and living_owner(folder) is None and _waits(JobFolder(folder)):
                yield JobFolder(folder)


def _waits(job: JobFolder) -> bool:
    return told_state(job.events()) == "queued"


def _rank(job: JobFolder, owner: Owner | None = None) -> tuple[float, str]:
    return _turn(job, owner), str(job.path)


def _turn(job: JobFolder, owner: Owner | None = None) -> float:
    """Return when a job was queued, or the time that a move has put in its place.

    When its worker took it up would not do: of workers that start at once any may be the first.
    """
    with contextlib.suppress(OSError, ValueError):
        return float((job.path / TURN).read_text(encoding="utf-8"))
    queued = [event.time for event in job.events() if event.kind == "state" and event.data.get("state") == "queued"]
    if queued:
        return queued[-1]
    owner = owner or living_owner(job.path)
    return owner.acquired if owner is not None else time.time()
