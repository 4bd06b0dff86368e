"""Which labels layers are ground truth: of which image, at which magnification, with which classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from ...geometry import FINEST, format_magnification, triple
from ..frames import LayerFrame
from .class_steps import ClassSteps
from .colours import CLASS_COLOURS, WINDOW_COLOUR, colour_of_class, colour_truth, shares_background_colour
from .new_layer import check_free, check_ids, check_paintable, magnification_of, new_labels
from .truth import BACKGROUND_ID, GroundTruth, LabelClass, Mode, Window, background_class, new_key

__all__ = ["GroundTruth", "GroundTruths", "LabelClass", "Mode"]

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels


class GroundTruths:
    """The ground truths of a viewer, free of widgets; follows layers that are renamed, added and removed.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose labels layers are meant.

    Signals
    -------
    changed
        After any change of a ground truth, or of which there are.
    current_changed : str
        The name of the labels layer that is worked on; empty for none.
    classes_set
        After a change of classes that can be undone.

    Attributes
    ----------
    class_steps : ClassSteps
        Undoes changes of classes.
    """

    changed = Signal()
    current_changed = Signal(str)
    classes_set = Signal()

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._truths: dict[Labels, GroundTruth] = {}
        self._current: Labels | None = None
        self._names: dict[Any, str] = {}
        self._largest: dict[Any, int] = {}
        self.class_steps = ClassSteps(self.of_key, lambda truth, classes: self.update(truth, classes=classes))
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.selection.events.active.connect(self._on_active)
        for layer in viewer.layers:
            self._watch(layer)

    def all(self) -> tuple[GroundTruth, ...]:
        """Return every ground truth, in the order in which they were made."""
        return tuple(self._truths.values())

    @property
    def current(self) -> GroundTruth | None:
        """What is being painted: the ground truth selected last."""
        return self._truths.get(self._current) if self._current is not None else None

    @current.setter
    def current(self, truth: GroundTruth | None) -> None:
        layer = None if truth is None else self.layer(truth)
        if layer is not self._current:
            self._current = layer
            self.current_changed.emit("" if layer is None else layer.name)

    def of_layer(self, name: str) -> GroundTruth | None:
        """Return the ground truth of a labels layer, if it is one."""
        return next((truth for truth in self._truths.values() if truth.layer == name), None)

    def of_key(self, key: str) -> GroundTruth | None:
        """Return the ground truth of a key, as it is now."""
        return next((truth for truth in self._truths.values() if truth.key == key), None)

    def of_image(self, name: str) -> tuple[GroundTruth, ...]:
        """Return the ground truths of an image layer."""
        return tuple(truth for truth in self._truths.values() if truth.image == name)

    def layer(self, truth: GroundTruth) -> Labels:
        """Return the labels layer of a ground truth; KeyError if it was removed."""
        for layer, one in self._truths.items():
            if one.key == truth.key:
                return layer
        raise KeyError(truth.key)

    def create(
        self,
        image: Any,
        mode: Mode = "instances",
        magnification: Sequence[int] = FINEST,
        classes: Iterable[LabelClass] = (),
        window: Window | None = None,
    ) -> Labels:
        """Add an empty labels layer that matches an image layer, as ground truth.

        Parameters
        ----------
        image : napari.layers.Image or str
            The image, or its name.
        mode : {'instances', 'classes'}
            Whether ids will number objects, or name classes.
        magnification : tuple of int
            Of the labels relative to the image, in z, y, x order.
        classes : iterable of LabelClass
            For mode ``classes``; none means background and one class.
        window : Window, optional
            The part to be painted first; None means all of the image.

        Raises
        ------
        AitrainError
            If the image is rotated, or the labels would not fit into memory.
        """
        image = self._viewer.layers[image] if isinstance(image, str) else image
        m = triple(magnification)
        if LayerFrame.of(image).flat:
            m = (1, m[1], m[2])
        suffix = "" if m == FINEST or window else f" @{format_magnification(m)}"
        layer = new_labels(image, m, f"{image.name} ground truth ({mode}){suffix}", window.region if window else None)
        added = self._viewer.add_layer(layer)
        given = tuple(classes)
        if mode == "classes" and not given:
            given = (background_class(), LabelClass(2, "class 1", CLASS_COLOURS[0]))
        truth = GroundTruth(added.name, image.name, mode, m, given, BACKGROUND_ID, new_key(image.name), window)
        self._add(added, truth, new=True)
        added.selected_label = self.next_id(truth) if mode == "instances" else given[-1].id
        return added

    def adopt(
        self,
        layer: Labels,
        image: str,
        mode: Mode = "instances",
        *,
        magnification: Sequence[int] | None = None,
        classes: Iterable[LabelClass] = (),
        background_id: int | None = None,
        key: str = "",
        window: Window | None = None,
    ) -> GroundTruth:
        """Take an existing labels layer as ground truth of an image.

        Parameters
        ----------
        layer : napari.layers.Labels
            Of one scale.
        image : str
            Name of the image layer.
        mode : {'instances', 'classes'}
            What its ids mean.
        magnification : tuple of int, optional
            None finds it from the shapes.
        classes, background_id, key, window
            As for `GroundTruth`; an empty key makes one.

        Raises
        ------
        AitrainError
            If its shape is not the image's at any whole magnification, it is multiscale, rotated or sheared, or an id
            does not fit into 32 bits.
        """
        check_paintable(layer)
        m = triple(magnification) if magnification else magnification_of(layer, self._viewer.layers[image])
        truth = GroundTruth(layer.name, image, mode, m, tuple(classes), background_id, key or new_key(image), window)
        self._add(layer, truth, new=window is not None)
        return truth

    def update(self, truth: GroundTruth, **changes: Any) -> GroundTruth:
        """Change fields of a ground truth, such as its classes, and return it as it is now."""
        layer = self.layer(truth)
        changed = replace(self._truths[layer], **changes)
        if changed != self._truths[layer]:
            self._truths[layer] = changed
            colour_truth(layer, changed)
            self.changed.emit()
        return changed

    def forget(self, truth: GroundTruth) -> None:
        """Take a labels layer as ordinary labels again; the layer stays."""
        self._drop(self.layer(truth))

    def next_id(self, truth: GroundTruth) -> int:
        """Return an id that no object has: one above the largest, and not one that looks like background.

        Raises
        ------
        GroundTruthError
            If the largest id is the largest that there can be.
        """
        layer = self.layer(truth)
        known = [entry.id for entry in truth.classes]
        largest = max([*known, truth.background_id or 0, self._largest[layer]])
        number = largest + 1
        number += truth.mode == "instances" and shares_background_colour(number, truth)
        check_free(layer.name, number)
        return number

    def note_id(self, layer: Labels, number: int) -> None:
        """Take note of an id that a layer holds, so that it is not given again."""
        if layer in self._largest:
            self._largest[layer] = max(self._largest[layer], number)

    def new_class(self, truth: GroundTruth, name: str = "") -> LabelClass:
        """Add a class with the next free id and colour, and return it."""
        number = max([entry.id for entry in truth.classes] + [truth.background_id or 0]) + 1
        entry = LabelClass(number, name or f"class {number - 1}", colour_of_class(len(truth.classes)))
        self.set_classes(truth, (*truth.classes, entry))
        return entry

    def set_classes(self, truth: GroundTruth, classes: tuple[LabelClass, ...]) -> None:
        """Change the classes, as a step that can be undone."""
        self.class_steps.note(truth)
        self.classes_set.emit()
        self.update(truth, classes=classes)

    def close(self) -> None:
        """Follow the layers no longer."""
        layers = self._viewer.layers
        layers.events.removed.disconnect(self._on_removed)
        layers.events.inserted.disconnect(self._on_inserted)
        layers.selection.events.active.disconnect(self._on_active)
        for layer in self._names:
            layer.events.name.disconnect(self._on_name)
        for layer in self._truths:
            layer.events.paint.disconnect(self._on_paint)

    def _add(self, layer: Labels, truth: GroundTruth, new: bool = False) -> None:
        # Napari itself looks at a layer's labels; zeros that were just made need no look.
        largest = 0 if new else check_ids(layer.name, np.asarray(layer.data))
        self._truths[layer], self._largest[layer] = truth, largest
        layer.events.paint.connect(self._on_paint)
        colour_truth(layer, truth)
        layer.bounding_box.visible = truth.window is not None
        layer.bounding_box.points = False
        layer.bounding_box.line_color = WINDOW_COLOUR
        self._current = layer
        self.changed.emit()
        self.current_changed.emit(layer.name)

    def _drop(self, layer: Any) -> None:
        if self._truths.pop(layer, None) is None:
            return
        layer.events.paint.disconnect(self._on_paint)
        self._largest.pop(layer)
        if self._current is layer:
            self._current = next(reversed(self._truths), None)
            self.current_changed.emit("" if self._current is None else self._current.name)
        self.changed.emit()

    def _watch(self, layer: Any) -> None:
        self._names[layer] = layer.name
        layer.events.name.connect(self._on_name)

    def _on_inserted(self, event: Any) -> None:
        self._watch(event.value)

    def _on_removed(self, event: Any) -> None:
        layer = event.value
        layer.events.name.disconnect(self._on_name)
        self._names.pop(layer, None)
        self._drop(layer)

    def _on_active(self, event: Any) -> None:
        truth = self._truths.get(event.value)
        if truth is not None:
            self.current = truth

    def _on_paint(self, event: Any) -> None:
        self.note_id(event.source, max(int(np.max(atom[-1], initial=0)) for atom in event.value))

    def _on_name(self, event: Any) -> None:
        layer = event.source
        old, self._names[layer] = self._names[layer], layer.name
        for labels, truth in self._truths.items():
            if labels is layer:
                self._truths[labels] = replace(truth, layer=layer.name)
            elif truth.image == old:
                self._truths[labels] = replace(truth, image=layer.name)
        self.changed.emit()
