"""Boxes for suggestions: proposed at a place, shown there, and settled when a person is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...annotation.world import WorldBox
from ...geometry import align_inwards
from ...suggestions.queue import Suggestion
from ..annotate.box_actions import BoxActions
from ..annotate.image_of import image_layer
from ..annotate.moving import move_window
from ..annotate.window_place import window_for
from ..review.viewing import camera_of, canvas_size

if TYPE_CHECKING:
    from ..session import Session

SUGGESTED, RANDOM = "suggested", "random"
"""Tags of proposed boxes."""
_FILLS = 0.6
_SMALL = 0.2
"""Shares of the canvas that a box fills after going there, and below which it is brought nearer."""


def box_of(session: Session, one: Suggestion) -> WorldBox | None:
    """Return the box that was proposed for a suggestion, also if it has another id by now; None if there is none."""
    boxes = [box for box in session.boxes if box.image == one.image and box.frame == one.frame]
    same = [box for box in boxes if box.id == one.box]
    if not same and one.image in session.viewer.layers:
        actions = BoxActions(session)
        same = [box for box in boxes if {SUGGESTED, RANDOM} & set(box.tags) and actions.region(box) == one.region]
    return next(iter(same), None)


def propose(session: Session, one: Suggestion, number: int) -> WorldBox:
    """Add a box for a suggestion. Until it is done, what is not painted in it teaches nothing.

    Raises
    ------
    AitrainError
        If the image is not open, or is another one by now.
    """
    layer = image_layer(session.viewer, one.image)
    box = BoxActions(session).make(
        layer,
        one.region,
        one.frame,
        name=f"place {number}",
        status="in progress",
        sparse=True,
        tags=(SUGGESTED if one.kind == "uncertain" else RANDOM,),
    )
    session.boxes.add(box)
    return box


def show(session: Session, box: WorldBox) -> None:
    """Bring a box into view, at a size at which it can be painted, and the part of its image that is painted there.

    Raises
    ------
    AitrainError
        If its image is not open, or what is painted elsewhere cannot be saved.
    """
    viewer = session.viewer
    BoxActions(session).go_to(box)
    dims, camera = viewer.dims, camera_of(viewer)
    shown = [axis - dims.ndim + 3 for axis in dims.displayed]
    extents = [box.stop[axis] - box.start[axis] for axis in shown if axis >= 0]
    canvas = min(canvas_size(viewer))
    if extents and not _SMALL * canvas <= max(extents) * camera.zoom <= canvas:
        camera.zoom = _FILLS * canvas / max(extents)
    truth = session.truths.current
    if truth is None or truth.image != box.image:
        truth = next(iter(session.truths.of_image(box.image)), None)
    if truth is None:
        return
    if truth.window is not None:
        region = align_inwards(BoxActions(session).region(box), truth.magnification)
        if not truth.window.region.contains(region):
            window = window_for(session, image_layer(viewer, truth.image), truth.magnification, "box")
            truth = truth if window is None else move_window(session, truth, truth.magnification, window)
    viewer.layers.selection.active = session.truths.layer(truth)


def settle(session: Session, box: WorldBox, dense: bool) -> None:
    """Take a box for done: dense means that everything in it is painted, so that the rest is background."""
    session.boxes.update(box.id, status="done", sparse=None if dense else True)


def withdraw(session: Session, box: WorldBox) -> None:
    """Remove a proposed box that nobody wants; what is painted stays."""
    if box.status == "in progress":
        session.boxes.remove(box.id)
