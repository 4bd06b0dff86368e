"""PNG and JPEG: decoded when first read, since neither can be read in parts; a few are kept in memory."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import GroundTruthError
from ..geometry import FINEST
from .axes import Kind
from .opened import Opened, damaged

SUFFIXES = (".png", ".jpg", ".jpeg")
_ERRORS = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
_DTYPES = {"1": "bool", "I;16": "uint16", "I;16B": "uint16", "I": "int32", "F": "float32"}


class RasterArray:
    """A PNG or JPEG as an array; the file is decoded by the first read."""

    def __init__(self, path: Path, kind: Kind) -> None:
        self._path, self._kind = path, kind
        self._stamp = path.stat().st_mtime_ns
        try:
            with Image.open(path) as image:
                size, mode = image.size, target_mode(image, kind)
        except _ERRORS as error:
            raise damaged(path, error) from error
        deep = mode == "RGB" and _is_deep(path)
        self.dtype = np.dtype("uint16" if deep else _DTYPES.get(mode, "uint8"))
        self.shape: tuple[int, ...] = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
        if kind == "labels" and mode == "RGB" and self._is_grey():
            self.shape = self.shape[:2]

    def __getitem__(self, key: Any) -> Any:
        array = _decode(self._path, self._kind, self._stamp)
        return (array if array.ndim == len(self.shape) else array[..., 0])[key]

    def _is_grey(self) -> bool:
        array = _decode(self._path, self._kind, self._stamp)
        return bool((array == array[..., :1]).all())


def target_mode(image: Image.Image, kind: Kind) -> str:
    """Return the mode in which an image is read: grey as it is, colour as RGB, opacity dropped.

    A palette of labels gives its indices, which are the ids; a palette of an image gives its colours.
    """
    if image.mode in ("L", "I", "F", "I;16", "I;16B", "1"):
        return image.mode
    if image.mode == "LA":
        return "L"
    return "P" if image.mode == "P" and kind == "labels" else "RGB"


def _is_deep(path: Path) -> bool:
    # Pillow reduces colour of 16 bits to 8; the PNG header has bit depth and colour type at 24 and 25.
    with open(path, "rb") as file:
        head = file.read(26)
    return head.startswith(b"\x89PNG") and head[24] == 16 and head[25] in (2, 6)


@lru_cache(maxsize=8)
def _decode(path: Path, kind: Kind, stamp: int) -> npt.NDArray[Any]:
    """Decode the whole file; `stamp` makes a changed file be read again."""
    try:
        with Image.open(path) as image:
            mode = target_mode(image, kind)
            array = np.asarray(image if image.mode == mode else image.convert(mode))
    except _ERRORS as error:
        raise damaged(path, error) from error
    if mode == "RGB" and _is_deep(path):
        from imagecodecs import png_decode

        array = png_decode(path.read_bytes())[..., :3]
    return array


def open_raster(path: Path, kind: Kind) -> Opened:
    """Open a PNG or JPEG.

    Raises
    ------
    VolumeError
        If it is damaged.
    GroundTruthError
        If labels come as JPEG, which changes ids.
    """
    if kind == "labels" and path.suffix.lower() != ".png":
        raise GroundTruthError(
            f"the labels in {path.name} are a JPEG, which does not keep numbers: ids are blurred into each other",
            "labels as PNG, TIFF, NPY or zarr",
            "export the labels again from the program that made them; what JPEG has changed cannot be brought back",
        )
    array = RasterArray(path, kind)
    rgb = len(array.shape) == 3
    return Opened([(array, FINEST)], "yxc" if rgb else "yx", channels=["red", "green", "blue"] if rgb else None)
