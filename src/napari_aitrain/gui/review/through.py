"""What layers hold of a prediction: its levels, seen through a threshold."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .drawn import ShownArray
from .thresholded import Slices, Thresholded


class Shown(Protocol):
    """What a layer shows of a level."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all axes of the layer."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values."""
        ...

    @property
    def late(self) -> bool:
        """Whether parts are better looked up when they are needed."""
        ...

    def __getitem__(self, index: Any, /) -> npt.NDArray[Any]: ...


class Through:
    """A level of a prediction as it is drawn.

    Parameters
    ----------
    data : Thresholded
        How it is looked at.
    labels, certainty : array-like
        As of `Thresholded`, of this level.
    """

    def __init__(self, data: Thresholded, labels: Slices, certainty: Slices | None) -> None:
        self.data, self.labels, self.certainty = data, labels, certainty
        self.shape = data.layer_shape(labels.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what is drawn."""
        return self.data.dtype

    @property
    def late(self) -> bool:
        """Whether it is read tile by tile."""
        return bool(self.data.tiles)

    def __getitem__(self, index: Any) -> ShownArray:
        return self.data.through(index, self.labels, self.certainty)


class Held:
    """An array of a layer: another one of the same shape takes the place of `source` without a new layer.

    Parameters
    ----------
    source : Shown
        What is shown at first.
    """

    def __init__(self, source: Shown) -> None:
        self.source = source
        self.shape, self.dtype = source.shape, source.dtype
        self.ndim, self.size = len(self.shape), math.prod(self.shape)
        self.nbytes = self.size * self.dtype.itemsize

    def __getitem__(self, index: Any) -> npt.NDArray[Any] | Part:
        if self.source.late and isinstance(index, tuple) and all(isinstance(part, slice) for part in index):
            return Part(self, index)
        return self.source[index]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self[(slice(None),) * self.ndim], dtype)


class Part:
    """A part of an array of a layer that is looked up when it is needed.

    napari cuts the screen out of all slices of a level first, and takes the slice of that.

    Parameters
    ----------
    held : Held
        The array.
    index : tuple of slice
        Which part.
    """

    def __init__(self, held: Held, index: tuple[slice, ...]) -> None:
        index = (*index, *[slice(None)] * (held.ndim - len(index)))
        self._held = held
        self._spans = [range(n)[part] for part, n in zip(index, held.shape, strict=True)]
        self.shape, self.dtype = tuple(map(len, self._spans)), held.dtype
        self.ndim, self.size = len(self.shape), math.prod(self.shape)

    def __getitem__(self, index: Any) -> npt.NDArray[Any] | Part:
        parts = index if isinstance(index, tuple) else (index,)
        parts = (*parts, *[slice(None)] * (self.ndim - len(parts)))
        inner = [span[part] for span, part in zip(self._spans, parts, strict=True)]
        return self._held[tuple(slice(i.start, i.stop) if isinstance(i, range) else i for i in inner)]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self._held.source[tuple(slice(span.start, span.stop) for span in self._spans)], dtype)


def levels_of(data: Thresholded) -> list[Through]:
    """Return what a layer shows of a prediction: one level, or of a large one several, the finest first."""
    return [Through(data, labels, certainty) for labels, certainty in data.levels()]
