"""Says on the canvas which step of a training the prediction is of, and how old it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QLabel

from .prediction import Prediction

if TYPE_CHECKING:
    import napari

_EVERY = 5000
"""Milliseconds: each change of a text has the window put together again."""

_MARGIN = 10

_BY = {"forest": "First guess, from pixel features"}


class Badge:
    """Text over the canvas; a label of Qt, as napari's own overlay takes half a second for its first letters.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose canvas it is.

    Signals
    -------
    aged
        The prediction has become older.
    """

    aged = Signal()

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._prediction: Prediction | None = None
        self._label: QLabel | None = None
        self._timer = QTimer()
        self._timer.setInterval(_EVERY)
        self._timer.timeout.connect(self._tick)

    @property
    def text(self) -> str:
        """What is shown; empty if there is nothing to tell."""
        return "" if self._label is None or self._label.isHidden() else str(self._label.text())

    def show(self, prediction: Prediction | None) -> None:
        """Tell of a prediction while its training runs; None tells nothing."""
        self._prediction = prediction
        if prediction is None:
            self._timer.stop()
        elif not self._timer.isActive():
            self._timer.start()
        self._update()

    def close(self) -> None:
        """Remove the text."""
        self.show(None)
        if self._label is not None:
            self._label.deleteLater()
            self._forget()

    def _tick(self) -> None:
        self._update()
        self.aged.emit()

    def _update(self) -> None:
        one = self._prediction
        if one is not None and (not one.layer.present or not one.layer.layer.visible):
            one = None
        self._write("" if one is None else age_text(one, time.time()))

    def _write(self, text: str) -> None:
        if text == self.text:
            return
        if self._label is None:
            self._label = self._make()
        self._label.setText(text)
        self._label.adjustSize()
        self._label.setVisible(bool(text))

    def _make(self) -> QLabel:
        label = QLabel(self._viewer.window._qt_window._qt_viewer.canvas.native)
        label.setStyleSheet("background: rgba(0, 0, 0, 150); color: white; border-radius: 3px; padding: 2px 6px;")
        label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        label.move(_MARGIN, _MARGIN)
        # Qt removes it together with the window.
        label.destroyed.connect(self._forget)
        return label

    def _forget(self) -> None:
        self._label = None


def age_text(prediction: Prediction, now: float) -> str:
    """Return what a prediction was made by, which step it is of and how old it is.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> age_text(SimpleNamespace(by="network", step=120, time=1000.0), 1004.2)
    'Prediction: step 120, 4 s old'
    >>> age_text(SimpleNamespace(by="forest", step=8, time=1000.0), 1004.2)
    'First guess, from pixel features: step 8, 4 s old'
    """
    age = max(0.0, now - prediction.time)
    old = f"{age:.0f} s" if age < 100 else f"{age / 60:.0f} min"
    return f"{_BY.get(prediction.by, 'Prediction')}: step {prediction.step or 0:,}, {old} old"
