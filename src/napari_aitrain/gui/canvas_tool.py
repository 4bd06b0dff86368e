"""What mouse tools share: the canvas is theirs until they are switched off, then it is as it was."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy import compat
from qtpy.QtCore import QEvent, QObject, Qt

from .notify import warn

if TYPE_CHECKING:
    from .session import Session


class _Keys(QObject):
    """Takes keys before the layer that is selected does, which may mean something else by them."""

    def __init__(self, slot: Callable[[Any], bool]) -> None:
        super().__init__()
        self._slot = slot

    def eventFilter(self, watched: Any, event: Any) -> bool:
        return event.type() == QEvent.Type.KeyPress and self._slot(event)


class CanvasTool:
    """A tool that presses on the canvas belong to, while it is on.

    It ends when a person takes up another tool, of napari or of ours, or changes to 3-D.

    Parameters
    ----------
    session : Session
        Of the viewer.

    Signals
    -------
    active_changed : bool
        When the tool is switched on or off.
    """

    active_changed = Signal(bool)
    _cursor = "standard"
    _no_3d = _no_grid = ""
    """Why the tool cannot be used in 3-D and in the grid view."""

    def __init__(self, session: Session) -> None:
        self._session, self._viewer = session, session.viewer
        self._on = False
        self._held: tuple[Any, str] | None = None
        self._keys = _Keys(self.take_key)
        self._canvas = session.viewer.window._qt_window._qt_viewer.canvas.native

    @property
    def active(self) -> bool:
        """Whether the tool is on."""
        return self._on

    def start(self) -> None:
        """Switch on; the layer's own tool rests meanwhile."""
        if self._on:
            return
        if not self._can_start():
            self.active_changed.emit(False)
            return
        if self._session.tool is not None:
            self._session.tool.stop()
        self._on, self._session.tool = True, self
        self._hold(self._viewer.layers.selection.active)
        self._viewer.mouse_drag_callbacks.insert(0, self._on_press)
        self._canvas.installEventFilter(self._keys)
        self._viewer.layers.selection.events.active.connect(self._on_active)
        for event in self._dims_events():
            event.connect(self._on_view)
        self._viewer.cursor.style = self._cursor
        self.active_changed.emit(True)

    def stop(self) -> None:
        """Switch off; the tool that was in hand before is so again."""
        if not self._on:
            return
        self._cancel()
        self._on, self._session.tool = False, None
        self._viewer.mouse_drag_callbacks.remove(self._on_press)
        # When the window closes, the canvas may go before the dock.
        if alive(self._canvas):
            self._canvas.removeEventFilter(self._keys)
        self._viewer.layers.selection.events.active.disconnect(self._on_active)
        for event in self._dims_events():
            event.disconnect(self._on_view)
        self._viewer.cursor.style = "standard"
        self._give_back()
        self.active_changed.emit(False)

    def escape(self) -> None:
        """Switch off."""
        self.stop()

    def take_key(self, event: Any) -> bool:
        """Take a key that was pressed on the canvas, and return whether it meant something."""
        if event.key() == Qt.Key.Key_Escape:
            self.escape()
            return True
        return False

    @abstractmethod
    def _on_press(self, viewer: Any, event: Any) -> Iterator[None]:
        """Follow the mouse from a press until it is let go."""
        raise NotImplementedError

    @abstractmethod
    def _cancel(self) -> None:
        """Forget what was begun."""
        raise NotImplementedError

    def _can_start(self) -> bool:
        if self._viewer.dims.ndisplay == 3:
            warn(self._no_3d)
            return False
        if in_grid(self._viewer):
            warn(self._no_grid)
            return False
        return True

    def _on_view(self, *_: object) -> None:
        self._cancel()
        if self._viewer.dims.ndisplay == 3:
            self.stop()

    def _hold(self, layer: Any) -> None:
        if layer is not None:
            self._held = (layer, str(layer.mode))
            layer.mode = "pan_zoom"
            layer.events.mode.connect(self._on_mode)

    def _give_back(self) -> None:
        if self._held is not None:
            (layer, mode), self._held = self._held, None
            layer.events.mode.disconnect(self._on_mode)
            if layer in self._viewer.layers:
                layer.mode = mode

    def _on_mode(self, event: Any) -> None:
        """End with the tool that a person took up in the place of this one."""
        if self._held is not None and str(event.source.mode) != "pan_zoom":
            self._held = (event.source, str(event.source.mode))
            self.stop()

    def _on_active(self, event: Any) -> None:
        self._give_back()
        if event.value is not None and str(event.value.mode) != "pan_zoom":
            self.stop()
            return
        self._hold(event.value)
        self._viewer.cursor.style = self._cursor

    def _dims_events(self) -> list[Any]:
        dims = self._viewer.dims.events
        return [dims.ndisplay, dims.order, dims.ndim]


def in_grid(viewer: Any) -> bool:
    """Return whether each layer has a view of its own, which boxes are not drawn in."""
    return bool((viewer.canvas if hasattr(viewer, "canvas") else viewer).grid.enabled)


def alive(widget: Any) -> bool:
    """Return whether Qt still has a widget."""
    check: Any = compat.isalive
    return bool(check(widget))
