"""Connects the dialog of weights to the downloads of the session."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog

from ...models.weights import known_weights, weights_folder
from ...volumes.atomic import storage_errors
from ..notify import reported
from .downloads import Downloads
from .view import WeightsView


class WeightsController:
    """Shows how it stands with weights, and does what is pressed.

    Parameters
    ----------
    downloads : Downloads
        Of the session.
    view : WeightsView
        Where it is shown.
    """

    def __init__(self, downloads: Downloads, view: WeightsView) -> None:
        self._downloads, self._view = downloads, view
        downloads.changed.connect(self._show)
        downloads.arrived.connect(view.setValue)
        view.download_requested.connect(downloads.start)
        view.cancel_requested.connect(downloads.cancel)
        view.file_requested.connect(self._on_file)
        view.folder_requested.connect(self._on_folder)
        self._show()

    def close(self) -> None:
        """Let go of the downloads; they go on."""
        self._downloads.changed.disconnect(self._show, missing_ok=True)
        self._downloads.arrived.disconnect(self._view.setValue, missing_ok=True)

    def _show(self) -> None:
        self._view.set_standings(self._downloads.all())

    def _on_file(self, name: str) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self._view, f"The file {name}")
        if chosen:
            self._downloads.take(name, Path(chosen))

    def _on_folder(self, name: str) -> None:
        folder = weights_folder(known_weights(name).kind)
        with reported(), storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
