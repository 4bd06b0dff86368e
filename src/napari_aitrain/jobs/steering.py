"""How a job that runs a model hears: it stops when it is told to, and waits while it is paused."""

from __future__ import annotations

import time
from collections.abc import Callable

from .events import Event, last
from .inbox import Message

_PAUSED = 0.05


class Steering:
    """Messages to a running job, and its time without pauses.

    Parameters
    ----------
    emit, control : callable
        As for `training.loop.run_training`.
    before : list of Event
        Of earlier runs of the job, whose time counts too.
    """

    def __init__(self, emit: Callable[..., None], control: Callable[[], list[Message]], before: list[Event]) -> None:
        self._emit, self._control = emit, control
        told = last(before, "progress")
        said = None if told is None else told.data.get("seconds")
        self._before = float(said) if isinstance(said, (int, float)) else 0.0
        self._began = time.monotonic()
        self._stopped = False

    @property
    def seconds(self) -> float:
        """Seconds of work so far, over all runs of the job; pauses do not count."""
        return self._before + time.monotonic() - self._began

    def cancelled(self) -> bool:
        """Hear messages; wait while paused; return whether to stop."""
        paused_at: float | None = None
        while not self._stopped:
            for message in self._control():
                kind = message.get("kind")
                if kind == "stop":
                    self._stopped = True
                elif kind == "pause" and paused_at is None:
                    paused_at = time.monotonic()
                    self._emit("state", state="paused")
                elif kind == "resume" and paused_at is not None:
                    self._began += time.monotonic() - paused_at
                    paused_at = None
                    self._emit("state", state="running")
            if paused_at is None:
                break
            time.sleep(_PAUSED)
        return self._stopped
