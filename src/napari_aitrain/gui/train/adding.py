"""Takes training sources in: of the window, from files, or from an earlier training or project."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QWidget

from .files_dialog import FilesDialog
from .rows import sources_of_folder
from .sources_model import SourcesModel


def add_sources(model: SourcesModel, parent: QWidget, where: str) -> None:
    """Ask for what is needed, and add it.

    Parameters
    ----------
    model : SourcesModel
        The training set.
    parent : QWidget
        Of the dialogs.
    where : {'layers', 'files', 'folder'}
        Where from.

    Raises
    ------
    AitrainError
        If a folder is neither a job nor a project, or is damaged.
    """
    if where == "layers":
        model.add_layers()
    elif where == "files":
        dialog = FilesDialog(parent)
        if dialog.exec() and dialog.source is not None:
            model.add(dialog.source)
    elif folder := QFileDialog.getExistingDirectory(parent, "Folder of an earlier training or project"):
        model.add(*sources_of_folder(Path(folder)))
