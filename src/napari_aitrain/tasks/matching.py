"""Counting how a prediction and ground truth overlap: the core that every metric is made from.

All counts are plain sums, so those of several images are added to give the metrics of all of them together, as if the
images lay side by side in one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import fastremap
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
        if ignore is not None and ignore.any():
            prediction, truth = prediction[~ignore], truth[~ignore]
        truth, truth_table = _compact(truth)
        prediction, prediction_table = _compact(prediction)
        width = int(prediction.max(initial=0)) + 1
        combined = truth.astype(np.int64).ravel() * width + prediction.ravel().astype(np.int64)
        pairs, counts = fastremap.unique(combined, return_counts=True)
        truth_ids, rows = np.unique(pairs // width, return_inverse=True)
        prediction_ids, columns = np.unique(pairs % width, return_inverse=True)
        if truth_table is not None:
            truth_ids = truth_table[truth_ids]
        if prediction_table is not None:
            prediction_ids = prediction_table[prediction_ids]
        return cls(*(a.astype(np.int64) for a in (truth_ids, prediction_ids, rows, columns, counts)))

    def keeping(self, prediction_ids: IntArray) -> Overlap:
        """Return the overlap as if all predicted objects but these were background."""
        kept = np.isin(self.prediction_ids, prediction_ids) & (self.prediction_ids != 0)
        ids = np.concatenate([np.zeros(1, np.int64), self.prediction_ids[kept]])
        column = np.where(kept, np.cumsum(kept), 0)[self.columns]
        pairs, place = np.unique(self.rows * len(ids) + column, return_inverse=True)
        counts = np.bincount(place, self.counts, len(pairs)).astype(np.int64)
        return Overlap(self.truth_ids, ids, pairs // len(ids), pairs % len(ids), counts)

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


def _compact(labels: AnyLabels) -> tuple[AnyLabels, AnyLabels | None]:
    """Return labels whose products fit 64 bits, and the ids they stand for if they had to be numbered anew."""
    if not labels.size or (int(labels.min()) >= 0 and int(labels.max()) < 2**31):
        return labels, None
    ids, position = np.unique(labels.ravel(), return_inverse=True)
    return position, ids


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
