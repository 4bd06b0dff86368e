"""One plain thread per followed job: it prepares, starts, reads events and says when it is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...errors import AitrainError
from ...jobs import ENDED, Event, JobFolder, State, Worker, told_state
from ...jobs.events import EventTail
from ...jobs.lock import living_owner
from .digest import Digest

_POLL = 0.1
_ALIVE_EVERY = 0.5
SILENCE = 60.0
"""Seconds without an event after which a running worker is said to hang."""


@dataclass(frozen=True)
class News:
    """What a follower has to say.

    Parameters
    ----------
    events : sequence of Event
        What came.
    state : State
        The state after that.
    history : sequence of Event
        What was there before the job was followed; with the first news only.
    digest : Digest, optional
        What it amounts to; gathered in the thread, because a log can be long.
    error : AitrainError, optional
        Why the job could not be started.
    silent : bool
        Whether a running worker has given no sign of life for long.
    over : bool
        Whether this is the last word.
    """

    events: Sequence[Event] = ()
    state: State = "queued"
    history: Sequence[Event] = ()
    digest: Digest | None = None
    error: AitrainError | None = None
    silent: bool = False
    over: bool = False


class FollowThread(threading.Thread):
    """Follows a job until it has ended.

    Parameters
    ----------
    job : JobFolder
        It need not exist yet if `begin` makes it.
    tell : callable
        Is given `News`, in this thread.
    begin : callable, optional
        Makes the folder, or readies it, and gives it to a worker, which it returns; run in the thread.
    """

    def __init__(
        self, job: JobFolder, tell: Callable[[News], None], begin: Callable[[], Worker | None] | None = None
    ) -> None:
        super().__init__(name=f"follow {job.name}", daemon=True)
        self.job = job
        self._tell = tell
        self._begin = begin
        self._worker: Worker | None = None
        self._closing = threading.Event()
        self._heard = 0.0
        self._looked = 0.0

    def run(self) -> None:
        """Prepare, then read until the end."""
        tail = EventTail(self.job.path)
        history = tail.read()
        if self._begin is not None:
            try:
                self._worker = self._begin()
            except AitrainError as error:
                self._tell(News((), "failed", history, Digest(history), error=error, over=True))
                return
        self._follow(tail, history)

    def _follow(self, tail: EventTail, history: list[Event]) -> None:
        told = told_state(history)
        self._heard = time.monotonic()
        first, state, silent = True, told, False
        while not self._closing.is_set():
            # Who lives is asked before what was said: a worker that ends well in between has said so.
            lives = self._lives() if first or self._due() or told in ENDED else True
            new = tail.read()
            told = told_state(new, told)
            now: State = told or "queued"
            if not lives and now not in ENDED:
                now = "interrupted"
            hangs = self._hangs(new, now)
            over = not lives
            if first or new or now != state or (hangs and not silent) or over:
                past = Digest(history) if first else None
                self._tell(News(new, now, history if first else (), past, silent=hangs and not silent, over=over))
            if over:
                return
            first, state, silent = False, now, hangs
            if not new:
                self._wait(told)

    def close(self) -> None:
        """End following, soon; the job is left alone."""
        self._closing.set()
        if self._worker is not None:
            self._worker.wake()

    def _wait(self, told: State | None) -> None:
        # The pipe of a worker that waits for its turn or has ended stays silent.
        if self._worker is None or told in ENDED or not self._worker.alive:
            self._closing.wait(_POLL)
        else:
            self._worker.wait_news(_ALIVE_EVERY)

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self._looked < _ALIVE_EVERY:
            return False
        self._looked = now
        return True

    def _hangs(self, new: list[Event], state: State) -> bool:
        now = time.monotonic()
        self._heard = now if new else self._heard
        return state == "running" and now - self._heard > SILENCE

    def _lives(self) -> bool:
        if living_owner(self.job.path) is not None:
            return True
        return self._worker is not None and self._worker.alive and self._worker.working()
