"""The Annotate dock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent, QKeySequence
from qtpy.QtWidgets import QGroupBox, QVBoxLayout, QWidget

from ..dock_base import Dock
from ..scrolling import UpDownScroll
from ..session import session_of
from .box_controller import BoxController
from .box_keys import FIRST_KEY, LAST_KEY, action_of
from .box_view import BoxView
from .class_view import ClassView
from .project_controller import ProjectController
from .project_view import ProjectView
from .truth_controller import TruthController
from .truth_view import TruthView

if TYPE_CHECKING:
    import napari.viewer


class AnnotateDock(Dock):
    """Ground truth, boxes and the project of a viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Given by napari.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        session = session_of(viewer)
        self.truth_view, self.class_view = TruthView(), ClassView()
        self.box_view, self.project_view = BoxView(), ProjectView()
        top = self._lay_out()
        self.truths = TruthController(session, self.truth_view, self.class_view)
        self.boxes = BoxController(session, self.box_view)
        self.project = ProjectController(session, self.project_view, top)
        self._parts = parts = [self.truths, self.boxes, self.project]
        self.destroyed.connect(lambda: _close(parts))

    def leave(self) -> None:
        """Follow the session no longer; what is painted and drawn stays."""
        _close(self._parts)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Undo, redo, Escape and the brackets, where no field that is typed into takes them first."""
        if event is None:
            return
        if event.matches(QKeySequence.StandardKey.Undo):
            self.boxes.undo()
        elif event.matches(QKeySequence.StandardKey.Redo):
            self.boxes.redo()
        elif event.key() == Qt.Key.Key_Escape:
            self.boxes.escape()
        elif event.text() in (FIRST_KEY, LAST_KEY):
            self.boxes.do(action_of(event))
        else:
            super().keyPressEvent(event)

    def _lay_out(self) -> QVBoxLayout:
        inner = QWidget()
        top = QVBoxLayout(inner)
        top.setContentsMargins(4, 4, 4, 4)
        for title, parts in (("Ground truth", (self.truth_view, self.class_view)), ("Boxes", (self.box_view,))):
            group = QGroupBox(title)
            column = QVBoxLayout(group)
            column.setContentsMargins(6, 4, 6, 6)
            column.setSpacing(4)
            for part in parts:
                column.addWidget(part)
            top.addWidget(group, 1 if title == "Boxes" else 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(UpDownScroll(inner), 1)
        layout.addWidget(self.project_view)
        return top


def _close(parts: list[Any]) -> None:
    while parts:
        parts.pop().close()
