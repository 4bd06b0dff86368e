"""What is known of the jobs of a window; nothing here starts, steers or reads any but those that are not followed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ...jobs import ACTIVE, Event, JobFolder, State
from ...jobs.folder import Kind
from .digest import Digest
from .follower import FollowThread


@dataclass
class KnownJob:
    """A job as far as it was heard of.

    Parameters
    ----------
    job : JobFolder
        Where it is.
    state : State
        After the last event.
    begun : float
        In seconds since 1970; 0 is not known.
    events : list of Event
        Since it is followed, and before.
    digest : Digest
        What they amount to.
    thread : FollowThread, optional
        Follows it; none of a job that has ended.
    preparing : bool
        Whether its folder is still being written.
    cancelled : bool
        Whether it was stopped while it was prepared.
    kind : {'training', 'prediction', 'evaluation'}
        What it does.
    """

    job: JobFolder
    state: State = "queued"
    begun: float = 0.0
    events: list[Event] = field(default_factory=list)
    digest: Digest = field(default_factory=Digest)
    thread: FollowThread | None = None
    preparing: bool = False
    cancelled: bool = False
    kind: Kind = "training"


class JobList:
    """The jobs of a window, to be asked at any time without waiting."""

    def __init__(self) -> None:
        self._known: dict[Path, KnownJob] = {}

    def all(self) -> list[JobFolder]:
        """Return the jobs that are known, the newest first; those of earlier sessions come shortly after the start."""
        return [known.job for known in sorted(self._known.values(), key=lambda known: known.begun, reverse=True)]

    def state(self, job: JobFolder) -> State:
        """Return the state of a job as far as it was heard of; nothing is read."""
        known = self._known.get(job.path)
        return known.state if known is not None else "interrupted"

    def preparing(self, job: JobFolder) -> bool:
        """Whether the folder of a job is still being written."""
        known = self._known.get(job.path)
        return known is not None and known.preparing

    def predicts(self, job: JobFolder) -> bool:
        """Whether a job predicts an image with a model."""
        return self.kind(job) == "prediction"

    def kind(self, job: JobFolder) -> Kind | None:
        """Return what a job does; None of one that is not known."""
        known = self._known.get(job.path)
        return None if known is None else known.kind

    def begun(self, job: JobFolder) -> float:
        """Return when a job was begun, in seconds since 1970; 0 when that is not known."""
        known = self._known.get(job.path)
        return known.begun if known is not None else 0.0

    def events(self, job: JobFolder) -> list[Event]:
        """Return the events of a job; those of a job that was not followed are read from its folder."""
        known = self._known.get(job.path)
        if known is not None and (known.events or known.thread is not None):
            return list(known.events)
        return job.events()

    def digest(self, job: JobFolder) -> Digest:
        """Return progress, curves and log of a job as far as it was heard of."""
        known = self._known.get(job.path)
        return known.digest if known is not None else Digest()

    def running(self) -> list[JobFolder]:
        """Return the jobs that are being prepared, wait or run, the newest first."""
        return [job for job in self.all() if self._known[job.path].thread is not None]

    def newest_running(self) -> JobFolder | None:
        """Return the training that was begun last among those that run."""
        running = (job for job in self.all() if self.state(job) in ACTIVE and self.kind(job) == "training")
        return next(running, None)
