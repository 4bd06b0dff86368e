"""Shows another part of a sparse ground truth in its layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import StorageError
from ...geometry import Triple
from ..frames import LayerFrame
from .image_of import image_layer
from .new_layer import placed
from .window_writer import WindowWriter

if TYPE_CHECKING:
    from ..session import Session
    from .truth import GroundTruth, Window


def move_window(session: Session, truth: GroundTruth, magnification: Triple, window: Window) -> GroundTruth:
    """Save what is painted, and let the layer of a ground truth span another window, at any magnification.

    Parameters
    ----------
    session : Session
        Of the viewer.
    truth : GroundTruth
        With a window.
    magnification : tuple of int
        In z, y, x order.
    window : Window
        In voxels of the magnification.

    Returns
    -------
    GroundTruth
        As it is now.

    Raises
    ------
    AitrainError
        If what is painted cannot be saved, or the image is not open; the layer stays where it was then.
    """
    image = image_layer(session.viewer, truth.image)
    if (truth.magnification, truth.window) == (magnification, window):
        return truth
    if not session.saver.flush():
        raise StorageError(session.saver.problem, "a project that can be saved", "mend that, and try again")
    layer = session.truths.layer(truth)
    place = placed(image, magnification, window.region)
    frame = LayerFrame.of(layer)
    # What is drawn between these steps would be in the wrong place.
    shown, layer.visible = layer.visible, False
    layer.data = np.zeros((*frame.leading, *window.region.shape[1 if frame.flat else 0 :]), np.int32)
    layer.scale, layer.translate = place["scale"], place["translate"]
    now = session.truths.update(truth, magnification=magnification, window=window)
    fill_window(session, now)
    layer.visible = shown
    return now


def fill_window(session: Session, truth: GroundTruth) -> None:
    """Read what is stored of a window into its empty layer, and what can be undone."""
    writer, project = session.saver.writer(truth), session.saver.ensure_project()
    layer = session.truths.layer(truth)
    assert isinstance(writer, WindowWriter)
    for name in ("_undo_history", "_redo_history"):
        getattr(layer, name, []).clear()
    writer.load(project, layer.data)
    writer.load_history(project, layer)
    session.truths.note_id(layer, writer.largest_id())
    layer.refresh()
