"""Following a job: its events as they come, with little delay and little work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .events import ENDED, Event, EventTail, State, told_state
from .lock import living_owner

if TYPE_CHECKING:
    from .folder import JobFolder

POLL = 0.1
_LOOK_EVERY = 0.5


class Follower:
    """Gives the events of a job to one thread; another may end it with `close`.

    The events file is the truth; the wake-up only saves waiting. Lines of the file that are no events, a worker that
    prints rubbish, that dies or never starts: none of it is told as an event, and none raises.

    Parameters
    ----------
    job : JobFolder
        The job.
    wake : callable, optional
        ``wake(seconds)`` waits for news up to this long, such as `Worker.wait_news`; without one the file is looked
        at ten times a second.
    since : int
        Give only events with a higher number.
    alive : callable, optional
        Whether a worker that was just given the job, and may not hold it yet, still lives.
    """

    def __init__(
        self,
        job: JobFolder,
        wake: Callable[[float], bool] | None = None,
        *,
        since: int = 0,
        alive: Callable[[], bool] | None = None,
    ) -> None:
        self.job = job
        self._tail = EventTail(job.path)
        self._wake, self._alive, self._since = wake, alive, since
        self._told: State | None = None
        self._closed = threading.Event()
        self._looked = -_LOOK_EVERY

    @property
    def told(self) -> State | None:
        """The state that the events read so far tell of."""
        return self._told

    def read(self) -> list[Event]:
        """Return the events that have come since the last call, at once."""
        new = self._tail.read()
        self._told = told_state(new, self._told)
        return [event for event in new if event.seq > self._since]

    def wait(self, timeout: float = 1.0) -> list[Event]:
        """Return the next events, as soon as there are some; none after `timeout` seconds or when closed."""
        until = time.monotonic() + timeout
        while not (new := self.read()):
            left = until - time.monotonic()
            if left <= 0 or self._closed.is_set():
                return []
            if self._wake is None:
                self._closed.wait(min(left, POLL))
            else:
                self._wake(min(left, _LOOK_EVERY))
        return new

    def __iter__(self) -> Iterator[Event]:
        """Yield events until the job has ended, its worker has gone, or `close` is called."""
        while not self._closed.is_set():
            # In this order: what a worker wrote before it let go is read after.
            over = self._is_over()
            new = self.read() if over else self.wait(_LOOK_EVERY)
            yield from new
            if over and not new:
                return

    def close(self) -> None:
        """End iteration and waiting, from whichever thread."""
        self._closed.set()

    def _is_over(self) -> bool:
        """Whether nothing more is to come: looked at twice a second, because asking for a process costs time."""
        now = time.monotonic()
        ended = self._told in ENDED
        if not ended and now - self._looked < _LOOK_EVERY:
            return False
        self._looked = now
        if living_owner(self.job.path) is not None:
            return False
        return ended or self._alive is None or not self._alive()
