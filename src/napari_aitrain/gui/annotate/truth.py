"""What a ground truth is: which layer, of which image, with which classes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ...annotation.world import new_id
from ...geometry import FINEST, Region, Triple

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
class Window:
    """The part of a ground truth that its layer shows, of an image too large to be painted at once.

    Parameters
    ----------
    region : Region
        In voxels of the ground truth's magnification.
    image_shape : tuple of int
        Of the whole image, in z, y, x order.
    levels : tuple of tuple of int
        Magnifications of the image's own levels.
    """

    region: Region
    image_shape: Triple
    levels: tuple[Triple, ...] = ()


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
    window : Window or None
        None if the layer spans all of the image.
    """

    layer: str
    image: str
    mode: Mode = "instances"
    magnification: Triple = FINEST
    classes: tuple[LabelClass, ...] = ()
    background_id: int | None = None
    key: str = ""
    window: Window | None = None


def background_class() -> LabelClass:
    """Return the class that says: nothing is here, for certain."""
    return LabelClass(BACKGROUND_ID, "background", "#7f7f7f")


def new_key(name: str) -> str:
    """Return a stem of file names for a ground truth of an image of this name, as no other has."""
    stem = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:40]
    return f"{stem or 'labels'}-{new_id()[:6]}"
