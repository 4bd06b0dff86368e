"""The date of boxes follows what is painted in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...annotation.choosing import now
from ...errors import AitrainError
from ..frames import LayerFrame
from .image_of import image_layer
from .sources import labels_frame

if TYPE_CHECKING:
    from ...annotation.world import WorldBox
    from ..session import Session
    from .changes import Tile
    from .truth import GroundTruth
    from .writing import TruthWriter, Work


def touch_boxes(session: Session, work: Work) -> None:
    """Note in boxes that what is painted in them was changed, as far as a save has found."""
    truths = {truth.key: truth for truth in session.truths.all()}
    touched = set()
    for writer, tiles in work.written:
        truth = truths.get(writer.key)
        if truth is not None and tiles:
            touched.update(_boxes_of(session, truth, writer, tiles))
    session.boxes.touch(touched, now())


def _boxes_of(session: Session, truth: GroundTruth, writer: TruthWriter, tiles: list[Tile]) -> set[str]:
    boxes = [box for box in session.boxes if box.image == truth.image]
    if not boxes:
        return set()
    try:
        frame = LayerFrame.of(image_layer(session.viewer, truth.image))
    except AitrainError:
        return set()
    places = [(tile.frame, *writer.changes.frame.to_world(writer.changes.region(tile))) for tile in tiles]
    return {box.id for box in boxes for place in places if _meets(box, labels_frame(box.frame, frame), *place)}


def _meets(
    box: WorldBox, at: tuple[int, ...], frame: tuple[int, ...], low: tuple[float, ...], high: tuple[float, ...]
) -> bool:
    spans = zip(box.start, box.stop, low, high, strict=True)
    return at == frame and all(a < d and c < b for a, b, c, d in spans)
