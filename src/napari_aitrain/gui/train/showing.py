"""What *Show me* does: it goes to a box, a row or a setting, or asks for a voxel size."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt

from ...volumes.units import VoxelSize
from ..annotate.box_actions import BoxActions
from ..notify import reported
from ..weights.dialog import open_weights
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
        ``box:ID``, ``row:N``, ``voxel-size:N``, ``weights:NAME`` or ``field:NAME``.
    give : callable
        Takes the number of a row and the voxel size of its image, in nm.
    """
    kind, _, name = target.partition(":")
    if kind == "box":
        with reported(), contextlib.suppress(KeyError):  # the box was deleted meanwhile
            BoxActions(session).go_to(session.boxes[name])
    elif kind == "row":
        view.sources.select(int(name))
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
