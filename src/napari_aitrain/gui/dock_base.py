"""What every dock does when it leaves the window."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QVBoxLayout, QWidget


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

    def event(self, event: Any) -> bool:
        """Notice being taken out."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.leave()
            self.deleteLater()
        return bool(super().event(event))
