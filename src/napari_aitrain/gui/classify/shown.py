"""The layer that shows classes: colours that are looked up by id, so that a threshold is a view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...classification.classified import Classified
from ...classification.writing import columns_of
from ..annotate.colours import class_colormap
from ..review.prediction_layer import add_quietly
from ..review.thresholded import Slices
from ..review.through import Held

if TYPE_CHECKING:
    import napari

    from .classifying import Result
    from .subject import Subject

UNSURE_COLOUR = "#9a9a9a"
_DENSE = 2**24
_MOST_IDS = 65535
"""Of a layer whose numbers of 16 bits stand for objects."""


class ByClass:
    """Labels with the number of each object's class in the place of its id; looked up when they are asked for.

    Parameters
    ----------
    ids : array-like
        Of objects.
    numbers : mapping of int to int
        Class by id; 0 and others are not drawn.
    """

    late = False

    def __init__(self, ids: Slices, numbers: Mapping[int, int]) -> None:
        self.ids, self.shape, self.dtype = ids, tuple(ids.shape), np.dtype(np.uint16)
        self._known = np.array(sorted(numbers), np.int64)
        self._values = np.array([numbers[one] for one in self._known.tolist()], np.uint16)
        self._table: npt.NDArray[np.uint16] | None = None
        if len(self._known) and self._known[-1] < _DENSE:
            self._table = np.zeros(int(self._known[-1]) + 2, np.uint16)
            self._table[self._known] = self._values

    def __getitem__(self, index: Any) -> npt.NDArray[np.uint16]:
        found = np.asarray(self.ids[index])
        if not len(self._known):
            return np.zeros(found.shape, np.uint16)
        if self._table is not None:
            shown: npt.NDArray[np.uint16] = self._table.take(np.clip(found, 0, len(self._table) - 1))
            return shown
        rows = np.searchsorted(self._known, found).clip(0, len(self._known) - 1)
        return np.where(self._known[rows] == found, self._values[rows], 0).astype(np.uint16)


class ClassLayer:
    """Shows classes of objects, or of boxes, in a layer of its own.

    Parameters
    ----------
    viewer : napari.Viewer
        Where it is shown.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._held: Held | None = None
        self._outlined: Any = None
        self.layer: Any = None

    @property
    def present(self) -> bool:
        """Whether the layer is in the viewer."""
        return self.layer is not None and self.layer in self._viewer.layers

    def show(self, subject: Subject, numbers: Mapping[int, int], colours: Mapping[int, str], unsure: int) -> None:
        """Show classes by id of object; unsure ones are grey."""
        if subject.kind == "boxes":
            self._show_boxes(subject, numbers, {**colours, unsure: UNSURE_COLOUR})
            return
        by_class = ByClass(subject.ids, numbers)
        colormap = class_colormap({**colours, unsure: UNSURE_COLOUR})
        if self.present and self._held is not None and self._held.shape == by_class.shape and self._on(subject):
            self._held.source = by_class
            if self.layer.colormap != colormap:
                self.layer.colormap = colormap
            self.layer.refresh()
            return
        from napari.layers import Labels

        self.remove()
        self._held = Held(by_class)
        spatial = len(by_class.shape)
        source = subject.labels
        place = {name: np.asarray(getattr(source, name))[-spatial:] for name in ("scale", "translate")}
        self.layer = Labels(
            self._held, name=f"classes of {subject.name}", opacity=0.7, colormap=colormap,
            units=source.units[-spatial:], **place,
        )  # fmt: skip
        self.layer.editable = False
        # Colours of classes are not to be mixed with those of ids.
        if source.contour == 0:
            source.contour, self._outlined = 1, source
        add_quietly(self._viewer, self.layer, source)

    def remove(self) -> None:
        """Take the layer away, and show objects as they were shown before."""
        layer, self.layer, self._held = self.layer, None, None
        outlined, self._outlined = self._outlined, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)
        if outlined is not None and outlined in self._viewer.layers and outlined.contour == 1:
            outlined.contour = 0

    def _on(self, subject: Subject) -> bool:
        spatial = len(self.layer.scale)
        return np.allclose(self.layer.scale, subject.labels.scale[-spatial:]) and np.allclose(
            self.layer.translate, subject.labels.translate[-spatial:]
        )

    def _show_boxes(self, subject: Subject, numbers: Mapping[int, int], colours: Mapping[int, str]) -> None:
        from napari.layers import Points

        boxes = subject.boxes()
        # Without a z axis they are shown in every slice.
        middles = [np.add(box.start, box.stop)[-2:] / 2 for box in boxes]
        drawn = [colours.get(numbers.get(number, 0), "#ffffff") for number in range(1, len(boxes) + 1)]
        selected = self._viewer.layers.selection.active
        self.remove()
        if not boxes:
            return
        size = max(1e-6, float(np.min([np.subtract(b.stop, b.start)[-2:] for b in boxes])) / 6)
        # Places of boxes are those of the world.
        self.layer = Points(
            np.array(middles), name=f"classes of {subject.name}", size=size, face_color=drawn,
            border_color="black", units=subject.image.units[-2:],
        )  # fmt: skip
        self.layer.editable = False
        add_quietly(self._viewer, self.layer, subject.image)
        if selected in self._viewer.layers:
            self._viewer.layers.selection.active = selected


def numbers_of(
    found: Classified | None,
    answers: Mapping[int, tuple[int, ...]],
    threshold: float,
    attribute: int | None,
    unsure: int,
) -> dict[int, int]:
    """Return what is drawn for each object: its class, or `unsure`; what a person said counts before it.

    Parameters
    ----------
    found : Classified, optional
        What a classifier says.
    answers : mapping
        What a person said, by id of object.
    threshold : float
        Objects that are less sure are unsure.
    attribute : int, optional
        The attribute that is shown; objects without it are not drawn.
    unsure : int
        The number of unsure objects.
    """
    numbers: dict[int, int] = {}
    if found is not None and len(found.ids):
        best, sure = found.best(attribute)
        drawn = np.where(sure >= threshold, best, unsure)
        numbers = dict(zip(found.ids.tolist(), drawn.tolist(), strict=True))
    for identity, classes in answers.items():
        if attribute is None:
            numbers[identity] = classes[0] if classes else 0
        else:
            numbers[identity] = attribute if attribute in classes else 0
    return numbers


def give_features(subject: Subject, result: Result) -> None:
    """Give a labels layer the table of its objects: napari shows the row of what is under the cursor."""
    if subject.kind != "objects" or (
        subject.prediction is not None and int(result.table.ids.max(initial=0)) > _MOST_IDS
    ):
        return
    columns = columns_of(result.table, result.found)
    subject.labels.features = {
        "index": columns["id"],
        **{name: values for name, values in columns.items() if name != "id"},
    }


__all__ = ["ByClass", "ClassLayer", "give_features", "numbers_of"]
