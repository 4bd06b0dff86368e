"""A prediction seen through a threshold: an array whose slices are looked up when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ...geometry import Triple
from ...tasks.merge_tree import MergeTree
from ...tasks.protocol import FloatArray, LabelArray
from .drawn import ShownArray, drawn_ids, drawn_scores, score_colours
from .tiles import Level, Tiles

_KEPT_VOXELS = 2**24


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
    """Labels as a threshold leaves them, to be drawn; nothing is ever rewritten.

    What it gives are ids up to 65535; higher ones start again from 1. `labels` has those of the prediction.

    Parameters
    ----------
    labels : array-like of int32, shape (z, y, x)
        Ids of objects, or of classes.
    scores : ndarray of float32, shape (n + 1,), optional
        Score per object id; None for class maps. Higher ids have no score yet, and are drawn.
    certainty : array-like of uint8, optional
        Of class maps: 255 × the probability of the class that `labels` names, of the same shape, or with a first axis
        of classes, of which the largest counts.
    classes : ndarray of int32, shape (n + 1,), optional
        Class per object id.
    merges : MergeTree, optional
        Of fragments: what a threshold joins; their scores do not count then.
    background : int
        Of class maps: the class that is not drawn.
    leading : int
        Axes of extent 1 to put before the others, such as time.
    flat : bool
        Whether to leave out the z axis, of extent 1.
    """

    def __init__(
        self,
        labels: Slices,
        scores: FloatArray | None = None,
        *,
        certainty: Slices | None = None,
        classes: LabelArray | None = None,
        merges: MergeTree | None = None,
        background: int = 0,
        leading: int = 0,
        flat: bool = False,
    ) -> None:
        self.labels, self.certainty, self.background = labels, certainty, background
        self.scores, self.classes, self.merges = scores, classes, merges
        self.leading, self.flat = leading, flat
        self.dtype = np.dtype(np.uint16)
        self.threshold = 0.0
        self.by_score = False
        self.hidden_classes: frozenset[int] = frozenset()
        self.hidden_ids: frozenset[int] = frozenset()
        self._table: ShownArray | None = None
        self._segments: LabelArray | None = None
        self._read: dict[str, Any] = {}
        self._steps: tuple[Triple, ...] = ((1, 1, 1),)
        self.tiles: tuple[Tiles, ...] = ()
        """What reads in the background, of a large prediction: labels, and of class maps their certainty."""

    def take_levels(self, labels: Tiles, certainty: Tiles | None) -> None:
        """Have layers look at levels that are read in the background."""
        self.tiles = (labels,) if certainty is None else (labels, certainty)

    def take_steps(self, steps: Sequence[Triple]) -> None:
        """Have layers look at levels of every so many-th voxel, of labels that are in memory."""
        self._steps = tuple(steps)

    def levels(self) -> list[tuple[Slices, Slices | None]]:
        """Return labels and certainty as a layer shows them: of a large prediction in levels, the finest first."""
        if not self.tiles:
            return [(_every(self.labels, step), self.certainty) for step in self._steps]
        labels = self.tiles[0].levels()
        certainty = self.tiles[1].levels() if len(self.tiles) > 1 else [None] * len(labels)
        return list(zip(labels, certainty, strict=True))

    def close(self) -> None:
        """End what reads in the background; what was read stays."""
        for tiles in self.tiles:
            tiles.close()

    @property
    def shape(self) -> tuple[int, ...]:
        """Extent per axis of the layer."""
        return self.layer_shape(self.labels.shape)

    def layer_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the extent per axis in a layer of what has a z, y, x shape."""
        z, y, x = shape
        return (*(1,) * self.leading, *((y, x) if self.flat else (z, y, x)))

    @property
    def ndim(self) -> int:
        """Number of axes of the layer."""
        return len(self.shape)

    @property
    def instances(self) -> bool:
        """Whether labels are ids of objects."""
        return self.scores is not None

    def look(
        self,
        threshold: float,
        *,
        by_score: bool = False,
        hidden_classes: Collection[int] = (),
        hidden_ids: Collection[int] = (),
    ) -> None:
        """Look through other glasses from now on.

        Parameters
        ----------
        threshold : float
            0 … 1; what has a lower score is left out; of merges what has at least this score is made.
        by_score : bool
            Whether numbers tell scores, to be drawn in `SCORE_COLOURS` colours that repeat, instead of ids.
        hidden_classes, hidden_ids : collection of int
            Classes and objects that are left out.
        """
        if threshold != self.threshold:
            self._segments = None
        self.threshold, self.by_score = threshold, by_score
        self.hidden_classes, self.hidden_ids = frozenset(hidden_classes), frozenset(hidden_ids)
        self._table = None

    def take_scores(self, scores: FloatArray) -> None:
        """Take the scores of more objects."""
        self.scores, self._table = scores, None

    def take_merges(self, merges: MergeTree) -> None:
        """Join fragments by another tree from now on."""
        self.merges, self._segments, self._table = merges, None, None

    @property
    def segments(self) -> LabelArray | None:
        """What each fragment belongs to at the threshold, by id; None where nothing is joined."""
        if self._segments is None and self.merges is not None:
            self._segments = self.merges.segments(self.threshold)
        return self._segments

    def named(self, labels: LabelArray) -> LabelArray:
        """Return the ids that stored ids go by at the threshold."""
        return labels if self.segments is None else self.segments.take(labels)

    def forget_slices(self) -> None:
        """Read again what is asked for next: more of the prediction is there."""
        self._read = {}

    def __getitem__(self, index: Any) -> ShownArray:
        return self.through(index, self.labels, self.certainty)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self[(slice(None),) * self.ndim], dtype)

    def through(self, index: Any, labels: Slices, certainty: Slices | None) -> ShownArray:
        """Return voxels of a layer of these labels, which may be a coarser level."""
        inner, axes = self._inner(index)
        found: LabelArray = self._kept("labels", inner, labels, lambda: np.asarray(labels[inner]))
        if self.instances:
            shown = self._objects(found)
        else:
            shown = self._classes(
                found, lambda: self._kept("certainty", inner, certainty, lambda: certain(certainty, inner))
            )
        return shown[axes] if axes else shown

    def _inner(self, index: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return what indexes `labels`, and what puts back axes that it has not."""
        parts = list(index) if isinstance(index, tuple) else [index]
        if Ellipsis in parts:
            at = parts.index(Ellipsis)
            parts[at : at + 1] = [slice(None)] * (self.ndim - len(parts) + 1)
        parts += [slice(None)] * (self.ndim - len(parts))
        first, rest = parts[: self.leading], parts[self.leading :]
        axes = tuple(None for part in first if isinstance(part, slice))
        return ((0, *rest) if self.flat else tuple(rest)), ((*axes, ...) if axes else ())

    def _kept(self, what: str, index: tuple[Any, ...], array: Slices | None, read: Callable[[], Any]) -> Any:
        """Return the slice on screen as it was read last: a moved threshold is no reason to read a file."""
        if isinstance(self.labels, np.ndarray) or isinstance(array, Level):
            return read()
        key = repr((what, index))
        if key not in self._read:
            found = read()
            if found.size > _KEPT_VOXELS:
                return found
            self._read = dict(list(self._read.items())[-3:]) | {key: found}
        return self._read[key]

    def _objects(self, labels: LabelArray) -> ShownArray:
        if self._table is None:
            self._table = self._make_table() if self.merges is None else self._make_joined_table(self.merges)
        last = len(self._table) - 1
        shown: ShownArray = self._table.take(labels, mode="clip")
        if self.merges is None and labels.size and int(labels.max()) >= last:
            shown = np.where(labels >= last, drawn_ids(labels), shown)
        return shown

    def _make_table(self) -> ShownArray:
        """Return what is drawn for each id, and a last entry for all that have no score yet."""
        assert self.scores is not None
        count = len(self.scores)
        ids = np.arange(count + 1, dtype=np.int64)
        table = drawn_ids(ids)
        if self.by_score:
            table[:count] = drawn_scores(ids[:count], self.scores)
        keep = np.append(self.scores >= self.threshold, True)
        keep[0] = False
        if self.classes is not None and self.hidden_classes:
            keep[:count] &= ~np.isin(self.classes[:count], list(self.hidden_classes))
        keep[[identity for identity in self.hidden_ids if identity < count]] = False
        return np.where(keep, table, 0).astype(np.uint16)

    def _make_joined_table(self, merges: MergeTree) -> ShownArray:
        """Return what is drawn for each fragment; scores are those of the weakest merge around it."""
        segments = self.segments
        assert segments is not None
        table = drawn_ids(segments)
        if self.by_score:
            table = drawn_scores(segments, merges.weakest(self.threshold)[segments])
            table[0] = 0
        if self.hidden_ids:
            table[list(self.hidden_ids)] = 0
        return table

    def _classes(self, labels: LabelArray, certainty: Callable[[], npt.NDArray[np.uint8]]) -> ShownArray:
        shown = labels != self.background
        for hidden in self.hidden_classes:
            shown &= labels != hidden
        drawn = drawn_ids(labels)
        if self.certainty is not None and (self.threshold > 0 or self.by_score):
            sure = certainty()
            shown &= sure >= self.threshold * np.float32(255)
            if self.by_score:
                drawn = (1 + score_colours(sure / np.float32(255))).astype(np.uint16)
        return np.where(shown, drawn, np.uint16(0))

    def certain(self, index: tuple[Any, ...]) -> npt.NDArray[np.uint8]:
        """Return 255 × the probability of the class of voxels, indexed as `labels`."""
        return certain(self.certainty, index)


def _every(labels: Slices, step: Triple) -> Slices:
    every: Slices = labels[tuple(slice(None, None, s) for s in step)] if step != (1, 1, 1) else labels
    return every


def certain(certainty: Slices | None, index: tuple[Any, ...]) -> npt.NDArray[np.uint8]:
    """Return 255 × the probability of the class of voxels; see `Thresholded`."""
    assert certainty is not None
    if len(certainty.shape) == 3:
        return np.asarray(certainty[index])
    most: npt.NDArray[np.uint8] = np.asarray(certainty[(slice(None), *index)]).max(axis=0)
    return most
