"""Drawing a box with the mouse, in whichever two axes are on screen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QEvent, QObject, Qt

from ...annotation.world import WorldBox
from ...errors import AitrainError, BoxError
from ...geometry import Region, triple
from ..frames import LayerFrame
from ..notify import report, warn
from ..review.viewing import camera_of
from .box_actions import BoxActions

if TYPE_CHECKING:
    from ..session import Session

_LEAST = 2


class _Escape(QObject):
    """Takes Escape before the layer that is selected does, which may mean something else by it."""

    def __init__(self, slot: Callable[[], None]) -> None:
        super().__init__()
        self._slot = slot

    def eventFilter(self, watched: Any, event: Any) -> bool:
        if event.type() != QEvent.Type.KeyPress or event.key() != Qt.Key.Key_Escape:
            return False
        self._slot()
        return True


class BoxDrawing:
    """A tool that is on until a box was drawn, or it is switched off.

    Parameters
    ----------
    session : Session
        Of the viewer.
    actions : BoxActions
        Makes the boxes.

    Attributes
    ----------
    depth : int
        Voxels along the axis that is not on screen, around the slice that is.

    Signals
    -------
    active_changed : bool
        When the tool is switched on or off.
    """

    active_changed = Signal(bool)

    def __init__(self, session: Session, actions: BoxActions) -> None:
        self._session, self._viewer, self._actions = session, session.viewer, actions
        self.depth = 32
        self._before: tuple[Any, str] | None = None
        self._on = False
        self._escape = _Escape(self.stop)
        self._canvas = session.viewer.window._qt_window._qt_viewer.canvas.native

    @property
    def active(self) -> bool:
        """Whether the next drag draws a box."""
        return self._on

    def start(self) -> None:
        """Switch on: the next drag draws a box instead of painting or moving the view."""
        if self._on:
            return
        if self._viewer.dims.ndisplay == 3:
            warn("Boxes are drawn on a slice: switch the view to 2-D first (the cube at the bottom left).")
            self.active_changed.emit(False)
            return
        try:
            self._actions.image()
        except AitrainError as error:
            report(error)
            self.active_changed.emit(False)
            return
        self._on = True
        layer = self._viewer.layers.selection.active
        if layer is not None:
            self._before = (layer, str(layer.mode))
            layer.mode = "pan_zoom"
        camera_of(self._viewer).mouse_pan = False
        self._viewer.mouse_drag_callbacks.insert(0, self._on_drag)
        self._canvas.installEventFilter(self._escape)
        self._viewer.cursor.style = "crosshair"
        self.active_changed.emit(True)

    def stop(self) -> None:
        """Switch off; the tool that was in hand before is so again."""
        if not self._on:
            return
        self._on = False
        self._viewer.mouse_drag_callbacks.remove(self._on_drag)
        self._canvas.removeEventFilter(self._escape)
        camera_of(self._viewer).mouse_pan = True
        self._viewer.cursor.style = "standard"
        self._session.scene.set_draft(None)
        if self._before is not None and self._before[0] in self._viewer.layers:
            self._before[0].mode = self._before[1]
        self._before = None
        self.active_changed.emit(False)

    def _on_drag(self, viewer: Any, event: Any) -> Iterator[None]:
        if event.button != 1:
            return
        first = last = tuple(event.position)
        yield
        while event.type == "mouse_move" and self._on:
            last = tuple(event.position)
            try:
                self._session.scene.set_draft(self._box(first, last))
            except BoxError:
                self._session.scene.set_draft(None)
            yield
        if not self._on:
            return
        last = tuple(event.position)
        self.stop()
        try:
            self._session.boxes.add(self._box(first, last))
        except AitrainError as error:
            report(error)

    def _box(self, first: tuple[float, ...], last: tuple[float, ...]) -> WorldBox:
        layer = self._actions.image()
        place, dims = LayerFrame.of(layer), self._viewer.dims
        here = self._actions.slice_voxels(layer)
        start, stop = [0, 0, 0], [1, 1, 1]
        corners = [_voxels(layer, point) for point in (first, last)]
        for axis in range(3):
            if axis == 0 and place.flat:
                continue
            if dims.ndim - 3 + axis in dims.displayed:
                start[axis] = min(corner[axis] for corner in corners)
                stop[axis] = max(corner[axis] for corner in corners) + 1
            else:
                depth = min(self.depth, place.shape[axis])
                start[axis] = max(0, min(here[axis] - depth // 2, place.shape[axis] - depth))
                stop[axis] = start[axis] + depth
        drawn = [axis for axis in range(3) if dims.ndim - 3 + axis in dims.displayed and not (place.flat and axis == 0)]
        if any(stop[axis] - start[axis] < _LEAST for axis in drawn):
            raise BoxError(
                "the box is thinner than two voxels",
                "a box of some extent",
                "press the mouse button at one corner, drag to the opposite one, and let go there",
            )
        return self._actions.make(layer, Region(triple(start), triple(stop)), self._actions.shown_frame(layer))


def _voxels(layer: Any, point: tuple[float, ...]) -> list[int]:
    place = LayerFrame.of(layer)
    spatial = [0.0, *point[-2:]] if place.flat else list(point[-3:])
    return [math.floor((w - t) / s + 0.5) for w, t, s in zip(spatial, place.translate, place.scale, strict=True)]
