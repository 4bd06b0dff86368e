"""Models that a training can continue from."""

from __future__ import annotations

from pathlib import Path

from ...models.folder import CARD
from ...models.store import store_folder
from ..jobs.center import JobCenter


def known_models(jobs: JobCenter) -> list[tuple[str, Path]]:
    """Return names and folders of models: those of jobs, the newest first, and those of the store."""
    trained = [(job.name, job.model) for job in jobs.all() if (job.model / CARD).is_file()]
    stored = [(f"{card.parent.parent.name} {card.parent.name}", card.parent) for card in _stored()]
    return [*trained, *stored]


def newest_model(jobs: JobCenter) -> Path | None:
    """Return the folder of the model that was trained last in this user's jobs."""
    return next((job.model for job in jobs.all() if (job.model / CARD).is_file()), None)


def _stored() -> list[Path]:
    return sorted(store_folder().glob(f"*/v*/{CARD}"))
