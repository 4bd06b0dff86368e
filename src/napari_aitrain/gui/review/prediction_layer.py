"""One labels layer that shows a prediction, changed in place."""

from __future__ import annotations

import time
from collections.abc import Iterator
from colorsys import hsv_to_rgb
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import CyclicLabelColormap

from ...geometry import Triple
from ..annotate.colours import class_colormap
from ..frames import LayerFrame
from .drawn import SCORE_COLOURS
from .thresholded import Thresholded
from .through import Held, levels_of

if TYPE_CHECKING:
    import napari

_OPACITY = 0.6

_THUMBNAIL_EVERY = 30.0
"""Seconds: a new thumbnail costs a frame of the window."""


@dataclass(frozen=True)
class Placement:
    """Where a prediction lies on its image.

    Parameters
    ----------
    image : napari.layers.Image
        The image layer.
    magnification : tuple of int
        Of the prediction relative to the image, z, y, x.
    start : tuple of int
        First voxel of the prediction, z, y, x, at its magnification.
    frame : tuple of int
        Index along the axes before z, y and x.
    """

    image: Any
    magnification: Triple
    start: Triple
    frame: tuple[int, ...] = ()

    @property
    def flat(self) -> bool:
        """Whether the image has no z axis."""
        return LayerFrame.of(self.image).flat

    def transform(self) -> dict[str, Any]:
        """Return scale and translate of a layer of the prediction; leading axes have one entry."""
        image, frame = self.image, LayerFrame.of(self.image)
        spatial = 2 if frame.flat else 3
        factors = np.array([1] * len(frame.leading) + list(self.magnification[-spatial:]))
        first = np.array([*self.frame, *np.multiply(self.start, self.magnification)[-spatial:]])
        if frame.channel is not None:
            factors[frame.channel], first[frame.channel] = frame.leading[frame.channel], 0
        scale, translate = np.array(image.scale), np.array(image.translate)
        return {"scale": scale * factors, "translate": translate + scale * (first + (factors - 1) / 2)}


class PlacedLayer:
    """A layer of an image that is made when there is something to show; a person may remove it at any time.

    Parameters
    ----------
    viewer : napari.Viewer
        Where it is shown.
    name : str
        What the layer is called at first.
    """

    def __init__(self, viewer: napari.Viewer, name: str) -> None:
        self.viewer, self.name = viewer, name
        self.layer: Any = None

    @property
    def present(self) -> bool:
        """Whether the layer is in the viewer."""
        return self.layer is not None and self.layer in self.viewer.layers

    def show(self, data: Any, placement: Placement) -> None:
        """Show data in place of what was there, without a change of view, selection or tool."""
        if not self.present:
            image = placement.image
            same = {name: getattr(image, name) for name in ("affine", "units", "axis_labels")}
            self.layer = self._make(data, name=self.name, **same, **placement.transform())
            add_quietly(self.viewer, self.layer, image)
            return
        self._place(placement)
        self.layer.data = data

    def remove(self) -> None:
        """Take the layer out of the viewer."""
        if self.present:
            with kept_selection(self.viewer):
                self.viewer.layers.remove(self.layer)
        self.layer = None

    def _place(self, placement: Placement) -> None:
        for name, value in placement.transform().items():
            if not np.allclose(value, getattr(self.layer, name)):
                setattr(self.layer, name, value)

    def _make(self, data: Any, **options: Any) -> Any:
        raise NotImplementedError


