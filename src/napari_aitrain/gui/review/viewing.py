"""What part of an image is on screen, in napari's terms of several versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...geometry import Region, Triple, magnified_shape
from ..frames import LayerFrame

MOST_VOXELS = {2: 2**20, 3: 2**20}
"""Voxels that are predicted at once for the screen, of slices and of volumes."""

CONTEXT = 32
"""Voxels along an axis that is not on screen, of which the slice on screen is the middle."""

_MARGIN = 16


@dataclass(frozen=True)
class Seen:
    """What is on screen.

    Parameters
    ----------
    needed : Region
        What is to be seen, in voxels of the magnification; of hidden axes the slice.
    wanted : Region
        What to predict for it: context around, and no more voxels than are predicted in a moment.
    """

    needed: Region
    wanted: Region
    all: Region
    """Also what is too much to be predicted at once."""

    def inside(self, region: Region) -> Seen | None:
        """Return what of a region is on screen, in voxels from its first on; None if nothing of it is."""
        parts = (part.intersect(region).relative_to(region.start) for part in (self.needed, self.wanted, self.all))
        found = Seen(*parts)
        return None if found.needed.empty else found

    def served_by(self, region: Region) -> bool:
        """Return whether a region holds what is on screen, and is not so much larger that less would come sooner."""
        return region.contains(self.needed) and region.size <= 4 * self.wanted.size


def camera_of(viewer: Any) -> Any:
    """Return the camera; ``viewer.camera`` before napari 0.9."""
    return viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera


def moves_of(viewer: Any) -> list[Any]:
    """Return the emitters of events after which something else is on screen."""
    camera, dims = camera_of(viewer), viewer.dims
    emitters = [dims.events.point, dims.events.order, dims.events.ndisplay, camera.events.center, camera.events.zoom]
    return [*emitters, viewer.canvas.events.size] if hasattr(viewer, "canvas") else emitters


def canvas_size(viewer: Any) -> tuple[float, float]:
    """Return height and width of the canvas in pixels."""
    height, width = viewer.canvas.size if hasattr(viewer, "canvas") else viewer._canvas_size
    return float(height), float(width)


def leading_index(viewer: Any, image: Any, frame: LayerFrame) -> tuple[int, ...]:
    """Return the frame of an image that is on screen, such as the time point."""
    point = np.asarray(viewer.dims.point[-frame.ndim :] if frame.ndim else ())
    data = np.asarray(image.world_to_data(point))[: len(frame.leading)]
    return tuple(int(np.clip(round(float(at)), 0, n - 1)) for at, n in zip(data, frame.leading, strict=True))


def seen(viewer: Any, frame: LayerFrame, magnification: Triple, dims: int) -> Seen | None:
    """Return what of an image is on screen; None if nothing of it is.

    Parameters
    ----------
    viewer : napari.Viewer
        In 2-D, in any order of axes, or in 3-D.
    frame : LayerFrame
        Of the image.
    magnification : tuple of int
        z, y, x.
    dims : {2, 3}
        Whether the model sees slices or volumes.
    """
    needed, hidden = _needed(viewer, frame, magnification)
    if needed.empty:
        return None
    whole = Region.from_shape(magnified_shape(frame.shape, magnification))
    context = np.where(hidden, CONTEXT // 2, _MARGIN)
    if dims == 2:
        context[0] = 0
    wanted = _shrunk(needed.grow(_whole(context)).intersect(whole), hidden, MOST_VOXELS[dims])
    return Seen(needed.intersect(wanted), wanted, needed)


def seen_region(viewer: Any, frame: LayerFrame, magnification: Triple) -> Region | None:
    """Return what of an image is on screen, in voxels of a magnification, however much; None if nothing of it is."""
    needed, _ = _needed(viewer, frame, magnification)
    return None if needed.empty else needed


def _needed(viewer: Any, frame: LayerFrame, magnification: Triple) -> tuple[Region, Any]:
    """Return what is on screen, and which axes are not."""
    middle, half = _extent(viewer, 2 if frame.flat else 3)
    scale, translate = np.array(frame.scale), np.array(frame.translate)
    m = np.array(magnification)
    at = ((middle - translate) / scale + 0.5) / m
    reach = np.abs(half / scale) / m
    whole = Region.from_shape(magnified_shape(frame.shape, magnification))
    # What is not on screen has no reach: one slice.
    low, high = np.floor(at - reach), np.where(reach > 0, np.ceil(at + reach), np.floor(at) + 1)
    bound = np.iinfo(np.int32).max
    needed = Region(_whole(np.clip(low, -bound, bound)), _whole(np.clip(high, -bound, bound))).intersect(whole)
    return needed, reach == 0


def _extent(viewer: Any, spatial_axes: int) -> tuple[Any, Any]:
    """Return the middle of the view and half its extent in world units, z, y, x; 0 for axes that are not shown."""
    dims, camera = viewer.dims, camera_of(viewer)
    middle = np.zeros(3)
    # The axis before y and x of a 2-D image is none of space, such as time.
    known = np.asarray(dims.point, float)[-spatial_axes:]
    middle[3 - len(known) :] = known
    half = np.zeros(3)
    height, width = canvas_size(viewer)
    shown = list(dims.displayed)
    sizes = [height, width] if len(shown) == 2 else [min(height, width)] * 3
    for axis, centre, size in zip(shown, camera.center[-len(shown) :], sizes, strict=True):
        spatial = axis - dims.ndim + 3
        if spatial >= 0:
            middle[spatial], half[spatial] = centre, size / (2 * camera.zoom)
    return middle, half


def _shrunk(region: Region, hidden: Any, most: int) -> Region:
    """Return the middle of a region that is too large, first along axes on screen, then along the others."""
    start, shape = np.array(region.start), np.array(region.shape)
    middle = start + shape / 2
    for axes in (~hidden, hidden):
        excess = np.prod(shape.astype(float)) / most
        wide = axes & (shape > 1)
        if excess > 1 and wide.any():
            shrink = excess ** (1 / wide.sum())
            floor = np.where(axes & ~hidden, np.minimum(shape, 64), 1)
            shape = np.where(wide, np.maximum((shape / shrink).astype(int), floor), shape)
    new = np.clip(np.round(middle - shape / 2), region.start, np.array(region.stop) - shape)
    return Region.from_shape(_whole(shape), _whole(new))


def _whole(values: Sequence[float] | Any) -> Triple:
    z, y, x = (int(v) for v in values)
    return z, y, x
