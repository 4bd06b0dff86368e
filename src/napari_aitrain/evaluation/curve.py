"""Precision, recall and F1 over the threshold, without decoding again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..tasks.protocol import BoolArray, FloatArray, LabelArray, Objects
from ..tasks.scoring import correct_objects

Float64Array = npt.NDArray[np.float64]
THRESHOLDS: Float64Array = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class ThresholdCurve:
    """What is found and how much of it is right, at thresholds 0, 0.01 … 1.

    Parameters
    ----------
    thresholds, precision, recall, f1 : ndarray of float64, shape (101,)
        Precision is 1 where nothing is left.
    best : float
        The threshold of the highest F1; the middle of the range where several thresholds share it.
    """

    thresholds: Float64Array
    precision: Float64Array
    recall: Float64Array
    f1: Float64Array
    best: float

    @property
    def best_f1(self) -> float:
        """The highest F1."""
        return float(self.f1.max())

    def as_dict(self) -> dict[str, Any]:
        """Return the curve as plain data."""
        rows = {name: getattr(self, name).round(6).tolist() for name in ("thresholds", "precision", "recall", "f1")}
        return {"best": self.best, **rows}


@dataclass(frozen=True)
class ScoreCounts:
    """How many predictions have which score, and how many of these are right; counts of several images add up.

    Parameters
    ----------
    n_truth : int
        How many there are to find.
    count, right, total : ndarray of float64, shape (101,)
        By the highest of `THRESHOLDS` that the score reaches: predictions, those that are right, and sum of scores.
    """

    n_truth: int
    count: Float64Array
    right: Float64Array
    total: Float64Array

    @classmethod
    def of(cls, scores: FloatArray, correct: BoolArray, n_truth: int) -> ScoreCounts:
        """Count predictions of these scores."""
        # As in `apply_threshold`, in the precision of the scores.
        place = np.searchsorted(THRESHOLDS.astype(np.float32), np.clip(scores, 0, 1), side="right") - 1
        n = len(THRESHOLDS)
        rows = (np.bincount(place, weights, n) for weights in (None, correct.astype(float), scores))
        return cls(n_truth, *(row.astype(np.float64) for row in rows))

    def __add__(self, other: ScoreCounts) -> ScoreCounts:
        """Return the counts of both."""
        return ScoreCounts(
            self.n_truth + other.n_truth,
            self.count + other.count,
            self.right + other.right,
            self.total + other.total,
        )

    def curve(self) -> ThresholdCurve:
        """Return what is found at each threshold."""
        kept, right = (np.cumsum(row[::-1])[::-1] for row in (self.count, self.right))
        precision = np.divide(right, kept, out=np.ones(len(kept)), where=kept > 0)
        recall = right / self.n_truth if self.n_truth else np.ones(len(kept))
        whole = kept + self.n_truth
        f1 = np.divide(2 * right, whole, out=np.ones(len(kept)), where=whole > 0)
        first = int(f1.argmax())
        last = first + int(np.argmin(np.append(f1[first:] == f1[first], False))) - 1
        best = round(float(THRESHOLDS[first] + THRESHOLDS[last]) / 2, 3)
        return ThresholdCurve(THRESHOLDS, precision, recall, f1, best)

    def expected_threshold(self) -> float:
        """Return the threshold of the highest F1 that is to be expected if scores are probabilities.

        It is half of that F1 (Lipton et al. 2014, *Optimal thresholding of classifiers to maximize F1 measure*). Unlike
        the best on what is right here, it follows the scores alone, so that a few objects do not decide.
        """
        kept, right = (np.cumsum(row[::-1])[::-1] for row in (self.count, self.total))
        whole = kept + self.n_truth
        f1 = np.divide(2 * right, whole, out=np.zeros(len(kept)), where=whole > 0)
        return round(float(f1.max()) / 2, 3)

    def bins(self, bins: int = 10) -> list[tuple[float, float, int]]:
        """Return mean score, share of right predictions and number of predictions of each bin that holds any."""
        number = np.minimum(np.arange(len(THRESHOLDS)) * bins // (len(THRESHOLDS) - 1), bins - 1)
        count, right, total = (np.bincount(number, row, bins) for row in (self.count, self.right, self.total))
        return [(total[b] / count[b], right[b] / count[b], int(count[b])) for b in np.flatnonzero(count)]


def curve_from_scores(scores: FloatArray, correct: BoolArray, n_truth: int) -> ThresholdCurve:
    """Return the curve of objects (or voxels) with scores, pooled over any number of images.

    Parameters
    ----------
    scores : ndarray of float32, shape (n,)
        What the threshold acts on: kept where the score is at least the threshold.
    correct : ndarray of bool, shape (n,)
        Whether each is right.
    n_truth : int
        How many there are to find.
    """
    return ScoreCounts.of(scores, correct, n_truth).curve()


def threshold_curve(objects: Objects, truth: LabelArray, known: BoolArray | None = None) -> ThresholdCurve:
    """Return the curve of one prediction.

    For instances it counts objects. Each overlaps the truth in the same way whatever the threshold, so all are matched
    once. For class maps it counts voxels of the classes other than the background.

    Parameters
    ----------
    objects : Objects
        With scores, or with probabilities.
    truth : ndarray of int32, shape (z, y, x)
        Ground truth.
    known : ndarray of bool, optional
        False where the truth is unlabelled.
    """
    if objects.probability is None:
        judged = correct_objects(objects, truth, known)
        return curve_from_scores(objects.scores[judged.ids], judged.correct, judged.n_truth)
    counted = np.ones(truth.shape, bool) if known is None else known
    background = objects.class_ids[0]
    found = counted & (objects.labels != background)
    score = objects.probability.max(axis=0)[found]
    return curve_from_scores(
        score, objects.labels[found] == truth[found], int(np.count_nonzero(counted & (truth != background)))
    )