class PredictionLayer(PlacedLayer):
    """A labels layer of a prediction."""

    def __init__(self, viewer: napari.Viewer, name: str) -> None:
        super().__init__(viewer, name)
        self._held: list[Held] = []
        self._thumbnail_made = 0.0

    def show(self, data: Thresholded, placement: Placement) -> None:
        """Show a prediction in place of what was there; of the same shape as quickly as another threshold."""
        levels = levels_of(data)
        if self.present and [one.shape for one in self._held] == [one.shape for one in levels]:
            for held, level in zip(self._held, levels, strict=True):
                held.source = level
            self._place(placement)
            self.refresh()
            return
        if self.present and (len(levels) > 1) != self.layer.multiscale:
            # napari cannot turn a layer of levels into one without.
            self.remove()
        self._held = [Held(level) for level in levels]
        super().show(self._held if len(levels) > 1 else self._held[0], placement)
        self._thumbnail_made = time.monotonic()

    def refresh(self) -> None:
        """Look up the slice on screen again, and now and then the thumbnail."""
        if not self.present:
            return
        # Of images without a z axis napari 0.9 keeps the coarsest level for good, which is drawn as well.
        kept = getattr(self.layer, "_level_materializer", None)
        if kept is not None:
            kept.cache_clear()
        # What the list of layers passes on has it painted anew, in a frame of its own after that of the canvas.
        with self.viewer.layers.events.blocker_all():
            self.layer.refresh(thumbnail=False, highlight=False, extent=False)
        if time.monotonic() - self._thumbnail_made > _THUMBNAIL_EVERY:
            self._thumbnail_made = time.monotonic()
            self.layer.refresh(data_displayed=False, highlight=False, extent=False)

    def colour(self, by_score: bool, colours: dict[int, str], contour: int = 0) -> None:
        """Draw in colours of scores, of classes, or of ids; with a contour only the rims."""
        if self.layer is None:
            return
        if by_score:
            colormap: Any = score_colormap()
        else:
            colormap = class_colormap(colours) if colours else object_colormap()
        if colormap != self.layer.colormap:
            self.layer.colormap = colormap
        self.layer.contour = contour

    def _make(self, data: Any, **options: Any) -> Any:
        several = isinstance(data, list)
        layer = Labels(data, multiscale=several, opacity=_OPACITY, colormap=object_colormap(), **options)
        layer.editable = False
        return layer


class MapLayer(PlacedLayer):
    """An image layer of numbers from 0 to 255 that stand for 0 to 1, such as a probability."""

    def _make(self, data: Any, **options: Any) -> Any:
        return Image(data, contrast_limits=(0, 255), colormap="magma", blending="additive", opacity=0.7, **options)


def add_quietly(viewer: napari.Viewer, layer: Any, above: Any) -> None:
    """Add a layer just above another, and keep what is selected and how the dims lie."""
    layers = viewer.layers
    at = layers.index(above) + 1 if above in layers else len(layers)
    while at < len(layers) and isinstance(layers[at], Image):
        at += 1
    with kept_selection(viewer):
        layers.insert(at, layer)


@contextmanager
def kept_selection(viewer: napari.Viewer) -> Iterator[None]:
    """Restore which layers are selected, and which of them is active."""
    selection = viewer.layers.selection
    selected, active = set(selection), selection.active
    yield
    present = {layer for layer in selected if layer in viewer.layers}
    if set(selection) != present:
        selection.intersection_update(present)
        selection.update(present)
    if selection.active is not active and active in viewer.layers:
        selection.active = active


def object_colormap() -> CyclicLabelColormap:
    """Return bright colours that tell objects apart: hues a golden section from each other, seen on dark and light."""
    colours = [
        (*hsv_to_rgb(number * 0.618034 % 1, (0.75, 0.95, 0.6)[number % 3], (1, 0.85)[number % 2]), 1.0)
        for number in range(254)
    ]
    return CyclicLabelColormap(colors=np.array([(0.0, 0.0, 0.0, 0.0), *colours]))


def score_colormap() -> CyclicLabelColormap:
    """Return viridis over scores from 0 to 1, as `Thresholded` numbers them."""
    from napari.utils.colormaps import ensure_colormap

    colours = ensure_colormap("viridis").map(np.linspace(0, 1, SCORE_COLOURS))
    return CyclicLabelColormap(colors=np.concatenate([np.zeros((1, 4)), colours]))
