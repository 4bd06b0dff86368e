"""Connects the boxes of a session to their view."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ...annotation.world import WorldBox
from ...errors import BoxError
from ...geometry import Region
from ..frames import LayerFrame
from ..notify import inform, report, reported
from .box_actions import BoxActions
from .box_view import BoxView
from .counting import BoxCounts
from .draw import BoxDrawing
from .edit import BoxEditing, BoxPicking
from .rows import rows_of, truth_of
from .tool import BoxTool

if TYPE_CHECKING:
    from ..session import Session


class BoxController:
    """What the lower half of the dock does.

    Parameters
    ----------
    session : Session
        Whose boxes are meant.
    view : BoxView
        What they are shown in.
    """

    def __init__(self, session: Session, view: BoxView) -> None:
        self._session, self._view = session, view
        self.actions = BoxActions(session)
        self.drawing = BoxDrawing(session, self.actions)
        self.editing = BoxEditing(session, self.actions)
        self._picking = BoxPicking(session, self.drawing)
        self._counts = BoxCounts(session)
        self._selected: dict[str, Callable[[WorldBox], None]] = {
            "go_to": self.actions.go_to,
            "duplicate": self.actions.duplicate,
            "first_here": self.actions.first_here,
            "last_here": self.actions.last_here,
            "snap": self.actions.snap,
            "delete": lambda box: session.boxes.remove(box.id),
        }
        view.draw_toggled.connect(lambda on: self._use(self.drawing, on))
        view.edit_toggled.connect(lambda on: self._use(self.editing, on))
        view.depth_changed.connect(self._set_depth)
        view.asked.connect(self.do)
        view.generate_asked.connect(self._generate)
        view.region_changed.connect(self._set_region)
        view.table.edited.connect(self._edit)
        view.table.asked.connect(self.do)
        view.table.selected.connect(session.boxes.select)
        view.table.activated_box.connect(self._go_to)
        self.drawing.active_changed.connect(view.set_drawing)
        self.editing.active_changed.connect(view.set_editing)
        self.editing.asked.connect(self.do)
        self.editing.dragged.connect(self._on_selected)
        self._counts.changed.connect(self.refresh)
        self._signals = [
            (session.boxes.changed, self.refresh),
            (session.boxes.selected_changed, self._on_selected),
            (session.truths.changed, self.refresh),
            (session.truths.current_changed, self._on_truth),
        ]
        for signal, slot in self._signals:
            signal.connect(slot)
        for event in self._layer_events():
            event.connect(self.refresh)
        self._on_truth()

    def close(self) -> None:
        """Follow the session no longer."""
        self.escape()
        self._picking.close()
        self._counts.close()
        for signal, slot in self._signals:
            signal.disconnect(slot)
        for event in self._layer_events():
            event.disconnect(self.refresh)

    def refresh(self, *_: object) -> None:
        """Show the boxes as they are now."""
        boxes, layers = self._session.boxes, self._session.viewer.layers
        self._view.set_enabled(any(layer._type_string == "image" for layer in layers), bool(len(boxes)))
        if not len(boxes):
            self.editing.stop()
        self._view.table.set_rows(rows_of(self._session, self._counts.count))
        self._view.hint.setVisible(not len(boxes))
        self._view.set_history(self._session.history.can_undo, self._session.history.can_redo)
        self._on_selected()

    def undo(self) -> None:
        """Undo the last change of boxes or classes."""
        self.do("undo")

    def redo(self) -> None:
        """Do it again."""
        self.do("redo")

    def escape(self) -> None:
        """Switch the tools off."""
        self.drawing.stop()
        self.editing.stop()

    def do(self, name: str) -> None:
        """Do what `BoxView.asked` says."""
        with reported():
            if name == "add":
                self.actions.add_at_view(self.drawing.depth)
            elif name == "undo":
                self._session.history.undo()
            elif name == "redo":
                self._session.history.redo()
            elif (box := self._session.boxes.selected) is not None:
                self._selected[name](box)

    def _use(self, tool: BoxTool, on: bool) -> None:
        self.escape()
        if on:
            tool.start()

    def _go_to(self, box_id: str) -> None:
        with reported():
            self.actions.go_to(self._session.boxes[box_id])

    def _generate(self, count: int, width: int) -> None:
        with reported():
            placed = self.actions.generate(count, (width, width, width))
            if placed < count:
                inform(f"{placed} of {count} boxes fitted beside each other.")

    def _set_region(self, region: Region) -> None:
        box = self._session.boxes.selected
        if box is not None:
            with reported():
                self.actions.set_region(box, region)

    def _set_depth(self, voxels: int) -> None:
        self.drawing.depth = voxels

    def _edit(self, box_id: str, field: str, value: Any) -> None:
        try:
            self._session.boxes.update(box_id, **{field: value})
        except ValidationError as error:
            report(BoxError(f"{value!r} cannot be the {field} of a box", error.errors()[0]["msg"], "choose another"))
            self.refresh()

    def _on_selected(self, *_: object) -> None:
        box = self._session.boxes.selected
        self._view.table.set_selected("" if box is None else box.id)
        if box is None or box.image not in self._session.viewer.layers:
            self._view.set_region(None)
            return
        with reported():
            flat = LayerFrame.of(self._session.viewer.layers[box.image]).flat
            self._view.set_region(self.editing.now or self.actions.region(box), flat)

    def _on_truth(self, *_: object) -> None:
        truth = self._session.truths.current
        if truth is not None and truth_of(self._session, truth.image) == truth:
            self._view.deep.setValue(max(self.actions.minimum(truth.image)[axis] for axis in self._depth_axes()))
        self.refresh()

    def _depth_axes(self) -> list[int]:
        return self.actions.hidden_axes() or [0]

    def _layer_events(self) -> list[Any]:
        events = self._session.viewer.layers.events
        return [events.inserted, events.removed, events.renamed]
