"""The last word on a job, for people, programs and lists."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from ..home import home
from ..models.folder import CARD
from ..models.versions import safe_name
from .events import Event, last
from .folder import JobFolder


def summarise(job: JobFolder) -> dict[str, Any]:
    """Return kind, state, model, job, steps, seconds, best, device and precision; and ``failed`` if it did.

    Of a prediction job that is done, also ``prediction`` and ``out``: where its results are; of an evaluation,
    ``evaluation``.
    """
    events = job.events()
    state = job.state()
    done, progress, failed = (last(events, kind) for kind in ("done", "progress", "failed"))
    figures: dict[str, Any] = dict.fromkeys(("steps", "seconds", "best", "device", "precision"))
    if progress is not None:
        figures |= {"steps": progress.data.get("step"), "seconds": progress.data.get("seconds")}
    if done is not None and state in ("done", "stopped"):
        figures |= {key: value for key, value in done.data.items() if key != "model"}
    if figures["best"] is None:
        figures["best"] = best_score(events)
    model = str(job.model) if (job.model / CARD).is_file() else None
    summary = {"kind": job.kind, "state": state, "model": model, "job": str(job.path), **figures}
    if failed is not None and state == "failed":
        summary["failed"] = failed.data
    return summary


def best_score(events: Iterable[Event]) -> float | None:
    """Return the best validation score so far."""
    scores = [event.data.get("best") for event in events if event.kind in ("progress", "done")]
    return max((score for score in scores if isinstance(score, (int, float))), default=None)


def default_folder(name: str) -> Path:
    """Return a folder that does not exist yet, by name and time, in the user's folder."""
    stem = f"{safe_name(name)}-{datetime.now():%Y%m%d-%H%M%S}"
    folder, number = home() / "jobs" / stem, 1
    while folder.exists():
        number += 1
        folder = folder.with_name(f"{stem}-{number}")
    return folder
