"""Says on the canvas which step of a training the prediction is of, and how old it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import QTimer

from .prediction import Prediction
from .viewing import text_of

if TYPE_CHECKING:
    import napari

_EVERY = 5000
"""Milliseconds: each change of a text has the whole canvas drawn again."""


class Badge:
    """Text on the canvas, in napari's own overlay, unless somebody else writes there.

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
        self._written = ""
        self._timer = QTimer()
        self._timer.setInterval(_EVERY)
        self._timer.timeout.connect(self._tick)

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

    def _tick(self) -> None:
        self._update()
        self.aged.emit()

    def _update(self) -> None:
        one = self._prediction
        if one is not None and (not one.layer.present or not one.layer.layer.visible):
            one = None
        self._write("" if one is None else age_text(one, time.time()))

    def _write(self, text: str) -> None:
        overlay = text_of(self._viewer)
        if (overlay.visible and overlay.text != self._written) or text == self._written:
            return
        self._written = overlay.text = text
        if hasattr(overlay, "box"):
            overlay.box = bool(text)
        overlay.visible = bool(text)


def age_text(prediction: Prediction, now: float) -> str:
    """Return which step a prediction is of and how old it is.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> age_text(SimpleNamespace(step=120, time=1000.0), 1004.2)
    'Prediction: step 120, 4 s old'
    """
    age = max(0.0, now - prediction.time)
    old = f"{age:.0f} s" if age < 100 else f"{age / 60:.0f} min"
    return f"Prediction: step {prediction.step or 0:,}, {old} old"
