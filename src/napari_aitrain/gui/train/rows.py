"""Rows of the table of training sources: ground truth of the window, or files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ConfigError
from ...geometry import format_magnification, parse_magnification
from ...training.config import Source
from ...training.config_file import read_config
from ..annotate.image_of import finest_shape
from .magnifications import choices

if TYPE_CHECKING:
    from ..annotate.truth import GroundTruth
    from ..session import Session

_ROLES = (("train", "train"), ("validation", "val."), ("test", "test"))


@dataclass(frozen=True)
class SourceRow:
    """One row.

    Parameters
    ----------
    image, labels : str
        As people read them.
    boxes : str
        Counted by role.
    magnification : str
        As WEBKNOSSOS writes it.
    magnifications : tuple of str
        What can be chosen instead, the one above included.
    truth : str
        Key of a ground truth of the window; empty for files.
    source : Source or None
        For files.
    tooltip : str
        Where it lies.
    """

    image: str
    labels: str
    boxes: str
    magnification: str
    magnifications: tuple[str, ...] = ()
    truth: str = ""
    source: Source | None = None
    tooltip: str = ""


def row_of_truth(session: Session, truth: GroundTruth, magnification: str = "") -> SourceRow:
    """Return the row of a ground truth of the window; without a magnification it has the one it was painted at."""
    roles: Counter[str] = Counter(
        box.role for box in session.boxes if box.image == truth.image and box.status != "rejected"
    )
    own = format_magnification(truth.magnification)
    shape = finest_shape(session.viewer, truth, session.truths.layer(truth))
    return SourceRow(
        truth.image,
        truth.layer,
        _count(roles),
        magnification or own,
        choices(shape, {truth.magnification, parse_magnification(magnification or own)}),
        truth=truth.key,
        tooltip="Ground truth of this window; it is saved before the training starts.",
    )


def row_of_source(source: Source, magnifications: tuple[str, ...] = ()) -> SourceRow:
    """Return the row of a source in files, and what it could be trained at instead."""
    roles: Counter[str] = Counter(box.role for box in source.boxes if box.status != "rejected")
    return SourceRow(
        source.image.name,
        source.labels.name,
        _count(roles),
        source.magnification,
        magnifications or (source.magnification,),
        source=source,
        tooltip=f"Image {source.image}\nGround truth {source.labels}",
    )


def sources_of_folder(folder: Path) -> list[Source]:
    """Return the training sources of an earlier job or project.

    Raises
    ------
    AitrainError
        If the folder is neither, or is damaged.
    """
    from ...annotation.project import STATE, Project
    from ...jobs.folder import CONFIG
    from .project_sources import sources_of_project

    if (folder / CONFIG).is_file():
        return list(read_config(folder / CONFIG).sources)
    if (folder / STATE).is_file():
        return sources_of_project(Project.open(folder))
    raise ConfigError(
        f"{folder} is neither a job nor a project",
        f"a folder with {CONFIG} or {STATE}",
        "choose the folder of an earlier training, or of a project",
    )


def is_job_or_project(folder: Path) -> bool:
    """Return whether `sources_of_folder` can read a folder."""
    from ...annotation.project import STATE
    from ...jobs.folder import CONFIG

    return (folder / CONFIG).is_file() or (folder / STATE).is_file()


def _count(roles: Counter[str]) -> str:
    words = [f"{roles[role]} {word}" for role, word in _ROLES if roles[role]]
    return ", ".join(words) or "none: all of it"
