"""Colours of ground truth: unlabelled is clear, background grey, and everything else told apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import CyclicLabelColormap, label_colormap
from napari.utils.colormaps.standardize_color import transform_color

if TYPE_CHECKING:
    from .truths import GroundTruth

# Okabe and Ito 2008: told apart by people with any kind of colour vision.
CLASS_COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
# Of the frame around what can be painted; boxes are blue, yellow and red.
WINDOW_COLOUR = "#9a9a9a"
BACKGROUND = (0.5, 0.5, 0.5, 1.0)
_COUNT = 254
_MOST_COLOURS = 4096


def colour_of_class(number: int) -> str:
    """Return the colour of the class that is added as the `number`-th, background included."""
    return CLASS_COLOURS[(number - 1) % len(CLASS_COLOURS)]


def shares_background_colour(number: int, truth: GroundTruth) -> bool:
    """Whether an object of this id would look like background, since colours repeat."""
    return truth.background_id is not None and (number - truth.background_id) % _COUNT == 0


def colour_truth(layer: Any, truth: GroundTruth) -> None:
    """Show a labels layer in the colours of its ground truth."""
    layer.colormap = _by_class(truth) if truth.mode == "classes" else _by_object(truth)


def class_colormap(colours: Mapping[int, Any]) -> CyclicLabelColormap:
    """Return these colours by class, and white for other classes.

    Ids far apart are not told: a table of all up to the highest would be needed. A `DirectLabelColormap` would do, but
    compiles for seconds when it is first used, while nothing else happens in the window.
    """
    known = {number: colour for number, colour in colours.items() if 0 < number < _MOST_COLOURS}
    table = np.ones((max(known, default=0) + 2, 4))
    for number, colour in known.items():
        table[number] = transform_color(colour)[0]
    table[0] = 0
    return CyclicLabelColormap(colors=table)


def _by_class(truth: GroundTruth) -> CyclicLabelColormap:
    colours: dict[int, Any] = {} if truth.background_id is None else {truth.background_id: BACKGROUND}
    return class_colormap(colours | {entry.id: entry.color for entry in truth.classes})


def _by_object(truth: GroundTruth) -> CyclicLabelColormap:
    colormap = label_colormap(_COUNT)
    if truth.background_id is None:
        return colormap
    colours = np.array(colormap.colors)
    colours[(truth.background_id - 1) % (len(colours) - 1) + 1] = BACKGROUND
    return CyclicLabelColormap(colors=colours)
