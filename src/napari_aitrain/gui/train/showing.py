"""What *Show me* does: it goes to a box, a row or a setting, or asks for a voxel size."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from ...volumes.units import VoxelSize
from ..annotate.box_actions import BoxActions
from ..notify import reported
from ..weights.dialog import open_weights
from .script_dialog import agree_to
from .voxel_size import VoxelSizeDialog

if TYPE_CHECKING:
    from ..session import Session
    from .view import TrainView


def show_target(session: Session, view: TrainView, target: str, give: Callable[[int, VoxelSize], None]) -> None:
    """Go to what a problem is about.

    Parameters
    ----------
    session : Session
        Whose boxes are meant.
    view : TrainView
        Where rows and settings are.
    target : str
        ``script:``, ``box:ID``, ``row:N``, ``voxel-size:N``, ``weights:NAME`` or ``field:NAME``.
    give : callable
        Takes the number of a row and the voxel size of its image, in nm.
    """
    kind, _, name = target.partition(":")
    if kind == "box":
        with reported(), contextlib.suppress(KeyError):  # the box was deleted meanwhile
            BoxActions(session).go_to(session.boxes[name])
    elif kind == "row":
        view.sources.select(int(name))
    elif kind == "script":
        ask_script(view)
    elif kind == "weights":
        open_weights(session.viewer, name)
    elif kind == "voxel-size":
        number = int(name)
        view.sources.select(number)
        dialog = VoxelSizeDialog(view.sources.table.item(number, 0).text(), view)  # type: ignore[union-attr]
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.given.connect(lambda size: give(number, size))
        dialog.open()
    else:
        view.form.focus(name)


def ask_script(view: TrainView) -> None:
    """Ask about the script that is chosen as the task; of an earlier job's, its file is asked for."""
    path = Path(view.form.tasks.name)
    if path.suffix != ".py":
        chosen, _ = QFileDialog.getOpenFileName(
            view, "The script (task.py in the folder of its job)", "", "Python (*.py)"
        )
        if not chosen:
            return
        path = Path(chosen)
    if agree_to(path, view):
        view.form.setValue({"task": str(path)})
        view.form.reload_task()
