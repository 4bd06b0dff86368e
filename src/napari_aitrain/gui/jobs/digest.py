"""What a row and the curves show of a job, gathered from its events one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ...jobs import Event
from ...words import rough_time, sentence

_TELLING = 0.02
_TOLD = {
    "starting": "The worker starts.",
    "running": "Training.",
    "paused": "Paused.",
    "stopping": "Stopping: checkpoint and model are being saved.",
    "stopped": "Stopped.",
    "queued": "Queued.",
    "done": "Done.",
}


@dataclass(frozen=True)
class LogLine:
    """A line of the log.

    Parameters
    ----------
    time : float
        Seconds since 1970.
    level : {'info', 'warning', 'error'}
        How much it matters.
    text : str
        What happened.
    """

    time: float
    level: str
    text: str

    def __str__(self) -> str:
        mark = {"warning": "Warning: ", "error": "Error: "}.get(self.level, "")
        return f"{datetime.fromtimestamp(self.time):%H:%M:%S}  {mark}{self.text}"


class Digest:
    """State, progress, curves and log of a job.

    Attributes
    ----------
    step : int
        Steps so far.
    loss, best, fraction : float or None
        Newest loss, best score, and the share that is done where there is an end.
    seconds : float
        Time of training so far.
    losses, scores : list of (float, float)
        Step, and loss or validation score.
    lines : list of LogLine
        The log.
    failure : str
        Why it failed and what to do; empty unless it did.
    stage : str
        What a prediction is doing.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.step = 0
        self.loss: float | None = None
        self.best: float | None = None
        self.fraction: float | None = None
        self.seconds = 0.0
        self.losses: list[tuple[float, float]] = []
        self.scores: list[tuple[float, float]] = []
        self.lines: list[LogLine] = []
        self.failure = ""
        self.stage = ""
        for event in events:
            self.take(event)

    def take(self, event: Event) -> None:
        """Learn from an event."""
        data = event.data
        if event.kind == "progress":
            self._progress(data)
        elif event.kind == "metrics":
            score = _number(data.get("validation") or {}, "score")
            self._better(score)
            if score is not None:
                self.scores.append((_number(data, "step") or 0.0, score))
        elif event.kind == "failed":
            self.failure = "\n".join(sentence(str(data[key])) for key in ("what", "remedy") if data.get(key))
            self._say(event, "error", self.failure)
        elif event.kind == "state":
            self.failure = "" if data.get("state") in ("queued", "starting", "running") else self.failure
            self._say(event, "info", _TOLD.get(str(data.get("state")), ""))
        elif event.kind in ("log", "warning"):
            self._say(event, "info" if event.kind == "log" else "warning", str(data.get("message", "")))
        elif event.kind == "done":
            self._better(_number(data, "best"))
            if isinstance(then := data.get("then"), str):
                self._say(event, "info", f"The model is used now: {Path(then).name}.")
            self._say(event, "info", "Done." if self.best is None else f"Done, best score {self.best:.3f}.")

    def percent(self) -> int | None:
        """Return how much is done, where there is an end."""
        return None if self.fraction is None else round(100 * min(1.0, self.fraction))

    def time_left(self) -> str:
        """Return the time left in words; empty where that is not known."""
        if self.fraction is None or self.fraction < _TELLING:
            return ""
        return rough_time(self.seconds * (1 - self.fraction) / self.fraction)

    def _progress(self, data: dict[str, Any]) -> None:
        self.seconds = _number(data, "seconds") or self.seconds
        if total := _number(data, "total"):
            share = (_number(data, "done") or 0.0) / total
            self.fraction = _number(data, "fraction") if "fraction" in data else share
            self.stage = str(data.get("stage") or "")
            return
        self.step = int(_number(data, "step") or 0)
        self.loss = _number(data, "loss")
        # A training without an end says 0 for ever.
        self.fraction = _number(data, "fraction") or None
        self._better(_number(data, "best"))
        if self.loss is not None:
            self.losses.append((float(self.step), self.loss))

    def _better(self, score: float | None) -> None:
        if score is not None:
            self.best = score if self.best is None else max(self.best, score)

    def _say(self, event: Event, level: str, text: str) -> None:
        if text:
            self.lines.append(LogLine(event.time, level, text))


def _number(data: dict[str, Any], key: str) -> float | None:
    value = data.get(key)
    return float(value) if isinstance(value, (int, float)) else None
