"""Boxes are taken hold of with the mouse: moved, resized, selected."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import Qt

from ...annotation.world import WorldBox
from ...errors import AitrainError
from ...geometry import Region, triple
from ..canvas_tool import alive, in_grid
from ..frames import LayerFrame
from ..notify import reported
from .box_actions import BoxActions
from .box_geometry import Plane, plane_of
from .box_grips import dragged, sides_at
from .box_keys import action_of
from .image_of import image_layer
from .tool import BoxTool

if TYPE_CHECKING:
    from ..session import Session

_REACH = 6
_STILL = 3
_ARROW = Qt.CursorShape.ArrowCursor
_INSIDE = Qt.CursorShape.SizeAllCursor
_CURSORS = {
    (1, 0): Qt.CursorShape.SizeVerCursor,
    (0, 1): Qt.CursorShape.SizeHorCursor,
    (1, 1): Qt.CursorShape.SizeFDiagCursor,
    (1, -1): Qt.CursorShape.SizeBDiagCursor,
}


class BoxEditing(BoxTool):
    """A tool that drags the faces of boxes, and the selected box as a whole.

    Elsewhere a drag still moves the view. One drag is one step of undo.

    Parameters
    ----------
    session : Session
        Of the viewer.
    actions : BoxActions
        Places the boxes.

    Signals
    -------
    dragged
        When `now` changed.
    asked : str
        An action on the selected box, by its key.
    """

    dragged = Signal()
    asked = Signal(str)
    _done = "edited"

    def __init__(self, session: Session, actions: BoxActions) -> None:
        super().__init__(session, actions)
        self._shape = _ARROW
        self._box: WorldBox | None = None
        self._sides: tuple[int, ...] = ()
        self._from: tuple[float, ...] = ()
        self._now: Region | None = None

    @property
    def now(self) -> Region | None:
        """What the selected box would be if the mouse were let go now; None while nothing is dragged."""
        return self._now

    def start(self) -> None:
        """Switch on; a box on screen is selected if none is."""
        super().start()
        if self._on:
            boxes = self._session.boxes
            if boxes.selected is None and (seen := next((b for b in boxes if self._grasp(b)), None)) is not None:
                boxes.select(seen.id)
            self._viewer.mouse_move_callbacks.append(self._on_hover)
            self._session.boxes.changed.connect(self._cancel)
            self._session.scene.show_handles(True)

    def stop(self) -> None:
        """Switch off."""
        if self._on:
            self._viewer.mouse_move_callbacks.remove(self._on_hover)
            self._session.boxes.changed.disconnect(self._cancel)
            self._session.scene.show_handles(False)
            self._point(_ARROW)
        super().stop()

    def take_key(self, event: Any) -> bool:
        """Take Escape, the brackets and Delete."""
        name = action_of(event)
        if name and not self._dragging and self._session.boxes.selected is not None:
            self.asked.emit(name)
            return True
        return super().take_key(event)

    def _begin(self, event: Any) -> bool:
        found = self._find(event)
        if found is None:
            return False
        self._box, self._sides = found
        self._from, self._now = tuple(event.position), None
        self._session.boxes.select(self._box.id)
        self._point(self._cursor_of(self._sides))
        return True

    def _follow(self, event: Any) -> None:
        try:
            moved = self._moved(tuple(event.position))
        except AitrainError:
            self._cancel()
            return
        if self._box is not None and moved is not None:
            self._now = moved
            self._session.scene.set_draft(self._actions.placed(self._box, moved))
            self.dragged.emit()

    def _finish(self, event: Any) -> None:
        self._follow(event)
        box, region, self._now = self._box, self._now, None
        if box is None or region is None or not self._dragging:
            return
        self._dragging = False
        with reported():
            if region != self._actions.region(box):
                self._actions.set_region(box, region)

    def _cancel(self) -> None:
        super()._cancel()
        self._box = None
        if self._now is not None:
            self._now = None
            self.dragged.emit()

    def _moved(self, here: tuple[float, ...]) -> Region | None:
        if self._box is None:
            return None
        layer, dims = image_layer(self._viewer, self._box.image), self._viewer.dims
        place = LayerFrame.of(layer)
        sides, by = [0, 0, 0], [0.0, 0.0, 0.0]
        for axis, side in zip(dims.displayed, self._sides, strict=True):
            spatial = axis - dims.ndim + 3
            scale = place.scale[spatial]
            sides[spatial] = side if scale > 0 else -side
            by[spatial] = (here[axis] - self._from[axis]) / scale
        grid = self._actions.magnification(self._box.image)
        return dragged(self._actions.region(self._box), triple(sides), by, place.shape, grid)

    def _find(self, event: Any) -> tuple[WorldBox, tuple[int, ...]] | None:
        """Return what is under the mouse: the selected box, or the edge of another."""
        boxes, chosen = list(self._session.boxes), self._session.boxes.selected
        for box in sorted(reversed(boxes), key=lambda one: chosen is None or one.id != chosen.id):
            plane = self._grasp(box)
            sides = None if plane is None else _sides(plane, event)
            if sides is not None and (any(sides) or (chosen is not None and box.id == chosen.id)):
                return box, sides
        return None

    def _grasp(self, box: WorldBox) -> Plane | None:
        plane = plane_of(box, self._viewer)
        return plane if plane is not None and plane.cut else None

    def _on_hover(self, viewer: Any, event: Any) -> None:
        found = self._find(event)
        self._point(_ARROW if found is None else self._cursor_of(found[1]))

    def _point(self, shape: Qt.CursorShape) -> None:
        # napari's own list of cursors has none for resizing.
        if shape != self._shape and alive(self._canvas):
            self._shape = shape
            self._canvas.setCursor(shape)

    def _cursor_of(self, sides: tuple[int, ...]) -> Qt.CursorShape:
        if not any(sides):
            return _INSIDE
        if not all(sides):
            return _CURSORS[(abs(sides[0]), abs(sides[1]))]
        scene = self._viewer.window._qt_window._qt_viewer.canvas.view.scene
        (x0, y0), (x1, y1) = (scene.transform.map([at, at, 0, 1])[:2] for at in (0, 1))
        # Either axis may run the other way on screen.
        return _CURSORS[(1, int(sides[0] * sides[1] * math.copysign(1, (x1 - x0) * (y1 - y0))))]


class BoxPicking:
    """Selects a box whose edge is clicked while no tool is in hand but the one that moves the view.

    Parameters
    ----------
    session : Session
        Of the viewer.
    drawing : BoxTool
        While it is on, clicks are its own.
    """

    def __init__(self, session: Session, drawing: BoxTool) -> None:
        self._session, self._viewer, self._drawing = session, session.viewer, drawing
        self._viewer.mouse_drag_callbacks.append(self._on_press)

    def close(self) -> None:
        """Select no longer."""
        self._viewer.mouse_drag_callbacks.remove(self._on_press)

    def _on_press(self, viewer: Any, event: Any) -> Iterator[None]:
        layer = viewer.layers.selection.active
        free = layer is None or str(layer.mode) == "pan_zoom"
        if event.button != 1 or self._drawing.active or not free or in_grid(viewer):
            return
        first = tuple(event.pos)
        yield
        furthest = 0.0
        while event.type == "mouse_move":
            furthest = max(furthest, math.dist(first, event.pos))
            yield
        # Of a quick drag there may have been no move between.
        still = max(furthest, math.dist(first, event.pos)) <= _STILL
        if still and (box := self._at(event)) is not None:
            self._session.boxes.select(box.id)

    def _at(self, event: Any) -> WorldBox | None:
        """Return the box whose edge is there; those that the slice goes through first."""
        found = []
        for box in self._session.boxes:
            plane = plane_of(box, self._viewer)
            if plane is not None and any(_sides(plane, event) or ()):
                found.append((plane.cut, box))
        return max(found, key=lambda one: one[0])[1] if found else None


def _sides(plane: Plane, event: Any) -> tuple[int, ...] | None:
    point = [event.position[axis] for axis in event.dims_displayed]
    return sides_at(plane.low, plane.high, point, _REACH / event.camera_zoom)
