"""Counting how a prediction and ground truth overlap: the core that every metric is made from.

All counts are plain sums, so those of several images are added to give the metrics of all of them together, as if the
images lay side by side in one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from .protocol import BoolArray

IntArray = npt.NDArray[np.int64]
Float64Array = npt.NDArray[np.float64]
AnyLabels = npt.NDArray[np.integer]

CORRECT_IOU = 0.5
"""An object is right when it overlaps an object of the truth by at least this intersection over union."""


@dataclass(frozen=True)
class Overlap:
    """A sparse contingency table of two label arrays; entries with 0 on either side are kept.

    Parameters
    ----------
    truth_ids, prediction_ids : ndarray of int64
        The distinct ids, sorted, 0 included where it occurs.
    rows, columns, counts : ndarray of int64
        For each pair that shares voxels: positions in the two lists of ids, and how many voxels.
    """

    truth_ids: IntArray
    prediction_ids: IntArray
    rows: IntArray
    columns: IntArray
    counts: IntArray

    @classmethod
    def count(cls, prediction: AnyLabels, truth: AnyLabels, ignore: BoolArray | None = None) -> Overlap:
        """Count shared voxels of two arrays of one shape, without those where `ignore` is True."""
        if ignore is not None:
            prediction, truth = prediction[~ignore], truth[~ignore]
        truth_ids, row = np.unique(truth.ravel(), return_inverse=True)
        prediction_ids, column = np.unique(prediction.ravel(), return_inverse=True)
        width = max(1, len(prediction_ids))
        pairs, counts = np.unique(row.astype(np.int64) * width + column, return_counts=True)
        return cls(
            truth_ids.astype(np.int64), prediction_ids.astype(np.int64), pairs // width, pairs % width, counts
        )

    @cached_property
    def truth_sizes(self) -> IntArray:
        """Voxels per id of the truth."""
        return np.bincount(self.rows, self.counts, len(self.truth_ids)).astype(np.int64)

    @cached_property
    def prediction_sizes(self) -> IntArray:
        """Voxels per id of the prediction."""
        return np.bincount(self.columns, self.counts, len(self.prediction_ids)).astype(np.int64)

    @property
    def n_truth(self) -> int:
        """Number of objects in the truth."""
        return int(np.count_nonzero(self.truth_ids))

    @property
    def n_prediction(self) -> int:
        """Number of objects in the prediction."""
        return int(np.count_nonzero(self.prediction_ids))

    @cached_property
    def ious(self) -> tuple[IntArray, IntArray, Float64Array]:
        """Pairs of objects that share voxels, as two arrays of positions, and their intersection over union."""
        real = (self.truth_ids[self.rows] != 0) & (self.prediction_ids[self.columns] != 0)
        rows, columns, shared = self.rows[real], self.columns[real], self.counts[real]
        union = self.truth_sizes[rows] + self.prediction_sizes[columns] - shared
        return rows, columns, shared / union

    def match(self, threshold: float = CORRECT_IOU) -> tuple[IntArray, IntArray, Float64Array]:
        """Pair as many objects as possible one to one, each pair with at least this IoU.

        Returns
        -------
        truth_ids, prediction_ids : ndarray of int64
            The ids of the pairs.
        ious : ndarray of float64
            Their intersection over union.

        Notes
        -----
        Above an IoU of 0.5 an object can have one partner only, so nothing is to be chosen; at or below it, an
        assignment is solved for each group of objects that compete (Hungarian method, as in StarDist and Cellpose).
        """
        rows, columns, ious = self.ious
        good = ious >= threshold
        rows, columns, ious = rows[good], columns[good], ious[good]
        contested = (np.bincount(rows, minlength=1)[rows] > 1) | (np.bincount(columns, minlength=1)[columns] > 1)
        chosen = ~contested
        if contested.any():
            where = np.flatnonzero(contested)
            chosen[where[_assign(rows[where], columns[where], ious[where])]] = True
        return self.truth_ids[rows[chosen]], self.prediction_ids[columns[chosen]], ious[chosen]


def _assign(rows: IntArray, columns: IntArray, ious: Float64Array) -> IntArray:
    """Return positions of the best pairs: as many as possible, then of the largest total IoU."""
    row_ids, row = np.unique(rows, return_inverse=True)
    column_ids, column = np.unique(columns, return_inverse=True)
    size = len(row_ids) + len(column_ids)
    graph = csr_array((np.ones(len(row)), (row, column + len(row_ids))), shape=(size, size))
    group = connected_components(graph, directed=False)[1][row]
    chosen: list[int] = []
    for members in np.split(np.argsort(group, kind="stable"), np.flatnonzero(np.diff(np.sort(group))) + 1):
        _, r = np.unique(row[members], return_inverse=True)
        _, c = np.unique(column[members], return_inverse=True)
        gain = np.zeros((r.max() + 1, c.max() + 1))
        position = np.full(gain.shape, -1)
        # One more pair outweighs any gain in IoU.
        gain[r, c] = ious[members] + len(members) + 1
        position[r, c] = members
        found = position[linear_sum_assignment(gain, maximize=True)]
        chosen.extend(int(p) for p in found if p >= 0)
    return np.asarray(sorted(chosen), np.int64)


@dataclass(frozen=True)
class Confusion:
    """Voxels per class of the truth and class of the prediction.

    Parameters
    ----------
    classes : tuple of int
        Ids of the classes, background first.
    table : ndarray of int64, shape (c, c)
        Rows are the truth, columns the prediction.
    """

    classes: tuple[int, ...]
    table: IntArray

    @classmethod
    def count(
        cls, prediction: AnyLabels, truth: AnyLabels, classes: Sequence[int], ignore: BoolArray | None = None
    ) -> Confusion:
        """Count two arrays of one shape, without voxels where `ignore` is True or the truth has no listed class.

        A predicted id that is no listed class counts as background.
        """
        overlap = Overlap.count(prediction, truth, ignore)
        channel = {identity: number for number, identity in enumerate(classes)}
        table = np.zeros((len(classes), len(classes)), np.int64)
        for t, p, n in zip(
            overlap.truth_ids[overlap.rows], overlap.prediction_ids[overlap.columns], overlap.counts, strict=True
        ):
            if int(t) in channel:
                table[channel[int(t)], channel.get(int(p), 0)] += n
        return cls(tuple(int(c) for c in classes), table)

    def __add__(self, other: Confusion) -> Confusion:
        """Return the counts of both; they must have the same classes."""
        return Confusion(self.classes, self.table + other.table)

    def metrics(self) -> dict[str, float]:
        """Return ``dice_ID`` and ``iou_ID`` per class, and ``dice`` and ``iou``, their mean over the foreground.

        A class that is in neither truth nor prediction has no figure and is left out of the mean; with none left the
        mean is 1, as nothing is wrong.
        """
        metrics: dict[str, float] = {}
        for number, identity in enumerate(self.classes):
            both = int(self.table[number, number])
            total = int(self.table[number].sum() + self.table[:, number].sum())
            if total:
                metrics[f"dice_{identity}"] = 2 * both / total
                metrics[f"iou_{identity}"] = both / (total - both)
        for name in ("iou", "dice"):
            each = [metrics[f"{name}_{c}"] for c in self.classes[1:] if f"{name}_{c}" in metrics]
            metrics = {name: float(np.mean(each)) if each else 1.0, **metrics}
        return metrics
