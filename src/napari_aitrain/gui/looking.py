"""Bringing a place of an image into view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .frames import LayerFrame
from .review.viewing import camera_of, canvas_size


def look_at(
    viewer: Any, layer: Any, middle: Sequence[float], frame: Sequence[int] = (), extent: Sequence[float] | None = None
) -> None:
    """Bring a place into view: its slice, and itself into the middle of the screen.

    Parameters
    ----------
    viewer : napari.Viewer
        Of the window.
    layer : napari.layers.Layer
        The image that it is a place of.
    middle : sequence of float
        z, y, x, in world units.
    frame : sequence of int
        Index along the axes before z, y and x; that of channels is left alone.
    extent : sequence of float, optional
        z, y, x, in world units: what is to fit on the screen. The zoom stays if it is not given.
    """
    dims, camera = viewer.dims, camera_of(viewer)
    matrix = layer._transforms[1:].simplified
    first = dims.ndim - layer.ndim
    for axis, index in enumerate(frame):
        if axis != LayerFrame.of(layer).channel:
            dims.set_point(first + axis, float(matrix.translate[axis] + matrix.scale[axis] * index))
    for axis in range(max(0, 3 - dims.ndim), 3):
        dims.set_point(dims.ndim - 3 + axis, middle[axis])
    center = list(camera.center)
    for place, axis in zip(range(-len(dims.displayed), 0), dims.displayed, strict=True):
        center[place] = middle[axis - dims.ndim + 3] if axis >= dims.ndim - 3 else center[place]
    camera.center = tuple(center)
    if extent is not None:
        shown = [extent[axis - dims.ndim + 3] for axis in dims.displayed[-2:]]
        camera.zoom = min(n / max(size, 1e-9) for n, size in zip(canvas_size(viewer), shown, strict=True))
