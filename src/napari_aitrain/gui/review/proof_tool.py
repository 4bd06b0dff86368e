"""The mouse tools *Merge two* and *Split*: two clicks on the canvas, the second of which does it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from psygnal import Signal

from ..canvas_tool import CanvasTool
from ..notify import inform, reported
from .picking import Picked

if TYPE_CHECKING:
    from .predictions import Predictions

Kind = Literal["merge", "split"]
_HINTS = {
    "merge": (
        "Click the first of two objects that are one neuron.",
        "Click the other one; {} is joined with it.",
    ),
    "split": (
        "Click a place of the object that is to be divided.",
        "Click a place of {} that belongs to another neuron.",
    ),
}
_END = "Esc ends."
_BACK = "Esc takes the first click back."


class ProofTool(CanvasTool):
    """Two clicks make a correction; the tool stays in hand for the next one. Dragging moves the view, as ever.

    Parameters
    ----------
    predictions : Predictions
        Whose current prediction is corrected.

    Signals
    -------
    changed
        Another click is expected, or none.
    """

    changed = Signal()
    _cursor = "crosshair"
    _no_3d = "Objects are merged and split on a slice: switch the view to 2-D first (the cube at the bottom left)."
    _no_grid = "Objects are merged and split on layers as they lie over each other: leave the grid view first."

    def __init__(self, predictions: Predictions) -> None:
        super().__init__(predictions.session)
        self._predictions = predictions
        self._kind: Kind = "merge"
        self._first: Picked | None = None

    @property
    def kind(self) -> Kind | None:
        """Which tool is in hand; None for none."""
        return self._kind if self.active else None

    @property
    def hint(self) -> str:
        """What click is expected; empty without a tool."""
        if not self.active:
            return ""
        first, second = _HINTS[self._kind]
        if self._first is None:
            return f"{first} {_END}"
        return f"{second.format(f'object {self._first.identity:,}')} {_BACK}"

    def take(self, kind: Kind | None) -> None:
        """Take a tool in hand; None puts it back."""
        if kind is None or self._predictions.proof.why_not:
            self.stop()
        else:
            self._kind = kind
            self._cancel()
            self.start()
            self._canvas.setFocus()
        self.changed.emit()

    def stop(self) -> None:
        """Put the tool back."""
        if self.active:
            super().stop()
            self.changed.emit()

    def escape(self) -> None:
        """Take the first click back; without one, put the tool back."""
        if self._first is None:
            self.stop()
        else:
            self._cancel()
            self.changed.emit()

    def _cancel(self) -> None:
        self._first = None

    def _on_press(self, viewer: Any, event: Any) -> Iterator[None]:
        if event.button != 1 or event.modifiers:
            return
        yield
        dragged = False
        while event.type == "mouse_move":
            dragged = True
            yield
        if not dragged:
            self._click(event)

    def _click(self, event: Any) -> None:
        found = self._predictions.object_at(event)
        current = self._predictions.proof.prediction
        if found is None:
            inform("There is no predicted object under the cursor.")
        elif current is None or found.prediction is not current:
            inform("Corrections are made in the newest prediction of this model: hide the layers above it.")
        elif self._first is None:
            self._first = found
        else:
            first, self._first = self._first, None
            with reported():
                self._do(first.fragment, found.fragment)
        self.changed.emit()

    def _do(self, first: int, second: int) -> None:
        proof = self._predictions.proof
        (proof.merge if self._kind == "merge" else proof.split)(first, second)
