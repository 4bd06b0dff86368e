"""Clicks and keys on the canvas: the object under the cursor is told of, accepted or rejected."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ..notify import inform, reported
from .correct import Written

if TYPE_CHECKING:
    from .predictions import Predictions

ACCEPT_KEY, REJECT_KEY = "Y", "N"
_NOTHING = "There is no predicted object under the cursor."


class Hands:
    """Listens to the canvas, whether a dock is open or not.

    Parameters
    ----------
    predictions : Predictions
        Whose objects are meant.
    """

    def __init__(self, predictions: Predictions) -> None:
        self._predictions = predictions
        self._viewer = predictions.session.viewer
        self._keys = False
        self._viewer.mouse_drag_callbacks.append(self._on_press)
        predictions.changed.connect(self._bind)

    def close(self) -> None:
        """Listen no more."""
        self._predictions.changed.disconnect(self._bind)
        self._viewer.mouse_drag_callbacks.remove(self._on_press)
        if self._keys:
            for key in (ACCEPT_KEY, REJECT_KEY):
                self._viewer.bind_key(key, None)

    def _bind(self) -> None:
        # Not before there is something to accept.
        if not self._keys and self._predictions.all():
            self._keys = True
            self._viewer.bind_key(ACCEPT_KEY, self._accept, overwrite=True)
            self._viewer.bind_key(REJECT_KEY, self._reject, overwrite=True)

    def _on_press(self, _viewer: Any, event: Any) -> Iterator[None]:
        if event.button != 1 or event.modifiers:
            return
        dragged = False
        yield
        while event.type == "mouse_move":
            dragged = True
            yield
        if not dragged:
            self._predictions.pick(event)

    def _accept(self, _viewer: Any) -> None:
        """Accept the predicted object under the cursor into the ground truth."""
        found = self._predictions.object_at(self._cursor())
        if found is None:
            inform(_NOTHING)
            return
        with reported():
            told(self._predictions.accept(found), "accepted")

    def _reject(self, _viewer: Any) -> None:
        """Mark the predicted object under the cursor as background in the ground truth."""
        found = self._predictions.object_at(self._cursor())
        if found is None:
            inform(_NOTHING)
            return
        with reported():
            told(self._predictions.reject(found), "rejected")

    def _cursor(self) -> Any:
        cursor, dims = self._viewer.cursor, self._viewer.dims
        return SimpleNamespace(
            position=cursor.position, dims_displayed=list(dims.displayed), view_direction=cursor._view_direction
        )


def told(written: Written, what: str) -> None:
    """Say where nothing could be written, since nothing is to be seen then."""
    if written.voxels == 0 and written.kept:
        inform(f"Nothing was {what}: there is painting there already, which is only written over when you ask for it.")
    elif written.voxels == 0:
        inform(f"Nothing was {what}: the threshold leaves no object there.")
