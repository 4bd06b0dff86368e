"""Events: what a worker says, kept in the job folder's append-only ``events.jsonl``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from .lines import Tail, append_line, end_line

EVENTS = "events.jsonl"
State = Literal["queued", "starting", "running", "paused", "stopping", "done", "stopped", "failed", "interrupted"]
ACTIVE: frozenset[State] = frozenset({"starting", "running", "paused", "stopping"})
ENDED: frozenset[State] = frozenset({"done", "stopped", "failed", "interrupted"})
_LASTING = frozenset({"state", "done", "failed", "checkpoint"})


@dataclass(frozen=True)
class Event:
    """One line of the log.

    Parameters
    ----------
    seq : int
        Counts up from 1 over all runs of the job.
    time : float
        Seconds since 1970.
    kind : str
        ``state``, ``log``, ``warning``, ``progress``, ``metrics``, ``preview``, ``checkpoint``, ``done`` or
        ``failed``; readers skip kinds they do not know.
    data : dict
        What the kind has to say.
    """

    seq: int
    time: float
    kind: str
    data: dict[str, Any] = field(default_factory=dict)


class EventTail:
    """Reads the events that a log has gained."""

    def __init__(self, folder: Path) -> None:
        self._tail = Tail(folder / EVENTS)

    def read(self) -> list[Event]:
        """Return the new events, in order; lines that are no events are left out."""
        return [event for event in map(_event, self._tail.read()) if event is not None]


def _event(row: dict[str, Any]) -> Event | None:
    seq, when, kind, data = (row.get(key) for key in ("seq", "time", "kind", "data"))
    if isinstance(seq, int) and isinstance(when, (int, float)) and isinstance(kind, str) and isinstance(data, dict):
        return Event(seq, float(when), kind, data)
    return None


class EventLog:
    """Appends events; one writer at a time, who holds the job's lock.

    Parameters
    ----------
    folder : Path
        The job folder.
    ring : callable, optional
        Called after each event.
    """

    def __init__(self, folder: Path, ring: Callable[[], None] = lambda: None) -> None:
        self._path, self._ring = folder / EVENTS, ring
        end_line(self._path)
        self._seq = max((event.seq for event in EventTail(folder).read()), default=0)
        self._lock = threading.Lock()

    def emit(self, kind: str, /, **data: object) -> Event:
        """Append an event.

        Raises
        ------
        StorageError
            If the disk is full or the folder has gone.
        """
        with self._lock:
            event = Event(self._seq + 1, time.time(), kind, dict(data))
            append_line(self._path, asdict(event), durable=kind in _LASTING)
            self._seq = event.seq
        self._ring()
        return event


def read_events(folder: Path) -> list[Event]:
    """Return every event of a job."""
    return EventTail(folder).read()


def told_state(events: Iterable[Event], before: State | None = None) -> State | None:
    """Return the state that events tell of, without asking whether the worker lives."""
    state = before
    for event in events:
        if event.kind == "state" and event.data.get("state") in get_args(State):
            state = event.data["state"]
        elif event.kind == "done":
            state = "stopped" if state == "stopping" else "done"
        elif event.kind == "failed":
            state = "failed"
    return state


def last(events: Iterable[Event], kind: str) -> Event | None:
    """Return the newest event of a kind."""
    return next((event for event in reversed(list(events)) if event.kind == kind), None)
