"""The dialog of weights, one per window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QDialog, QVBoxLayout, QWidget

from ..notify import inform
from ..session import session_of
from .controller import WeightsController
from .downloads import Downloads
from .view import WeightsView

if TYPE_CHECKING:
    import napari.viewer

_WIDTH, _HEIGHT = 600, 430


class WeightsDialog(QDialog):
    """Lists weights and fetches them; nothing waits for it, and a download goes on when it is closed.

    Parameters
    ----------
    downloads : Downloads
        Of the session.
    parent : QWidget, optional
        The window.
    """

    def __init__(self, downloads: Downloads, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Model weights")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._downloads = downloads
        self.view = WeightsView()
        self.controller = WeightsController(downloads, self.view)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self.resize(_WIDTH, _HEIGHT)

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Let go of the downloads."""
        self.controller.close()
        if self._downloads.busy:
            inform("The download goes on. Layers ▸ Segment ▸ Model weights… shows how far it is.")
        super().closeEvent(event)

    def reject(self) -> None:
        """Close, as by its ×."""
        self.close()


def open_weights(viewer: napari.viewer.Viewer, name: str = "") -> WeightsDialog:
    """Open the dialog of a window, or bring it to the front.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Of the window.
    name : str
        Weights to choose.
    """
    session = session_of(viewer)
    window = session.viewer.window._qt_window
    dialog: WeightsDialog | None = window.findChild(WeightsDialog)
    if dialog is None:
        dialog = WeightsDialog(session.weights, window)
    if name:
        dialog.view.setValue(name)
    dialog.show()
    dialog.raise_()
    dialog.activateWindow()
    return dialog
