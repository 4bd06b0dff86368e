"""Where jobs are: those of earlier sessions, and a folder for the next."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterator
from datetime import datetime
from pathlib import Path

from ...errors import JobError
from ...home import home
from ...jobs import Event, JobFolder, State, known_folders
from ...models.store import safe_name
from ..settings import preferences


def earlier_jobs() -> Iterator[tuple[JobFolder, State, list[Event]]]:
    """Yield the jobs on this machine's list, with their state and events."""
    for folder in known_folders():
        with contextlib.suppress(JobError):
            job = JobFolder.open(folder)
            yield job, job.state(), job.events()


def new_folder(name: str, taken: Container[Path]) -> Path:
    """Return a folder that does not exist, by name and time, where the preferences say.

    Parameters
    ----------
    name : str
        Of the job.
    taken : container of Path
        Folders that are about to exist.
    """
    parent = preferences().jobs_folder or home() / "jobs"
    stem = f"{safe_name(name)}-{datetime.now():%Y%m%d-%H%M%S}"
    folder, number = parent / stem, 1
    while folder in taken or folder.exists():
        number += 1
        folder = parent / f"{stem}-{number}"
    return folder
