"""Takes training sources in: of the window, from files, or from an earlier training or project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QWidget

from ...errors import GroundTruthError
from ...location import Location
from .adopting import AdoptDialog, adoptable
from .files_dialog import FilesDialog, fields_of
from .rows import is_job_or_project, sources_of_folder

if TYPE_CHECKING:
    from ..session import Session


def add_sources(session: Session, parent: QWidget, where: str) -> None:
    """Ask for what is needed, and add it to the training set.

    Parameters
    ----------
    session : Session
        Of the window.
    parent : QWidget
        Of the dialogs.
    where : {'layers', 'files', 'folder'}
        Where from.

    Raises
    ------
    AitrainError
        If there is no such layer, or a folder is neither a job nor a project, or is damaged.
    """
    model = session.training_set
    if where == "layers":
        _add_layers(session, parent)
    elif where == "files":
        _ask(session, FilesDialog(parent))
    elif folder := QFileDialog.getExistingDirectory(parent, "Folder of an earlier training or project"):
        model.add(*sources_of_folder(Path(folder)))


def add_dropped(session: Session, parent: QWidget, dropped: Sequence[Location]) -> None:
    """Add what was dropped: folders of jobs and projects as they are; of files is asked what else is needed.

    Raises
    ------
    AitrainError
        If there are too many files, or a folder is damaged.
    """
    folders = [place for place in dropped if isinstance(place, Path) and is_job_or_project(place)]
    for folder in folders:
        session.training_set.add(*sources_of_folder(folder))
    if others := [place for place in dropped if place not in folders]:
        dialog = FilesDialog(parent)
        dialog.setValue(**fields_of(others))
        _ask(session, dialog)


def _ask(session: Session, dialog: FilesDialog) -> None:
    if dialog.exec() and dialog.source is not None:
        session.training_set.add(dialog.source)


def _add_layers(session: Session, parent: QWidget) -> None:
    left_out = len(session.training_set.truths()) < len(session.truths.all())
    session.training_set.add_layers()
    if offered := adoptable(session):
        dialog = AdoptDialog(offered, parent)
        if dialog.exec():
            dialog.adopt(session)
    elif not left_out and not session.truths.all():
        raise GroundTruthError(
            "this window holds no ground truth, and no labels that fit an image of it",
            "labels with as many voxels as an image, or a whole fraction of them",
            "open the labels with their image, paint some in the Annotate dock, or take files",
        )
