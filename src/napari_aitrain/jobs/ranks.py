"""A job that torchrun has started in several processes: one runs it, and the others follow."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import AitrainError, ConfigError
from ..training.distributed_place import Place, place_here
from .environment import output_to, threads
from .folder import JobFolder

if TYPE_CHECKING:
    from ..training.config import TrainConfig
    from ..training.distributed import Team
    from ..training.distributed_meeting import Meeting


@contextlib.contextmanager
def meeting_here() -> Iterator[Meeting | None]:
    """Give the meeting that this process leads, if any; at the end those who still wait are sent home."""
    place = place_here()
    if place is None:
        yield None
        return
    from ..training.distributed_meeting import Meeting

    meeting = Meeting(place)
    try:
        yield meeting
    finally:
        meeting.begin(False)


def team_of(meeting: Meeting | None, config: TrainConfig) -> Team | None:
    """Call those who wait, and return all who train together; None where this process trains alone."""
    if meeting is None:
        return None
    from ..training.distributed import Team

    meeting.begin(True)
    return Team(meeting, config.device)


def refuse_processes(meeting: Meeting | None) -> None:
    """Raise `ConfigError` if torchrun has started what only a training can use."""
    if meeting is not None:
        raise ConfigError(
            f"torchrun started {meeting.place.size} processes for a prediction",
            "torchrun for trainings alone",
            "give `napari-aitrain predict` a --scheduler",
        )


def follow_job(folder: Path, place: Place) -> int:
    """Take part in the training of a job folder that another process leads; return 0 when it ended well, else 1.

    What is printed, and why it failed, goes into ``worker-RANK.log`` of the folder.
    """
    told_to_end = threading.Event()
    # The leader is told too, and saves what was learned: until it ends, it needs this process.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told_to_end.set())
    try:
        job = JobFolder.open(folder)
    except AitrainError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    with output_to(job.path / f"worker-{place.rank}.log"):
        try:
            _follow(job, place, told_to_end)
        except Exception:  # the edge of the process
            traceback.print_exc()
            return 1
    return 0


def _follow(job: JobFolder, place: Place, told_to_end: threading.Event) -> None:
    from ..training.distributed import Team
    from ..training.distributed_follow import follow_training
    from ..training.distributed_meeting import Meeting

    meeting = Meeting(place)
    if not meeting.await_begin(told_to_end.is_set):
        return
    try:
        config = job.config()
        team = Team(meeting, config.device)
    except AitrainError as error:
        meeting.tell_failure(error)
        raise
    with threads(config.threads):
        follow_training(job.path, config, team)
