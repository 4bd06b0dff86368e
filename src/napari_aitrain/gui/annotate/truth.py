"""What a ground truth is: which layer, of which image, with which classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...geometry import FINEST, Triple

Mode = Literal["instances", "classes"]
BACKGROUND_ID = 1


@dataclass(frozen=True)
class LabelClass:
    """One class of a ground truth.

    Parameters
    ----------
    id : int
        What is painted.
    name : str
        What people call it.
    color : str
        As ``#rrggbb``.
    """

    id: int
    name: str
    color: str


@dataclass(frozen=True)
class GroundTruth:
    """A labels layer that a person vouches for.

    Parameters
    ----------
    layer, image : str
        Names of the labels layer and of the image layer that it belongs to.
    mode : {'instances', 'classes'}
        Whether ids number objects, or name classes.
    magnification : tuple of int
        Of the labels relative to the image, in z, y, x order.
    classes : tuple of LabelClass
        In instance mode none but the background.
    background_id : int or None
        The id that is painted as background where 0 means unlabelled.
    key : str
        Stem of its files in the project; stays the same when the layer is renamed.
    """

    layer: str
    image: str
    mode: Mode = "instances"
    magnification: Triple = FINEST
    classes: tuple[LabelClass, ...] = ()
    background_id: int | None = None
    key: str = ""


def background_class() -> LabelClass:
    """Return the class that says: nothing is here, for certain."""
    return LabelClass(BACKGROUND_ID, "background", "#7f7f7f")
