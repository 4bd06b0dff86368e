"""The date of boxes follows what is painted in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...annotation.choosing import now
from ...errors import AitrainError
from ..frames import LayerFrame
from .image_of import image_layer
from .sources import labels_frame

if TYPE_CHECKING:
    from ...annotation.world import WorldBox, WorldPoint
    from ..session import Session
    from .truth import GroundTruth
    from .writing import Work


def touch_boxes(session: Session, work: Work) -> None:
    """Note in boxes that what is painted in them was changed, as far as a save has found."""
    truths = {truth.key: truth for truth in session.truths.all()}
    touched: set[str] = set()
    for writer, at, part in work.written:
        if (truth := truths.get(writer.key)) is not None:
            low, high = writer.changes.frame.to_world(part)
            touched.update(box.id for box in _boxes_of(session, truth, at) if _meets(box, low, high))
    session.boxes.touch(touched, now())


def _boxes_of(session: Session, truth: GroundTruth, at: tuple[int, ...]) -> list[WorldBox]:
    boxes = [box for box in session.boxes if box.image == truth.image]
    if not boxes:
        return []
    try:
        frame = LayerFrame.of(image_layer(session.viewer, truth.image))
    except AitrainError:
        return []
    return [box for box in boxes if labels_frame(box.frame, frame) == at]


def _meets(box: WorldBox, low: WorldPoint, high: WorldPoint) -> bool:
    return all(a < d and c < b for a, b, c, d in zip(box.start, box.stop, low, high, strict=True))
