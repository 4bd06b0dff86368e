"""Pictures of what is right and wrong: the image with outlines of predicted objects in the colours of their outcome."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..geometry import Region, triple
from ..tasks.maps import border
from .box_records import BoxArrays
from .box_results import BoxResult, ObjectError
from .outcome import COLOURS, OUTCOMES, outcome_map

WIDE, CLOSE = 460, 180
"""Extent of the picture of a box, and of an error, in pixels of the screen."""
_LEAST, _MARGIN = 48, 0.5
_RIGHT, _MISSED = OUTCOMES.index("right") + 1, OUTCOMES.index("missed") + 1

Bytes = npt.NDArray[np.uint8]


class BoxPictures:
    """Draws a box.

    Parameters
    ----------
    box : BoxResult
        What the box gave.
    arrays : BoxArrays
        What is shown of it.
    kind : {'objects', 'classes', 'neurons'}
        What labels are.
    background : int
        Id of the class that is no object.
    """

    def __init__(self, box: BoxResult, arrays: BoxArrays, kind: str, background: int = 0) -> None:
        self.box, self._arrays, self._kind = box, arrays, kind
        self._codes = outcome_map(arrays.labels, arrays.truth, kind, background)

    def overview(self) -> bytes:
        """Return a PNG of the slice in which most is wrong: the image alone, and with outlines, side by side."""
        wrong = np.count_nonzero(self._codes > _RIGHT, axis=(1, 2))
        z = int(wrong.argmax()) if wrong.any() else self._codes.shape[0] // 2
        _, depth_y, depth_x = self._codes.shape
        whole = Region((z, 0, 0), (z + 1, depth_y, depth_x))
        scale = max(1, WIDE // max(depth_y, depth_x))
        plain = _enlarged(self._grey(whole), scale)
        picture = np.concatenate([plain, np.full((len(plain), 6, 3), 255, np.uint8), self._drawn(whole, scale)], axis=1)
        return _png(picture, 2 * WIDE + 6)

    def error(self, error: ObjectError) -> bytes:
        """Return a PNG of an object that is wrong, and what is around it."""
        magnification, start = self.box.magnification, self.box.start
        corner = [s // m for s, m in zip(start, magnification, strict=True)]
        low, high = ([v // m - c for v, m, c in zip(end, magnification, corner, strict=True)] for end in
                     (error.start, error.stop))  # fmt: skip
        z = int((error.centre[0] + 0.5) // magnification[0]) - corner[0]
        side = max(_LEAST, *(int((1 + 2 * _MARGIN) * (b - a)) for a, b in zip(low[1:], high[1:], strict=True)))
        middle = [z, (low[1] + high[1]) // 2, (low[2] + high[2]) // 2]
        shape = triple([1, *(min(side, n) for n in self._codes.shape[1:])])
        where = Region.from_shape(
            shape,
            [min(max(0, m - n // 2), most - n) for m, n, most in zip(middle, shape, self._codes.shape, strict=True)],
        )
        return _png(self._drawn(where, max(1, round(CLOSE / side))), CLOSE)

    def _grey(self, where: Region) -> Bytes:
        z, y, x = where.slices
        channels = np.asarray(self._arrays.image[:, z, y, x])[:, 0]
        if len(channels) == 2:
            channels = np.concatenate([channels, np.zeros_like(channels[:1])])
        if len(channels) != 3:
            channels = np.repeat(channels.mean(axis=0, keepdims=True), 3, axis=0)
        return np.moveaxis(channels, 0, -1).astype(np.uint8)

    def _drawn(self, where: Region, scale: int) -> Bytes:
        picture = _enlarged(self._grey(where), scale)
        index = where.slices
        labels, truth = (_enlarged(np.asarray(a[index][0], np.int32), scale) for a in
                         (self._arrays.labels, self._arrays.truth))  # fmt: skip
        codes = _enlarged(self._codes[index][0], scale)
        # Neighbours of one outcome stay apart.
        rims = border(np.where(codes == _MISSED, -truth, labels) * (codes > 0) % 2**30)
        for number, name in enumerate(OUTCOMES, start=1):
            picture[rims & (codes == number)] = COLOURS[name]
        return picture


def _enlarged(array: npt.NDArray[Any], scale: int) -> npt.NDArray[Any]:
    return array.repeat(scale, axis=0).repeat(scale, axis=1)


def _png(picture: Bytes, widest: int) -> bytes:
    image = Image.fromarray(picture)
    if image.width > widest:
        image = image.resize((widest, round(image.height * widest / image.width)), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
