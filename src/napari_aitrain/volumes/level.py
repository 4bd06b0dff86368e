"""One resolution of a volume: an n-dimensional lazy array, and how to read a region of it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AitrainError, VolumeError
from ..geometry import FINEST, Region, Triple, triple
from .axes import Layout
from .chunked import ChunkedArray
from .counting import count
from .lazy import READ_ERRORS as READ_ERRORS
from .lazy import LazyArray as LazyArray
from .prefetch import prefetch


@dataclass(frozen=True, eq=False)
class Level:
    """An array with named axes at one magnification.

    Parameters
    ----------
    array : LazyArray
        The voxels; nothing is read before `read`.
    layout : Layout
        What its axes are.
    magnification : tuple of int
        Downsampling in z, y, x order, relative to the finest level of the file.
    """

    array: LazyArray
    layout: Layout
    magnification: Triple = FINEST

    @property
    def shape(self) -> Triple:
        """Extent in z, y, x."""
        return triple([self.layout.extent(self.array.shape, axis) for axis in "zyx"])

    @property
    def channel_count(self) -> int:
        """Number of channels; 1 where there is no such axis."""
        return 1 if "c" in self.layout.fixed else self.layout.extent(self.array.shape, "c")

    def read(self, region: Region, channels: Sequence[int], name: str) -> npt.NDArray[Any]:
        """Read voxels that lie inside the level.

        Parameters
        ----------
        region : Region
            In voxels of this level.
        channels : sequence of int
            Indices of the channels to return, in this order.
        name : str
            What an error names.

        Returns
        -------
        ndarray, shape (c, z, y, x)
            In native byte order; booleans as uint8.

        Raises
        ------
        VolumeError
            If the file is damaged there.
        """
        try:
            array = self._read(region, channels)
        except AitrainError:
            raise
        except READ_ERRORS as error:
            raise VolumeError(
                f"{name} cannot be read at {describe(region)}: {str(error) or type(error).__name__}",
                "a complete, undamaged file",
                "copy the file again from where it came from, or leave this region out; or choose that damaged chunks"
                ' are filled with 0 (on_damage="fill")',
            ) from error
        count(asked=array.nbytes)
        return native(array)

    def prefetch(self, region: Region, channels: Sequence[int]) -> Future[None] | None:
        """Have the chunks that hold a region read by another thread; None if that does nothing."""
        if not isinstance(self.array, ChunkedArray):
            return None
        spans = dict(zip("zyx", region.slices, strict=True)) | {"c": slice(min(channels), max(channels) + 1)}
        fixed = {axis: slice(index, index + 1) for axis, index in self.layout.fixed.items()}
        chosen = [fixed.get(axis) or spans[axis] for axis in self.layout.axes]
        return prefetch(self.array, tuple((span.start, span.stop) for span in chosen))

    def forget(self) -> None:
        """Forget the chunks that the cache keeps, so that they are read again."""
        if isinstance(self.array, ChunkedArray):
            self.array.forget()

    def _read(self, region: Region, channels: Sequence[int]) -> npt.NDArray[Any]:
        axes, spans = self.layout.axes, dict(zip("zyx", region.slices, strict=True))
        fixed, used = self.layout.fixed, self.layout.used
        key: list[int | slice] = [fixed[a] if a in fixed else spans.get(a, slice(None)) for a in axes]
        if "c" not in used:
            return _to_czyx(np.asarray(self.array[tuple(key)]), used)
        c = axes.index("c")
        first, last = min(channels), max(channels)
        # Interleaved channels share their chunks, so reading them one by one would decode each chunk again.
        if last - first + 1 <= 2 * len(set(channels)) or axes.endswith("c"):
            key[c] = slice(first, last + 1)
            block = _to_czyx(np.asarray(self.array[tuple(key)]), used)
            return block[[i - first for i in channels]]
        parts = []
        for index in channels:
            key[c] = index
            parts.append(_to_czyx(np.asarray(self.array[tuple(key)]), used.replace("c", "")))
        return np.concatenate(parts)


def _to_czyx(array: npt.NDArray[Any], axes: str) -> npt.NDArray[Any]:
    order = [axes.index(a) for a in "czyx" if a in axes]
    missing = tuple(i for i, a in enumerate("czyx") if a not in axes)
    return np.expand_dims(array.transpose(order), missing)


def native(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the array in native byte order, booleans as uint8, as a plain ndarray."""
    plain = np.asarray(array)
    return plain.astype(native_dtype(plain.dtype), copy=False)


def native_dtype(dtype: Any) -> np.dtype[Any]:
    """Return the dtype that reading gives."""
    # The types of tensorstore are no types of numpy.
    kind = np.dtype(getattr(dtype, "numpy_dtype", dtype))
    return np.dtype(np.uint8) if kind.kind == "b" else kind.newbyteorder("=")


def describe(region: Region) -> str:
    """Return a region in words, in the x, y, z order in which people read it."""
    (z, y, x), (z1, y1, x1) = region.start, region.stop
    return f"x {x}–{x1 - 1}, y {y}–{y1 - 1}, z {z}–{z1 - 1}"
