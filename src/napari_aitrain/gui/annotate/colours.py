"""Colours of ground truth: unlabelled is clear, background grey, and everything else told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap, label_colormap

if TYPE_CHECKING:
    from .truths import GroundTruth

# Okabe and Ito 2008: told apart by people with any kind of colour vision.
CLASS_COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
BACKGROUND = (0.5, 0.5, 0.5, 1.0)
UNKNOWN = "#ffffff"
_COUNT = 254


def colour_of_class(number: int) -> str:
    """Return the colour of the class that is added as the `number`-th, background included."""
    return CLASS_COLOURS[(number - 1) % len(CLASS_COLOURS)]


def shares_background_colour(number: int, truth: GroundTruth) -> bool:
    """Whether an object of this id would look like background, since colours repeat."""
    return truth.background_id is not None and (number - truth.background_id) % _COUNT == 0


def colour_truth(layer: Any, truth: GroundTruth) -> None:
    """Show a labels layer in the colours of its ground truth."""
    layer.colormap = _by_class(truth) if truth.mode == "classes" else _by_object(truth)


def _by_class(truth: GroundTruth) -> DirectLabelColormap:
    colours: dict[int | None, Any] = {None: UNKNOWN, 0: "transparent"}
    if truth.background_id is not None:
        colours[truth.background_id] = BACKGROUND
    return DirectLabelColormap(color_dict=colours | {entry.id: entry.color for entry in truth.classes})


def _by_object(truth: GroundTruth) -> CyclicLabelColormap:
    colormap = label_colormap(_COUNT)
    if truth.background_id is None:
        return colormap
    colours = np.array(colormap.colors)
    colours[(truth.background_id - 1) % (len(colours) - 1) + 1] = BACKGROUND
    return CyclicLabelColormap(colors=colours)
