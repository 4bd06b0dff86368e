"""A running job in the terminal: a bar with loss, best score and time left, or plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..words import spoken_time

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from ..jobs import Event

_LINE_EVERY = 10.0
_TELLING = 0.02


class Shown:
    """What is known of a job from its events so far."""

    def __init__(self) -> None:
        self.state = "queued"
        self.step = 0
        self.loss: float | None = None
        self.best: float | None = None
        self.fraction: float | None = None
        self.seconds = 0.0
        self.stage: str | None = None
        self.blocks = (0, 0)

    def take(self, event: Event) -> None:
        """Learn from an event."""
        data = event.data
        if event.kind == "state":
            self.state = str(data.get("state"))
        elif event.kind == "progress":
            self.step = int(data.get("step") or 0)
            self.loss = _number(data, "loss")
            self.fraction = _number(data, "fraction")
            self.seconds = _number(data, "seconds") or 0.0
            self._better(_number(data, "best"))
            if "stage" in data:
                self.stage = str(data["stage"])
                self.blocks = (int(data.get("done") or 0), int(data.get("total") or 0))
        elif event.kind == "metrics":
            self._better(_number(data.get("validation") or {}, "score"))
        elif event.kind == "done":
            self._better(_number(data, "best"))

    def _better(self, score: float | None) -> None:
        if score is not None:
            self.best = score if self.best is None else max(self.best, score)

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the end, where there is one."""
        if self.fraction is None or self.fraction < _TELLING:
            return None
        return self.seconds * (1 - self.fraction) / self.fraction

    def words(self) -> str:
        """Return it as a short line."""
        done, total = self.blocks
        parts = [f"step {self.step}" if self.stage is None else f"{self.stage} {done} of {total}"]
        if self.loss is not None:
            parts.append(f"loss {self.loss:.3f}")
        if self.best is not None:
            parts.append(f"best score {self.best:.3f}")
        left = self.seconds_left
        parts.append(f"{spoken_time(self.seconds)} so far" if left is None else f"{spoken_time(left)} left")
        return "  ".join(parts)


def _number(data: dict[str, Any], key: str) -> float | None:
    value = data.get(key)
    return float(value) if isinstance(value, (int, float)) else None


def show_events(events: Iterable[Event], console: Console, shown: Shown | None = None) -> Shown:
    """Show events as they come, until there are no more.

    Parameters
    ----------
    events : iterable of Event
        From `JobFolder.follow`.
    console : Console
        Where to.
    shown : Shown, optional
        What is known already; it is updated, so that it is there after an interrupt too.
    """
    shown = Shown() if shown is None else shown
    with _bar(console) as bar:
        task = bar.add_task("Waiting", total=None, words="")
        said = time.monotonic()
        for event in events:
            shown.take(event)
            text = str(event.data.get("message", ""))
            if event.kind == "warning":
                console.print(f"Warning: {text}", style="yellow", markup=False, soft_wrap=True)
            elif event.kind == "log":
                console.print(text, style="dim", markup=False, soft_wrap=True)
            elif event.kind == "progress" and not console.is_terminal and time.monotonic() - said >= _LINE_EVERY:
                said = time.monotonic()
                console.print(shown.words(), markup=False, soft_wrap=True)
            total = None if shown.fraction is None else 1.0
            bar.update(
                task,
                description=shown.state.capitalize(),
                total=total,
                completed=shown.fraction or 0,
                words=shown.words(),
            )
    return shown


def _bar(console: Console) -> Progress:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[words]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
