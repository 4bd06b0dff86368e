"""Models that a training can continue from, and those that there are before any training."""

from __future__ import annotations

from pathlib import Path

from ...models import starter_folder, starter_names
from ...models.folder import CARD
from ...models.versions import list_versions
from ..jobs.center import JobCenter


def known_models(jobs: JobCenter) -> list[tuple[str, Path]]:
    """Return names and folders of models: of jobs, the newest first, and of the store, without archived ones."""
    trained = [(job.name, job.model) for job in jobs.all() if (job.model / CARD).is_file()]
    versions = [version for version in list_versions() if not version.state.archived]
    stored = [(f"{v.name} v{v.number}", v.folder) for v in versions if (v.folder / CARD).is_file()]
    return [*trained, *stored]


def starter_models() -> list[tuple[str, Path]]:
    """Return names and folders of the models that come with the program."""
    return [(f"{name} (starter)", starter_folder(name)) for name in starter_names()]


def newest_model(jobs: JobCenter) -> Path | None:
    """Return the folder of the model that was trained last in this user's jobs."""
    return next((job.model for job in jobs.all() if (job.model / CARD).is_file()), None)
