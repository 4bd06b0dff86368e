"""The dialog of remote models, one per window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QDialog, QVBoxLayout, QWidget

from ..session import session_of
from .controller import RemoteController
from .view import RemoteView

if TYPE_CHECKING:
    import napari.viewer

    from ..session import Session

_WIDTH, _HEIGHT = 560, 600


class RemoteDialog(QDialog):
    """Adds, changes and tests remote models; nothing waits for it.

    Parameters
    ----------
    session : Session
        Of the window.
    parent : QWidget, optional
        The window.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Remote model")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.view = RemoteView()
        self.controller = RemoteController(session, self.view)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self.resize(_WIDTH, _HEIGHT)

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Let go of the session."""
        self.controller.close()
        super().closeEvent(event)

    def reject(self) -> None:
        """Close, as by its ×."""
        self.close()


def open_remote(viewer: napari.viewer.Viewer) -> RemoteDialog:
    """Open the dialog of a window, or bring it to the front."""
    session = session_of(viewer)
    window = session.viewer.window._qt_window
    dialog: RemoteDialog | None = window.findChild(RemoteDialog)
    if dialog is None:
        dialog = RemoteDialog(session, window)
    dialog.show()
    dialog.raise_()
    dialog.activateWindow()
    return dialog
