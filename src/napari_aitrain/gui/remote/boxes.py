"""Boxes around what was found, as those that people draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...annotation.world import WorldBox
from ...errors import VolumeError
from ...geometry import Region, triple
from ...inference.object_boxes import TAG
from ..frames import LayerFrame
from ..notify import inform, reported
from ..session import Session, session_of

if TYPE_CHECKING:
    import napari.viewer

MOST = 2000
"""Boxes that a window shows without becoming slow."""


def boxes_around_objects(viewer: napari.viewer.Viewer) -> None:
    """Draw a box around every object of the prediction that is shown, as far as the threshold lets it through."""
    with reported():
        session = session_of(viewer)
        boxes = boxes_of_prediction(session)
        session.boxes.add(*boxes)
        inform(f"{len(boxes)} boxes were drawn, in progress and with the tag {TAG}. Undo takes them away again.")


def boxes_of_prediction(session: Session) -> list[WorldBox]:
    """Return the boxes of the objects that are shown.

    Raises
    ------
    VolumeError
        If no prediction of objects is shown, or there are too many.
    """
    current = session.predictions.current
    stored = None if current is None else current.stored
    if current is None or stored is None or not stored.info.instances or current.agglomerates:
        raise VolumeError(
            "no finished prediction of objects is shown", "a prediction of single objects, or of boxes",
            "predict the view, a box or the volume in the Review dock first",
        )  # fmt: skip
    table, placement = stored.objects, current.placement
    rows = np.flatnonzero((table.score >= session.predictions.threshold) & (table.size > 0))
    rows = rows[rows > 0]
    if not 0 < len(rows) <= MOST:
        raise VolumeError(
            f"{len(rows):,} objects are shown", f"at least one, and at most {MOST:,}, to draw boxes around",
            "move the threshold, or predict a smaller part",
        )  # fmt: skip
    frame, factors = LayerFrame.of(placement.image), np.asarray(placement.magnification)
    boxes = []
    for row in rows:
        start, stop = ((edges[row] + placement.start) * factors for edges in (table.start, table.stop))
        low, high = frame.to_world(Region(triple(start.tolist()), triple(stop.tolist())))
        label = current.class_names.get(int(table.class_id[row]), f"class {table.class_id[row]}")
        name = f"{label} {table.score[row]:.2f}"
        where = {"start": low, "stop": high, "image": placement.image.name, "frame": placement.frame}
        boxes.append(WorldBox(**where, name=name, status="in progress", tags=(TAG,)))
    return boxes
