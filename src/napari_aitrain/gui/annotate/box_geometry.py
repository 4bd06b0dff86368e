"""Where boxes lie in the axes of a viewer, in whatever order these are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...annotation.world import WorldBox
from ...errors import AitrainError
from ..frames import LayerFrame

_PAIRS = [(a, b) for a in range(8) for b in range(a + 1, 8) if bin(a ^ b).count("1") == 1]
_CORNERS = np.array([[(corner >> axis) & 1 for axis in range(3)] for corner in range(8)])


@dataclass(frozen=True)
class Span:
    """What a box covers along one axis of the viewer.

    Parameters
    ----------
    low, high : float
        Its faces in world units.
    frame : bool
        Whether the axis is one such as time, where a box is on one entry alone.
    """

    low: float
    high: float
    frame: bool = False


def spans_of(box: WorldBox, layer: Any, ndim: int) -> list[Span | None]:
    """Return what a box covers along each axis of a viewer; None for an axis that its image does not have.

    Parameters
    ----------
    box : WorldBox
        Drawn on `layer`.
    layer : napari.layers.Image
        The image.
    ndim : int
        Number of axes of the viewer.
    """
    frame = LayerFrame.of(layer)
    first = ndim - frame.ndim
    spans: list[Span | None] = [None] * ndim
    matrix = layer._transforms[1:].simplified
    for axis, index in enumerate(box.frame[: len(frame.leading)]):
        if axis == frame.channel:
            continue
        scale, middle = abs(float(matrix.scale[axis])), float(matrix.translate[axis])
        place = middle + float(matrix.scale[axis]) * index
        spans[first + axis] = Span(place - scale / 2, place + scale / 2, frame=True)
    for axis in range(1 if frame.flat else 0, 3):
        spans[ndim - 3 + axis] = Span(box.start[axis], box.stop[axis])
    return spans


@dataclass(frozen=True)
class Plane:
    """What of a box lies in the two axes on screen.

    Parameters
    ----------
    low, high : tuple of float
        Its faces along the two, in world units.
    cut : bool
        Whether the slice on screen goes through the box.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    cut: bool


def plane_of(box: WorldBox, viewer: Any) -> Plane | None:
    """Return where the edges of a box are that can be taken hold of.

    None in 3-D, on another point in time, where the axes on screen are not two of z, y and x, and where its image is
    not open.
    """
    dims = viewer.dims
    if dims.ndisplay != 2 or box.image not in viewer.layers:
        return None
    try:
        spans = spans_of(box, viewer.layers[box.image], dims.ndim)
    except AitrainError:
        return None
    found = segments_of(spans, tuple(dims.displayed), tuple(dims.point))
    shown = [span for axis in dims.displayed if (span := spans[axis]) is not None and not span.frame]
    if found is None or len(shown) < 2:
        return None
    return Plane(tuple(span.low for span in shown), tuple(span.high for span in shown), found[1])


def segments_of(
    spans: list[Span | None], displayed: tuple[int, ...], point: tuple[float, ...]
) -> tuple[npt.NDArray[np.float32], bool] | None:
    """Return the lines that show a box, and whether the slice on screen goes through it.

    Parameters
    ----------
    spans : list of Span or None
        As of `spans_of`.
    displayed : tuple of int
        The two or three axes on screen, in their order.
    point : tuple of float
        Where the slice on screen lies, in world units.

    Returns
    -------
    tuple or None
        Pairs of points, shape (n, 2 or 3), x first, and whether the box is cut; None where it cannot be seen, as
        on another point in time.
    """
    inside = True
    for axis, span in enumerate(spans):
        if axis in displayed or span is None:
            continue
        here = span.low <= point[axis] < span.high
        if span.frame and not here:
            return None
        inside &= here
    shown = [spans[axis] for axis in displayed]
    faces = np.array([[s.low, s.high] for s in shown if s is not None])
    if len(faces) < len(displayed):
        return None
    count = len(displayed)
    corners = np.take_along_axis(faces, _CORNERS.T[:count], axis=1).T
    pairs = [(a, b) for a, b in _PAIRS if max(a, b) < 2**count]
    lines = corners[np.array(pairs).ravel()][:, ::-1]
    return lines.astype(np.float32), inside
