"""A box of an evaluation in the viewer: the prediction, in colours of what became of it, and the ground truth."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels
from napari.utils.colormaps import CyclicLabelColormap

from ...errors import AitrainError
from ...evaluation.box_records import BoxArrays, read_box
from ...evaluation.box_results import BoxResult, ModelEvaluation, ObjectError
from ...evaluation.figures import kind_of
from ...evaluation.outcome import COLOURS, OUTCOMES, outcome_map
from ...geometry import FINEST, Triple, triple
from ...location import absolute
from ..annotate.colours import class_colormap, colour_of_class
from ..frames import LayerFrame
from ..looking import look_at
from ..review.prediction_layer import PlacedLayer, Placement, object_colormap
from ..review.viewing import leading_index

if TYPE_CHECKING:
    from ..session import Session

AROUND = 4.0
"""How much of the image is shown around an object, in its own extents."""
_LEAST = 80.0
"""Voxels around an object that are shown at least."""
_VARIANTS = 6000


@dataclass(frozen=True)
class Look:
    """How a box is drawn.

    Parameters
    ----------
    errors : bool
        Whether colours say what became of each object, instead of telling objects or classes apart.
    outlines : bool
        Whether only the rims are drawn.
    truth : bool
        Whether the ground truth is shown.
    prediction : bool
        Whether the prediction is shown.
    hidden_classes : frozenset of int
        Classes that are left out.
    """

    errors: bool = True
    outlines: bool = True
    truth: bool = False
    prediction: bool = True
    hidden_classes: frozenset[int] = frozenset()


class _LabelsOfBox(PlacedLayer):
    """A labels layer of a box."""

    def _make(self, data: Any, **options: Any) -> Any:
        layer = Labels(data, opacity=0.8, colormap=object_colormap(), **options)
        layer.editable = False
        return layer


class ShownBox:
    """The layers of a box; a person may remove them at any time.

    Parameters
    ----------
    session : Session
        Of the window.
    """

    def __init__(self, session: Session) -> None:
        self._session, viewer = session, session.viewer
        self._prediction = _LabelsOfBox(viewer, "Evaluation")
        self._truth = _LabelsOfBox(viewer, "Evaluation: ground truth")
        self._own_image: Any = None
        """Of a box whose image is not open."""
        self._arrays: BoxArrays | None = None
        self._codes: npt.NDArray[np.uint8] | None = None
        self._box: BoxResult | None = None
        self._evaluation: ModelEvaluation | None = None
        self._placement: Placement | None = None

    @property
    def visible(self) -> bool:
        """Whether the layer of the prediction is in the viewer."""
        return self._prediction.present

    def show(self, evaluation: ModelEvaluation, box: BoxResult, look: Look) -> None:
        """Show a box in place of what was shown.

        Raises
        ------
        VolumeError
            If its arrays are not there any more.
        """
        assert evaluation.folder is not None
        arrays = read_box(evaluation.folder, box.number)
        self._codes = outcome_map(arrays.labels, arrays.truth, kind_of(evaluation.model), evaluation.model.classes[0])
        self._arrays, self._box, self._evaluation = arrays, box, evaluation
        # What was there may have another number of axes.
        self._prediction.remove()
        self._truth.remove()
        self._placement = self._place(box, arrays)
        self.draw(look)

    def draw(self, look: Look) -> None:
        """Draw the box in another way."""
        if self._arrays is None or self._placement is None or self._evaluation is None:
            return
        labels, truth = np.asarray(self._arrays.labels), np.maximum(np.asarray(self._arrays.truth), 0)
        classes = kind_of(self._evaluation.model) == "classes"
        for layer, ids, shown in ((self._prediction, labels, look.prediction), (self._truth, truth, look.truth)):
            coloured = look.errors and layer is self._prediction
            layer.show(self._in_layer(self._coloured(ids, look.hidden_classes if classes else (), coloured)),
                       self._placement)  # fmt: skip
            layer.layer.colormap = outcome_colormap() if coloured else self._colours(classes)
            layer.layer.contour = 1 if look.outlines else 0
            layer.layer.visible = shown

    def hide(self) -> None:
        """Take the layers away."""
        self._prediction.remove()
        self._truth.remove()
        if self._own_image is not None and self._own_image in self._session.viewer.layers:
            self._session.viewer.layers.remove(self._own_image)
        self._own_image = self._arrays = self._placement = None

    def look_at_box(self) -> None:
        """Bring the box into view."""
        if self._box is not None:
            self._look(self._box.start, self._box.stop, None, 1.1)

    def look_at(self, error: ObjectError) -> None:
        """Bring an object that is wrong into view, with what is around it."""
        self._look(error.start, error.stop, error.centre, AROUND)

    def _look(self, start: Triple, stop: Triple, centre: tuple[float, ...] | None, times: float) -> None:
        placement = self._placement
        if placement is None or self._box is None or placement.image not in self._session.viewer.layers:
            return
        shift = self._box.start if placement.image is self._own_image else (0, 0, 0)
        voxel = np.asarray(self._box.magnification if placement.image is self._own_image else FINEST)
        frame = LayerFrame.of(placement.image)
        low, high = ((np.asarray(end) - shift) / voxel for end in (start, stop))
        middle = (low + high - 1) / 2 if centre is None else (np.asarray(centre) - shift) / voxel
        world = [m * s + t for m, s, t in zip(middle, frame.scale, frame.translate, strict=True)]
        extent = [max(_LEAST, times * n) * abs(s) for n, s in zip(high - low, frame.scale, strict=True)]
        look_at(self._session.viewer, placement.image, world, placement.frame, extent)

    def _place(self, box: BoxResult, arrays: BoxArrays) -> Placement:
        """Return where the box lies: on its image if that is open, else on the part of it that was kept."""
        viewer = self._session.viewer
        image = self._open_image(box)
        if self._own_image is not None and self._own_image in viewer.layers:
            viewer.layers.remove(self._own_image)
        self._own_image = None
        if image is None:
            image = self._own_image = _kept_image(arrays, box)
            viewer.add_layer(image)
            return Placement(image, FINEST, (0, 0, 0), leading_index(viewer, image, LayerFrame.of(image)))
        start = triple([a // m for a, m in zip(box.start, box.magnification, strict=True)])
        return Placement(image, box.magnification, start, leading_index(viewer, image, LayerFrame.of(image)))

    def _open_image(self, box: BoxResult) -> Any:
        """Return the layer of the box's image; None if it is not open, or another part of it is."""
        layers, truths = self._session.viewer.layers, self._session.truths
        images = [layer for layer in layers if isinstance(layer, Image)]
        labels, source = absolute(box.labels).name, absolute(box.source)
        names = [truth.image for truth in truths.all() if truth.key and labels.startswith(truth.key)]
        found = [layer for layer in images if layer.name in names]
        found += [layer for layer in images if layer.source.path and absolute(layer.source.path) == source]
        return next((layer for layer in found if _holds(layer, box)), None)

    def _coloured(
        self, ids: npt.NDArray[Any], hidden: Collection[int], by_outcome: bool
    ) -> npt.NDArray[np.integer[Any]]:
        assert self._codes is not None
        if by_outcome:
            # Neighbours of one colour stay apart in outlines.
            shown = np.where(self._codes > 0, self._codes + len(OUTCOMES) * (ids % _VARIANTS), 0).astype(np.uint16)
        else:
            shown = ids
        return np.where(np.isin(ids, list(hidden)), 0, shown) if hidden else shown

    def _colours(self, classes: bool) -> CyclicLabelColormap:
        assert self._evaluation is not None
        if not classes:
            return object_colormap()
        numbers = self._evaluation.model.classes[1:]
        return class_colormap({number: colour_of_class(at) for at, number in enumerate(numbers, start=1)})

    def _in_layer(self, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return labels with the axes of the image layer."""
        assert self._placement is not None
        frame = LayerFrame.of(self._placement.image)
        spatial = labels[0] if frame.flat else labels
        return spatial.reshape((1,) * len(frame.leading) + spatial.shape)


def outcome_colormap() -> CyclicLabelColormap:
    """Return the colours of `OUTCOMES`, repeating."""
    colours = [(*(value / 255 for value in COLOURS[name]), 1.0) for name in OUTCOMES]
    return CyclicLabelColormap(colors=np.array([(0.0, 0.0, 0.0, 0.0), *colours]))


def _holds(layer: Any, box: BoxResult) -> bool:
    """Whether a box lies inside of an image layer."""
    try:
        shape = LayerFrame.of(layer).shape
    except AitrainError:
        return False
    return all(b <= n for b, n in zip(box.stop, shape, strict=True))


def _kept_image(arrays: BoxArrays, box: BoxResult) -> Any:
    """Return a layer of the part of an image that was kept with the evaluation."""
    image = np.asarray(arrays.image)
    if image.shape[1] == 1:
        image = image[:, 0]
    if len(image) == 1:
        return Image(image[0], name=box.name, contrast_limits=(0, 255))
    labels = ("c", *("zyx"[-(image.ndim - 1) :]))
    return Image(image, name=box.name, contrast_limits=(0, 255), axis_labels=labels)
