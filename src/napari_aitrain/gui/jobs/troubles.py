"""What a person is told when a job goes wrong: once, what happened, and what to do."""

from __future__ import annotations

from ...errors import AitrainError, JobError
from ...jobs import JobFolder, last
from ...jobs.failure import as_error
from .follower import News


def what_is_wrong(job: JobFolder, news: News, cancelled: bool = False) -> AitrainError | None:
    """Return what a person should be told of news of a job, which they may have stopped, if anything."""
    if news.error is not None:
        return news.error
    if news.silent:
        return JobError(
            f"{job.name} has given no sign of life for a minute",
            "a worker that tells how it gets on",
            "wait if the machine is busy, or press Stop: a worker that does not answer is ended, checkpoints stay",
        )
    if not news.over:
        return None
    if news.state == "failed":
        told = last(news.events, "failed")
        return None if told is None else as_error(told.data)
    if news.state == "interrupted" and cancelled:
        return JobError(
            f"{job.name} did not answer when it was told to stop, so its worker was ended",
            "a worker that hears while it works",
            f"its last checkpoint is kept; a task of your own may never end: see {job.log}",
        )
    if news.state == "interrupted":
        return JobError(
            f"the worker of {job.name} ended without a word",
            "a worker that says how it ended",
            f"press Resume to go on from its last checkpoint; {job.log} has what it printed",
        )
    return None
