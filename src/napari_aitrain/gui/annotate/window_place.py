"""Which part of a large image is painted: what is on screen, or a box."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from ...annotation.sparse_sheet import chunk_of
from ...annotation.world import WorldBox
from ...errors import GroundTruthError
from ...geometry import Region, Triple, format_magnification, magnified_shape, triple
from ..frames import LayerFrame
from ..review.viewing import seen_region
from .magnifications import levels_of, painted_at
from .truth import Window

if TYPE_CHECKING:
    from ..session import Session

MOST_VOXELS = 2**28
"""Voxels of a window; those that are never painted take no memory."""
MOST_EXTENT = 8192
"""Voxels along an axis on screen: graphics cards draw no larger picture at once."""
_SMALL_PYRAMID = 2**24


def wants_window(image: Any) -> bool:
    """Whether an image is better painted part by part: it is multiscale, or too large for memory."""
    voxels = int(np.prod([*LayerFrame.of(image).leading, *LayerFrame.of(image).shape], dtype=np.int64))
    return voxels > _SMALL_PYRAMID if image.multiscale else 8 * voxels > psutil.virtual_memory().total


def window_for(session: Session, image: Any, magnification: Triple, where: str) -> Window | None:
    """Return the window that a person asked for; None for all of the image.

    Parameters
    ----------
    session : Session
        With the view and the selected box.
    image : napari.layers.Image
        That is annotated.
    magnification : tuple of int
        In z, y, x order.
    where : {'all', 'screen', 'box'}
        What was asked for.

    Raises
    ------
    GroundTruthError
        If that is too much at the magnification, or there is no such box.
    """
    if where == "all":
        return None
    if where == "screen":
        return window_on_screen(session.viewer, image, magnification)
    box = session.boxes.selected
    if box is None:
        raise GroundTruthError("no box is selected", f"a box on {image.name}", "draw one, or click one in the table")
    return window_of_box(image, box, magnification)


def window_on_screen(viewer: Any, image: Any, magnification: Triple) -> Window:
    """Return the window that holds what is on screen, as deep around the slice as is sensible.

    Raises
    ------
    GroundTruthError
        If nothing of the image is on screen, or it is too much at the magnification.
    """
    frame = LayerFrame.of(image)
    region = seen_region(viewer, frame, magnification)
    if region is None:
        raise GroundTruthError(
            f"nothing of {image.name} is on screen",
            "a view of what is to be painted",
            "move the view back to the image (the house below the list of layers)",
        )
    shown = [axis - viewer.dims.ndim + 3 for axis in viewer.dims.displayed]
    window = _aligned(region, image, magnification)
    hidden = [axis for axis in range(3) if axis not in shown]
    deeper = [MOST_VOXELS if axis in hidden else 0 for axis in range(3)]
    whole = _aligned(region.grow(deeper), image, magnification)
    for _ in range(64):
        if whole.size * _many(frame) <= MOST_VOXELS or whole == window:
            break
        shorter = [n // 4 if axis in hidden else 0 for axis, n in enumerate(whole.shape)]
        whole = _aligned(whole.grow([-n for n in shorter]), image, magnification, keep=region)
    return _checked(whole, image, magnification, "zoom in")


def window_of_box(image: Any, box: WorldBox, magnification: Triple) -> Window:
    """Return the window that holds a box.

    Raises
    ------
    GroundTruthError
        If the box belongs to another image, or is too large at the magnification.
    """
    if box.image != image.name:
        raise GroundTruthError(
            f"the selected box belongs to {box.image}", f"a box on {image.name}", "select another, or draw one"
        )
    fine = LayerFrame.of(image).to_region(box.start, box.stop)
    region = Region(
        triple([a // m for a, m in zip(fine.start, magnification, strict=True)]),
        triple([-(-b // m) for b, m in zip(fine.stop, magnification, strict=True)]),
    )
    return _checked(_aligned(region, image, magnification), image, magnification, "draw a smaller box")


def _aligned(region: Region, image: Any, magnification: Triple, keep: Region | None = None) -> Region:
    """Return a region, and what has to be kept of it, in whole chunks on disk, cut off at the image."""
    whole = Region.from_shape(magnified_shape(LayerFrame.of(image).shape, magnification))
    chunk = chunk_of(whole.shape)
    low = [min(a, b) for a, b in zip(region.start, (keep or region).start, strict=True)]
    high = [max(a, b) for a, b in zip(region.stop, (keep or region).stop, strict=True)]
    start = triple([a // n * n for a, n in zip(low, chunk, strict=True)])
    return Region(start, triple([-(-b // n) * n for b, n in zip(high, chunk, strict=True)])).intersect(whole)


def _checked(region: Region, image: Any, magnification: Triple, otherwise: str) -> Window:
    frame = LayerFrame.of(image)
    levels = tuple(painted_at(m, image) for m in levels_of(image, frame))
    if region.size * _many(frame) > MOST_VOXELS or max(region.shape[1:]) > MOST_EXTENT:
        excess = max(max(region.shape[1:]) / MOST_EXTENT, (region.size * _many(frame) / MOST_VOXELS) ** 0.5)
        wanted = [m for m in levels if m[2] >= magnification[2] * excess]
        coarser = f"magnification {format_magnification(wanted[0])}" if wanted else "a coarser magnification"
        extents = " × ".join(f"{n:,}" for n in reversed(region.shape))
        raise GroundTruthError(
            f"that is {extents} voxels at magnification {format_magnification(magnification)}, too much to be painted"
            " at once",
            f"at most {MOST_EXTENT:,} voxels along x and y, and {MOST_VOXELS:,} in all",
            f"{otherwise}, or choose {coarser}",
        )
    return Window(region, frame.shape, levels)


def _many(frame: LayerFrame) -> int:
    """Return how many frames a layer of labels has; one entry spans all channels."""
    return int(np.prod([1 if axis == frame.channel else n for axis, n in enumerate(frame.leading)], dtype=np.int64))
