"""The queue: jobs of one machine take turns, in the order in which their workers took them up.

There is no server. Every waiting worker looks at the locks of the jobs before it; a worker that dies is passed over.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ..errors import JobError
from .events import told_state
from .folder import JobFolder
from .inbox import Inbox, Message
from .lock import Owner, living_owner
from .registry import known_folders

WhenBusy = Literal["wait", "refuse", "run"]
_LOOK_EVERY = 0.5


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
    ahead = []
    for other, its in running_jobs(but=job.path):
        waits = told_state(other.events()) == "queued"
        if not waits or (its.acquired, str(other.path)) < (owner.acquired, str(job.path)):
            ahead.append(other)
    return ahead


def wait_for_turn(job: JobFolder, owner: Owner, inbox: Inbox) -> Iterator[list[JobFolder] | Message]:
    """Yield whom the job waits for whenever that changes, and messages that come; end when it is its turn."""
    before: list[JobFolder] = []
    while ahead := jobs_ahead(job, owner):
        if ahead != before:
            before = ahead
            yield ahead
        yield from inbox.messages()
        time.sleep(_LOOK_EVERY)
