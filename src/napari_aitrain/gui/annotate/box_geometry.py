"""Where boxes lie in the axes of a viewer, in whatever order these are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...annotation.world import WorldBox
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
