"""Bring a project back into the viewer: images, ground truths, boxes."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.array
import numpy as np
import zarr
from napari.layers import Labels

from ...annotation.image_copy import copies_of
from ...annotation.project import KeptImage, KeptTruth, Project
from ...location import located
from ..notify import warn
from .kept import ground_truth_fields, placing
from .moving import fill_window

if TYPE_CHECKING:
    from ..session import Session


def restore(session: Session, project: Project, take_over: Callable[[Project], None]) -> None:
    """Open what a project holds and the viewer does not show yet.

    Parameters
    ----------
    session : Session
        Of the viewer.
    project : Project
        To be shown.
    take_over : callable
        Makes the project the one that is saved to; called before anything is added.
    """
    take_over(project)
    state = project.state
    missing = [image for image in state.images if image.name not in session.viewer.layers]
    lost = [image.name for image in missing if not _open_image(session.viewer, project, image)]
    open_keys = {truth.key for truth in session.truths.all()}
    wanted = [one for one in state.truths if one.key not in open_keys]
    for kept in [one for one in wanted if not one.closed] or wanted:
        _open_truth(session, project, kept)
    boxes = {box.id: box for box in (*state.boxes, *session.boxes)}
    session.boxes.reset(boxes.values())
    if lost:
        warn(f"Labels and boxes are here again, but not the image {', '.join(lost)}: open it under the same name.")


def _open_image(viewer: Any, project: Project, kept: KeptImage) -> bool:
    return _open_file(viewer, kept) or _open_copy(viewer, project, kept)


def _open_copy(viewer: Any, project: Project, kept: KeptImage) -> bool:
    """Show the copy that was made for a training of an image that was never on disk, or is there no more."""
    for path in copies_of(kept.name, project.images):
        with suppress(OSError, ValueError, KeyError):
            array: Any = zarr.open_array(path / "0", mode="r")
            lazy = dask.array.from_array(array, array.chunks)  # type: ignore[no-untyped-call]
            shown = _as_kept(lazy, kept.shape)
            if shown is not None:
                rgb = shown.ndim > len(kept.shape)
                viewer.add_image(shown, name=kept.name, rgb=rgb, **placing(kept))
                return True
    return False


def _as_kept(copy: Any, shape: tuple[int, ...]) -> Any:
    """Return a copy, in which axes of one entry are left out and colours come first, as it was; None if it is not."""
    if copy.size == math.prod(shape) and [n for n in copy.shape if n > 1] == [n for n in shape if n > 1]:
        return copy.reshape(shape)
    if copy.size == copy.shape[0] * math.prod(shape) and copy.shape[0] in (3, 4):
        return dask.array.moveaxis(copy, 0, -1).reshape((*shape, copy.shape[0]))
    return None


def _open_file(viewer: Any, kept: KeptImage) -> bool:
    path = located(kept.path)
    if not kept.path or (isinstance(path, Path) and not path.exists()):
        return False
    try:
        layers = viewer.open(str(path), plugin=kept.plugin or None, layer_type="image")
    except (ValueError, OSError, RuntimeError):
        return False
    fitting = [one for one in layers if tuple(_shape(one)) == kept.shape]
    if not fitting:
        return False
    layer = fitting[0]
    layer.name = kept.name
    for name, value in placing(kept).items():
        setattr(layer, name, value)
    return True


def _open_truth(session: Session, project: Project, kept: KeptTruth) -> None:
    data = np.zeros(kept.shape, np.int32)
    layer = session.viewer.add_layer(Labels(data, name=kept.layer, **placing(kept)))
    truth = session.truths.adopt(layer, kept.image, **ground_truth_fields(kept))
    if truth.window is None:
        writer = session.saver.writer(truth)
        writer.load(project, data)
        session.truths.note_id(layer, max(writer.counts, default=0))
    else:
        fill_window(session, truth)
    if truth.mode == "instances":
        layer.selected_label = session.truths.next_id(truth)
    layer.refresh()


def _shape(layer: Any) -> list[int]:
    array = layer.data[0] if layer.multiscale else layer.data
    return [int(n) for n in array.shape[: layer.ndim]]
