"""The mouse tool of the Classify dock: a click gives an object the chosen class, keys choose it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt

from ..canvas_tool import CanvasTool

if TYPE_CHECKING:
    from ..session import Session


class ClassTool(CanvasTool):
    """Clicks mark objects; dragging moves the view, as ever.

    Parameters
    ----------
    session : Session
        Of the window.
    clicked : callable
        Called with the event of a click, and whether what was said is to be forgotten (Alt or the right button).
    key : callable
        Called with a number key, and −1 for undo.
    """

    _cursor = "pointing"
    _no_3d = "Objects are marked on a slice: switch the view to 2-D first (the cube at the bottom left)."
    _no_grid = "Objects are marked on layers as they lie over each other: leave the grid view first."

    def __init__(self, session: Session, clicked: Callable[[Any, bool], None], key: Callable[[int], None]) -> None:
        super().__init__(session)
        self._clicked, self._key = clicked, key

    def take_key(self, event: Any) -> bool:
        """Take number keys, and Ctrl+Z."""
        if event.key() == Qt.Key.Key_Z and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._key(-1)
            return True
        number = event.key() - int(Qt.Key.Key_0.value)
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if plain and 0 <= number <= 9:
            self._key(number)
            return True
        return super().take_key(event)

    def _cancel(self) -> None:
        """Nothing is begun before a click ends."""

    def _on_press(self, viewer: Any, event: Any) -> Iterator[None]:
        forget = event.button == 2 or "Alt" in event.modifiers
        if event.button not in (1, 2) or set(event.modifiers) - {"Alt"}:
            return
        yield
        dragged = False
        while event.type == "mouse_move":
            dragged = True
            yield
        if not dragged:
            self._clicked(event, forget)
