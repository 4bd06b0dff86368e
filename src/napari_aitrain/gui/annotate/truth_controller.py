"""Connects images, ground truths and classes of a session to their views."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QMessageBox

from ...errors import AitrainError
from ...geometry import FINEST, Triple, format_magnification
from ..notify import reported
from .class_view import ClassRow, ClassView
from .image_of import image_layer
from .magnifications import offered, painted_at, typed
from .moving import move_window
from .truth_view import TruthView
from .truths import GroundTruth
from .window_place import wants_window, window_for

if TYPE_CHECKING:
    from ..session import Session

_GREY = "#7f7f7f"


class TruthController:
    """What the upper half of the dock does.

    Parameters
    ----------
    session : Session
        Whose layers are meant.
    view, classes : TruthView, ClassView
        What they are shown in.
    ask : callable, optional
        Asks a person a question with yes and no; for tests.
    """

    def __init__(
        self, session: Session, view: TruthView, classes: ClassView, ask: Callable[[str], bool] | None = None
    ) -> None:
        self._session, self._view, self._classes = session, view, classes
        self._ask = ask or self._ask_person
        self._image = ""
        self._placed_for = ""
        self._watched: Any = None
        view.image_chosen.connect(self._choose_image)
        view.truth_chosen.connect(self._choose_truth)
        view.new_asked.connect(self._new)
        view.move_asked.connect(self._move)
        view.adopt_asked.connect(self._adopt)
        classes.chosen.connect(self._paint_with)
        classes.renamed.connect(lambda number, name: self._change(number, name=name))
        classes.recoloured.connect(lambda number, colour: self._change(number, color=colour))
        classes.add_asked.connect(self._add_class)
        classes.remove_asked.connect(self._remove_class)
        classes.next_asked.connect(self._next_object)
        classes.background_asked.connect(self._background)
        self._sources = [
            (session.truths.changed, self.refresh),
            (session.truths.current_changed, self.refresh),
            (session.saver.saved, self.refresh_classes),
        ]
        for signal, slot in self._sources:
            signal.connect(slot)
        for event in self._layer_events():
            event.connect(self.refresh)
        self.refresh()

    def close(self) -> None:
        """Follow the session no longer."""
        for signal, slot in self._sources:
            signal.disconnect(slot)
        for event in self._layer_events():
            event.disconnect(self.refresh)
        self._watch(None)

    def refresh(self, *_: object) -> None:
        """Show what there is now."""
        layers, truths = self._session.viewer.layers, self._session.truths
        images = [layer.name for layer in layers if layer._type_string == "image"]
        current = truths.current
        if current is not None and current.image in images:
            self._image = current.image
        elif self._image not in images:
            self._image = images[-1] if images else ""
        self._view.set_images(images, self._image)
        names = [truth.layer for truth in truths.all()]
        self._view.set_truths(names, "" if current is None else current.layer)
        # What the other docks show is made anew, or taken away, when they like; nobody can paint in it.
        labels = [one for one in layers if one._type_string == "labels" and one.editable and not one.multiscale]
        free = [one.name for one in labels if truths.of_layer(one.name) is None]
        self._view.set_labels(free if images else [])
        self._view.set_magnifications([format_magnification(m) for m in self._magnifications()])
        self._view.set_movable(current is not None and current.window is not None)
        self._offer_place()
        self._watch(None if current is None else truths.layer(current))
        self.refresh_classes()

    def refresh_classes(self, *_: object) -> None:
        """Show the classes of the current ground truth, and how much of each is painted."""
        truth = self._session.truths.current
        self._classes.set_mode(None if truth is None else truth.mode)
        if truth is None:
            return
        counts = self._session.saver.counts(truth)
        layer = self._session.truths.layer(truth)
        rows = _class_rows(truth, counts) if truth.mode == "classes" else _object_rows(truth, counts)
        shown = int(layer.selected_label)
        if truth.mode == "instances" and shown not in (0, truth.background_id):
            shown = -1
        self._classes.set_rows(rows, shown)

    def _choose_image(self, name: str) -> None:
        self._image = name
        truths = self._session.truths.of_image(name)
        self._session.truths.current = truths[0] if truths else None
        self.refresh()

    def _choose_truth(self, name: str) -> None:
        truth = self._session.truths.of_layer(name)
        if truth is not None:
            self._session.truths.current = truth
            self._session.viewer.layers.selection.active = self._session.truths.layer(truth)

    def _new(self, mode: Any, magnification: str, where: str) -> None:
        with reported():
            layer = self._session.viewer.layers[self._image]
            m = painted_at(typed(magnification, layer), layer)
            added = self._session.truths.create(layer, mode, m, window=window_for(self._session, layer, m, where))
            self._session.viewer.layers.selection.active = added
            added.mode = "paint"

    def _move(self, magnification: str, where: str) -> None:
        truth = self._session.truths.current
        if truth is None or truth.window is None:
            return
        with reported():
            image = image_layer(self._session.viewer, truth.image)
            m = painted_at(typed(magnification, image), image)
            window = window_for(self._session, image, m, "screen" if where == "all" else where)
            if window is not None:
                truth = move_window(self._session, truth, m, window)
                self._take_brush(self._session.truths.layer(truth))

    def _offer_place(self) -> None:
        """Choose what suits an image, once when it comes into view; a person may choose otherwise."""
        if self._image and self._image != self._placed_for:
            self._placed_for = self._image
            with suppress(AitrainError):
                large = wants_window(self._session.viewer.layers[self._image])
                self._view.set_where("screen" if large else "all")

    def _adopt(self, name: str, mode: Any) -> None:
        with reported():
            self._session.truths.adopt(self._session.viewer.layers[name], self._image, mode)

    def _paint_with(self, number: int) -> None:
        truth = self._session.truths.current
        if truth is not None and number >= 0:
            layer = self._session.truths.layer(truth)
            layer.selected_label = number
            self._take_brush(layer)

    def _next_object(self) -> None:
        truth = self._session.truths.current
        if truth is not None:
            layer = self._session.truths.layer(truth)
            with reported():
                layer.selected_label = self._session.truths.next_id(truth)
            self._take_brush(layer)

    def _background(self) -> None:
        truth = self._session.truths.current
        if truth is not None:
            if truth.background_id is None:
                truth = self._session.truths.update(truth, background_id=self._session.truths.next_id(truth))
            self._paint_with(truth.background_id or 0)
            self.refresh_classes()

    def _take_brush(self, layer: Any) -> None:
        self._session.viewer.layers.selection.active = layer
        if str(layer.mode) not in ("paint", "fill", "polygon"):
            layer.mode = "paint"

    def _change(self, number: int, **changes: Any) -> None:
        truth = self._session.truths.current
        if truth is not None and all(changes.values()):
            classes = tuple(replace(one, **changes) if one.id == number else one for one in truth.classes)
            self._session.truths.set_classes(truth, classes)
        self.refresh_classes()

    def _add_class(self) -> None:
        truth = self._session.truths.current
        if truth is not None:
            self._paint_with(self._session.truths.new_class(truth).id)

    def _remove_class(self, number: int) -> None:
        truth = self._session.truths.current
        if truth is None:
            return
        layer = self._session.truths.layer(truth)
        name = next((one.name for one in truth.classes if one.id == number), str(number))
        painted = np.nonzero(layer.data == number)
        count = len(painted[0])
        if count and not self._ask(f"{count:,} voxels are painted as {name}. Erase them, and remove the class?"):
            return
        if count:
            layer.data_setitem(painted, 0)
        self._session.truths.set_classes(truth, tuple(one for one in truth.classes if one.id != number))

    def _magnifications(self) -> list[Triple]:
        if not self._image:
            return [FINEST]
        try:
            return offered(self._session.viewer.layers[self._image])
        except AitrainError:
            return [FINEST]

    def _watch(self, layer: Any) -> None:
        """Follow the brush of the labels that are worked on."""
        if layer is self._watched:
            return
        if self._watched is not None:
            self._watched.events.selected_label.disconnect(self.refresh_classes)
        self._watched = layer
        if layer is not None:
            layer.events.selected_label.connect(self.refresh_classes)

    def _layer_events(self) -> list[Any]:
        events = self._session.viewer.layers.events
        return [events.inserted, events.removed, events.renamed]

    def _ask_person(self, question: str) -> bool:
        return QMessageBox.question(self._view, "Remove a class", question) == QMessageBox.StandardButton.Yes


def _class_rows(truth: GroundTruth, counts: dict[int, int]) -> list[ClassRow]:
    rows = [
        ClassRow(one.id, one.name, one.color, _voxels(counts.get(one.id, 0)), one.id == truth.background_id)
        for one in truth.classes
    ]
    if truth.background_id is not None and truth.background_id not in {one.id for one in truth.classes}:
        rows.insert(0, _background_row(truth.background_id, counts))
    return rows


def _object_rows(truth: GroundTruth, counts: dict[int, int]) -> list[ClassRow]:
    background = truth.background_id
    objects = [number for number in counts if number != background]
    count = "1 object" if len(objects) == 1 else f"{len(objects):,} objects"
    rows = [ClassRow(-1, "objects", "#56b4e9", count, True)]
    return rows if background is None else [_background_row(background, counts), *rows]


def _background_row(number: int, counts: dict[int, int]) -> ClassRow:
    return ClassRow(number, "background", _GREY, _voxels(counts.get(number, 0)), True)


def _voxels(count: int) -> str:
    return f"{count:,} voxels" if count != 1 else "1 voxel"
