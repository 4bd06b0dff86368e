"""Where jobs are: those of earlier sessions, and a folder for the next."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Container, Iterator
from datetime import datetime
from pathlib import Path

from ...errors import JobError
from ...home import home
from ...jobs import Event, JobFolder, State, known_folders
from ...models.versions import safe_name
from ..settings import preferences

_STAMP = "%Y%m%d-%H%M%S"
_STAMPED = re.compile(r"(.+)-(\d{8}-\d{6})(?:-\d+)?")


def earlier_jobs() -> Iterator[tuple[JobFolder, State, list[Event]]]:
    """Yield the jobs on this machine's list, with their state and events."""
    for folder in known_folders():
        with contextlib.suppress(JobError):
            job = JobFolder.open(folder)
            yield job, job.state(), job.events()


def shown_name(folder: str) -> str:
    """Return a job's name as a narrow table shows it: with the time it was begun, or the day if that was earlier.

    Examples
    --------
    >>> shown_name("cells-20240131-101010"), shown_name("mine")
    ('cells, 31 Jan', 'mine')
    """
    found = _STAMPED.fullmatch(folder)
    try:
        begun = datetime.strptime(found[2] if found is not None else "", _STAMP)
    except ValueError:
        return folder
    assert found is not None
    today = begun.date() == datetime.now().date()
    return f"{found[1]}, {begun:%H:%M}" if today else f"{found[1]}, {begun.day} {begun:%b}"


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
    stem = f"{safe_name(name)}-{datetime.now():{_STAMP}}"
    folder, number = parent / stem, 1
    while folder in taken or folder.exists():
        number += 1
        folder = parent / f"{stem}-{number}"
    return folder
