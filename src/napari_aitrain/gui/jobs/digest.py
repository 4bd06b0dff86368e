"""What a row and the curves show of a job, gathered from its events one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...cli.output import spoken_time
from ...cli.progress import Shown
from ...jobs import Event

LogLevel = str
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


class Digest(Shown):
    """State, progress, curves and log of a job.

    Attributes
    ----------
    losses, scores : list of (float, float)
        Step, and loss or validation score.
    lines : list of LogLine
        The log.
    failure : str
        Why it failed and what to do; empty unless it did.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        super().__init__()
        self.losses: list[tuple[float, float]] = []
        self.scores: list[tuple[float, float]] = []
        self.lines: list[LogLine] = []
        self.failure = ""
        self.stage = ""
        for event in events:
            self.take(event)

    def take(self, event: Event) -> None:
        """Learn from an event."""
        super().take(event)
        data = event.data
        if event.kind == "progress":
            self._progress(data)
        elif event.kind == "metrics":
            score = (data.get("validation") or {}).get("score")
            if isinstance(score, (int, float)):
                self.scores.append((float(data.get("step") or 0), float(score)))
        elif event.kind == "failed":
            self.failure = "\n".join(str(data[key]) for key in ("what", "remedy") if data.get(key))
            self._say(event, "error", self.failure)
        elif event.kind == "state":
            self.failure = "" if data.get("state") in ("queued", "starting", "running") else self.failure
            self._say(event, "info", _TOLD.get(str(data.get("state")), ""))
        elif event.kind in ("log", "warning"):
            self._say(event, "info" if event.kind == "log" else "warning", str(data.get("message", "")))
        elif event.kind == "done":
            self.fraction = 1.0
            self._say(event, "info", f"Done: {self.words()}.")

    def percent(self) -> int | None:
        """Return how much is done, where there is an end."""
        return None if self.fraction is None else round(100 * self.fraction)

    def time_left(self) -> str:
        """Return the time left in words; empty where that is not known."""
        left = self.seconds_left
        return "" if left is None else spoken_time(left)

    def _progress(self, data: dict[str, Any]) -> None:
        if "total" in data:
            done, total = float(data.get("done") or 0), float(data.get("total") or 0)
            self.fraction = done / total if total else None
            self.stage = str(data.get("stage") or "")
        if self.loss is not None and "step" in data:
            self.losses.append((float(self.step), self.loss))

    def _say(self, event: Event, level: str, text: str) -> None:
        if text:
            self.lines.append(LogLine(event.time, level, text))
