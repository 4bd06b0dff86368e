"""Connects the sliders of decoding to the predictions of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..notify import reported

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from .predictions import Predictions
    from .sliders_view import SlidersView

_PARTLY = "More is on screen than is made again in a moment: the middle is shown. Zoom in to see the rest."


class SlidersController:
    """Shows where the sliders stand, and moves them.

    Parameters
    ----------
    predictions : Predictions
        Of the session.
    view : SlidersView
        Where the sliders are.
    around : QWidget
        What is hidden where there is no slider.
    """

    def __init__(self, predictions: Predictions, view: SlidersView, around: QWidget) -> None:
        self._predictions, self._decoding = predictions, predictions.decoding
        self._view, self._around = view, around
        self._kept = False
        predictions.changed.connect(self._show)
        self._decoding.changed.connect(self._show)
        view.valueChanged.connect(self._on_value)
        view.reset_requested.connect(self._decoding.reset)
        view.keep_requested.connect(self._on_keep)
        self._show()

    def close(self) -> None:
        """Let go of the session."""
        self._predictions.changed.disconnect(self._show, missing_ok=True)
        self._decoding.changed.disconnect(self._show, missing_ok=True)

    def _show(self) -> None:
        decoding, view = self._decoding, self._view
        sliders = decoding.sliders
        self._around.setVisible(bool(sliders))
        if not sliders:
            return
        values, own = decoding.values, decoding.own
        view.set_sliders(sliders)
        view.set_values(values)
        view.set_usable(decoding.why_not)
        view.set_buttons(not decoding.why_not and values != own, decoding.why_not_keep)
        self._kept = self._kept and values == own
        view.set_hint(decoding.trouble or (_PARTLY if decoding.partly else "") or self._stored())

    def _stored(self) -> str:
        return "Kept in the model. Predict the volume again to have it made with these numbers." if self._kept else ""

    def _on_value(self, name: str, value: float) -> None:
        self._kept = False
        self._decoding.set_value(name, value)

    def _on_keep(self) -> None:
        with reported():
            # It tells of itself before this is over.
            self._kept = True
            self._decoding.keep()
