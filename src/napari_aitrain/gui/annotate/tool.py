"""What the mouse tools for boxes share: a drag over the canvas is theirs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..canvas_tool import CanvasTool
from .box_actions import BoxActions

if TYPE_CHECKING:
    from ..session import Session

_NO_3D = "Boxes are {} on a slice: switch the view to 2-D first (the cube at the bottom left)."
_NO_GRID = "Boxes are {} on the layers as they lie over each other: leave the grid view first (at the bottom left)."


class BoxTool(CanvasTool):
    """A tool that a drag over the canvas belongs to, while it is on.

    Parameters
    ----------
    session : Session
        Of the viewer.
    actions : BoxActions
        Makes and places boxes.
    """

    _done = "drawn"

    def __init__(self, session: Session, actions: BoxActions) -> None:
        super().__init__(session)
        self._actions = actions
        self._dragging = False
        self._no_3d, self._no_grid = _NO_3D.format(self._done), _NO_GRID.format(self._done)

    def escape(self) -> None:
        """Give up the drag that is going on; without one, switch off."""
        if self._dragging:
            self._cancel()
        else:
            self.stop()

    def _begin(self, event: Any) -> bool:
        """Return whether a press begins a drag."""
        raise NotImplementedError

    def _follow(self, event: Any) -> None:
        """Show what letting go would do."""
        raise NotImplementedError

    def _finish(self, event: Any) -> None:
        """Do it."""
        raise NotImplementedError

    def _cancel(self) -> None:
        self._dragging = False
        self._session.scene.set_draft(None)

    def _on_press(self, viewer: Any, event: Any) -> Iterator[None]:
        if event.button != 1 or event.modifiers or not self._begin(event):
            return
        self._dragging = event.handled = True
        yield
        while event.type == "mouse_move":
            event.handled = True
            if self._dragging:
                self._follow(event)
            yield
        if self._dragging:
            self._finish(event)
            self._cancel()
