"""Keeps the boxes on screen in step with the session and the viewer, with or without a dock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...annotation.world import WorldBox
from ...errors import AitrainError
from ..frames import LayerFrame
from ..review.viewing import camera_of
from .box_geometry import plane_of, segments_of, spans_of
from .box_grips import handles_of
from .box_overlay import ROLE_COLOURS, BoxOverlay, Outline

if TYPE_CHECKING:
    from ..session import Session

_LONGEST_NAME = 24
_PLACING = ("scale", "translate", "affine", "rotate", "shear", "units", "axis_labels", "data")


class BoxScene:
    """Shows the boxes of a session; boxes follow a rename of their image.

    Parameters
    ----------
    session : Session
        Of a viewer with a window.
    """

    def __init__(self, session: Session) -> None:
        self._session, self._viewer = session, session.viewer
        self._overlay = BoxOverlay(session.viewer.window._qt_window._qt_viewer.canvas.view.scene)
        self._draft: WorldBox | None = None
        self._handles = False
        self._names: dict[Any, str] = {}
        session.boxes.changed.connect(self.update)
        session.boxes.selected_changed.connect(self.update)
        dims = self._viewer.dims.events
        for event in (dims.current_step, dims.order, dims.ndisplay, dims.ndim, dims.range):
            event.connect(self.update)
        camera_of(self._viewer).events.zoom.connect(self._on_zoom)
        layers = self._viewer.layers.events
        layers.inserted.connect(self._on_inserted)
        layers.removed.connect(self._on_removed)
        for layer in self._viewer.layers:
            self._watch(layer)
        self._on_zoom()
        self.update()

    @property
    def outlines(self) -> tuple[Outline, ...]:
        """What is drawn now."""
        return self._overlay.outlines

    def set_draft(self, box: WorldBox | None) -> None:
        """Show a box that is being drawn or dragged, in the place of the one of its id; None for none."""
        if box != self._draft:
            self._draft = box
            self.update()

    def show_handles(self, on: bool) -> None:
        """Show or hide where the selected box can be taken hold of."""
        self._handles = on
        self.update()

    def update(self, *_: object) -> None:
        """Draw every box anew."""
        draft = self._draft
        boxes = [*self._session.boxes] if draft is None else [b for b in self._session.boxes if b.id != draft.id]
        boxes += [] if draft is None else [draft]
        found = (self._outline(box) for box in boxes)
        self._overlay.show([one for one in found if one is not None])

    def close(self) -> None:
        """Take the boxes off the screen."""
        dims = self._viewer.dims.events
        for event in (dims.current_step, dims.order, dims.ndisplay, dims.ndim, dims.range):
            event.disconnect(self.update)
        camera_of(self._viewer).events.zoom.disconnect(self._on_zoom)
        layers = self._viewer.layers.events
        layers.inserted.disconnect(self._on_inserted)
        layers.removed.disconnect(self._on_removed)
        for layer in list(self._names):
            self._unwatch(layer)
        self._overlay.close()

    def _outline(self, box: WorldBox) -> Outline | None:
        if box.image not in self._viewer.layers:
            return None
        dims, layer = self._viewer.dims, self._viewer.layers[box.image]
        try:
            spans = spans_of(box, layer, dims.ndim)
        except AitrainError:
            return None
        found = segments_of(spans, tuple(dims.displayed), tuple(dims.point))
        if found is None:
            return None
        lines, bright = found
        chosen = self._session.boxes.selected
        selected = box is self._draft or (chosen is not None and chosen.id == box.id)
        name = box.name if len(box.name) <= _LONGEST_NAME else box.name[: _LONGEST_NAME - 1] + "…"
        if box is self._draft:
            name = _size(box, layer)
        plane = plane_of(box, self._viewer) if self._handles and selected and bright else None
        handles = None if plane is None else handles_of(plane.low, plane.high)
        return Outline(lines, ROLE_COLOURS[box.role], bright, selected, name, handles)

    def _watch(self, layer: Any) -> None:
        self._names[layer] = layer.name
        layer.events.name.connect(self._on_name)
        for name in _PLACING:
            getattr(layer.events, name).connect(self.update)

    def _unwatch(self, layer: Any) -> None:
        self._names.pop(layer)
        layer.events.name.disconnect(self._on_name)
        for name in _PLACING:
            getattr(layer.events, name).disconnect(self.update)

    def _on_inserted(self, event: Any) -> None:
        self._watch(event.value)
        self.update()

    def _on_removed(self, event: Any) -> None:
        self._unwatch(event.value)
        self.update()

    def _on_zoom(self, *_: object) -> None:
        self._overlay.set_pixel(1 / camera_of(self._viewer).zoom)

    def _on_name(self, event: Any) -> None:
        old, self._names[event.source] = self._names[event.source], event.source.name
        if old not in self._viewer.layers:
            self._session.boxes.rename_image(old, event.source.name)
        self.update()


def _size(box: WorldBox, layer: Any) -> str:
    frame = LayerFrame.of(layer)
    z, y, x = frame.to_region(box.start, box.stop).shape
    return f"{x}·{y} voxels" if frame.flat else f"{x}·{y}·{z} voxels"
