"""A prediction seen through a threshold: an array whose slices are looked up when they are asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ...tasks.protocol import FloatArray, LabelArray

_MOST = np.float32(255)


class Slices(Protocol):
    """What is stored of a prediction: a numpy array, a memory map or a zarr array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Extent per axis."""
        ...

    def __getitem__(self, index: Any) -> Any:
        """Return voxels."""
        ...


class Thresholded:
    """Labels as a threshold leaves them; nothing is ever rewritten.

    Parameters
    ----------
    labels : array-like of int32
        Ids of objects, or of classes.
    scores : ndarray of float32, shape (n + 1,), optional
        Score per object id; None for class maps. Ids beyond its end count as sure.
    certainty : array-like of uint8, optional
        Of class maps: 255 × the probability of the class that `labels` names, of the same shape, or with a first axis
        of classes, of which the largest counts.
    classes : ndarray of int32, shape (n + 1,), optional
        Class per object id.
    background : int
        Of class maps: the class that is not drawn.
    """

    def __init__(
        self,
        labels: Slices,
        scores: FloatArray | None = None,
        *,
        certainty: Slices | None = None,
        classes: LabelArray | None = None,
        background: int = 0,
    ) -> None:
        self.labels, self.certainty, self.background = labels, certainty, background
        self.scores = scores
        self.classes = classes
        self.shape: tuple[int, ...] = tuple(int(n) for n in labels.shape)
        self.dtype = np.dtype(np.int32)
        self.threshold = 0.0
        self._hidden_classes: frozenset[int] = frozenset()
        self._hidden_ids: frozenset[int] = frozenset()
        self._table: LabelArray | None = None

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape))

    @property
    def nbytes(self) -> int:
        """Bytes of all voxels."""
        return self.size * self.dtype.itemsize

    @property
    def instances(self) -> bool:
        """Whether labels are ids of objects."""
        return self.scores is not None

    def set_threshold(self, threshold: float) -> None:
        """Look through another threshold from now on, 0 … 1."""
        self.threshold, self._table = threshold, None

    def hide(self, classes: Collection[int] = (), ids: Collection[int] = ()) -> None:
        """Leave out classes and objects from now on, instead of those before."""
        self._hidden_classes, self._hidden_ids, self._table = frozenset(classes), frozenset(ids), None

    @property
    def hidden_ids(self) -> frozenset[int]:
        """Objects that are left out."""
        return self._hidden_ids

    def add_objects(self, scores: FloatArray, classes: LabelArray | None = None) -> None:
        """Take the scores of more objects, of a prediction that grows."""
        self.scores, self.classes, self._table = scores, classes, None

    def kept(self, identity: int) -> bool:
        """Whether an object is drawn."""
        return bool(self._look_up(np.array([identity], np.int32))[0])

    def __getitem__(self, index: Any) -> LabelArray:
        labels: LabelArray = np.asarray(self.labels[index], np.int32)
        if self.scores is not None:
            return self._look_up(labels)
        gone = self.background, *self._hidden_classes
        shown = ~np.isin(labels, gone) if len(gone) > 1 else labels != self.background
        if self.certainty is not None and self.threshold > 0:
            shown &= self._certainty(index) >= self.threshold * _MOST
        return np.where(shown, labels, np.int32(0))

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self[(slice(None),) * self.ndim], dtype)

    def _certainty(self, index: Any) -> npt.NDArray[np.uint8]:
        assert self.certainty is not None
        if len(self.certainty.shape) == self.ndim:
            return np.asarray(self.certainty[index])
        parts: Sequence[Any] = index if isinstance(index, tuple) else (index,)
        return np.asarray(self.certainty[(slice(None), *parts)]).max(axis=0)

    def _look_up(self, labels: LabelArray) -> LabelArray:
        if self._table is None:
            self._table = self._make_table()
        found: LabelArray = self._table.take(labels, mode="clip")
        beyond = len(self._table) - 1
        if labels.size and int(labels.max()) >= beyond:
            found = np.where(labels >= beyond, labels, found)
        return found

    def _make_table(self) -> LabelArray:
        assert self.scores is not None
        count = len(self.scores)
        table = np.zeros(count + 1, np.int32)
        table[:count] = np.where(self.scores >= self.threshold, np.arange(count, dtype=np.int32), 0)
        if self.classes is not None and self._hidden_classes:
            table[:count][np.isin(self.classes[:count], list(self._hidden_classes))] = 0
        hidden = [identity for identity in self._hidden_ids if identity < count]
        table[hidden] = 0
        table[0] = 0
        return table
