"""What every dock does when it comes into the window, and when it leaves."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QSize
from qtpy.QtWidgets import QDockWidget, QVBoxLayout, QWidget

from .tabs import Tab

_WIDTH = 360
"""Pixels that a dock takes at first: beside napari's own docks, most of a small screen is left for the image."""


class Dock(QWidget):
    """A dock's widget. napari takes it out of the window when its × is pressed, and forgets it: it ends itself then.

    Parameters
    ----------
    view : QWidget, optional
        What fills the dock.
    """

    def __init__(self, view: QWidget | None = None) -> None:
        super().__init__()
        if view is not None:
            layout = QVBoxLayout(self)
            layout.setContentsMargins(0, 0, 0, 0)
            layout.addWidget(view)

    def leave(self) -> None:
        """Let go of the session; nothing that runs is ended."""

    def sizeHint(self) -> QSize:
        """Ask for no more width than is needed: sentences would rather not be broken."""
        return QSize(max(_WIDTH, self.minimumSizeHint().width()), super().sizeHint().height())

    def event(self, event: Any) -> bool:
        """Notice being put into a frame of napari's, and being taken out."""
        if event.type() == QEvent.Type.ParentChange:
            frame = self.parent()
            if frame is None:
                self.leave()
                self.deleteLater()
            elif isinstance(frame, QDockWidget):
                Tab(frame, Dock)
        return bool(super().event(event))
