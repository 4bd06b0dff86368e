"""The bounding boxes of an annotation as boxes to train on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...annotation.boxes import Box, read_boxes
from ...errors import BoxError
from ...geometry import align_inwards
from ...location import Location, Url
from ..place import Place
from .annotations import read_annotation
from .named import find


def boxes_for(path: Path, place: Callable[[], Place]) -> tuple[Box, ...]:
    """Read a file of boxes: JSON as `read_boxes` reads it, or an NML or annotation as `annotated_boxes` does.

    Parameters
    ----------
    path : Path
        The file.
    place : callable
        Gives the place of the image that they belong to; asked only if the boxes have coordinates of a dataset.

    Raises
    ------
    BoxError
        If there is none, or one is written wrongly.
    """
    if find(Path(path)) is None:
        return tuple(read_boxes(path))
    boxes = annotated_boxes(path, place())
    if not boxes:
        raise BoxError(f"{path} is a dataset, and holds no boxes", "an NML, an annotation or a JSON file", "choose one")
    return boxes


def annotated_boxes(path: Location, place: Place) -> tuple[Box, ...]:
    """Return the boxes of an annotation in voxels of an image: the user's bounding boxes, else the one of the task.

    Parameters
    ----------
    path : Path
        An annotation archive, a layer of one, or an NML; anything else has no boxes.
    place : Place
        Where the image lies, as `place_labels` gave it.

    Raises
    ------
    BoxError
        If the annotation has no box, or one that is smaller than a voxel of the image.
    VolumeError
        If it is damaged.
    """
    if isinstance(path, Url):
        return ()
    named = find(path)
    annotation = None if named is None else read_annotation(named)
    if annotation is None:
        return ()
    drawn = annotation.boxes or ([annotation.task_box] if annotation.task_box else [])
    if not drawn:
        raise BoxError(
            f"{path} has no bounding box",
            "a box around every part that was annotated completely",
            "draw bounding boxes in WEBKNOSSOS and download the annotation again, or give a file of boxes",
        )
    boxes = []
    for one in drawn:
        region = align_inwards(one.region, place.magnification).relative_to(place.origin)
        if region.empty:
            raise BoxError(
                f"the bounding box {one.name!r} of {path} is smaller than one voxel of the image",
                "boxes that hold voxels",
                "give an image with a finer magnification, or draw a larger box",
            )
        boxes.append(Box(start=region.start, stop=region.stop, name=one.name))
    return tuple(boxes)
