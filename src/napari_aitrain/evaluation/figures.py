"""Figures of an evaluation: by role and class, with intervals, and over the threshold; all from the sums of boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from ..annotation.boxes import Role
from ..tasks.confusion import Confusion
from ..tasks.protocol import BoolArray, FloatArray
from ..tasks.voi import THRESHOLDS
from .bootstrap import Interval, intervals
from .box_results import BoxResult, EvaluatedModel, ModelEvaluation
from .calibration import error_of_bins
from .curve import ThresholdCurve
from .neurons import AgreementCurve

_SHOWN = {
    "objects": ("f1_50", "precision", "recall", "ap50", "ap75", "pq", "dice", "iou"),
    "classes": ("iou", "dice", "f1_50", "precision", "recall"),
    "neurons": ("voi", "voi_split", "voi_merge", "arand", "v_rand", "v_info"),
}
_COUNTS = ("n_truth", "n_prediction")
CLOSE_IOU = 0.75
"""From here on an outline fits closely."""


@dataclass(frozen=True)
class Figure:
    """A figure with the interval that it probably lies in, were it measured on other boxes of this kind.

    Parameters
    ----------
    value : float
        Of all boxes together.
    interval : tuple of float, optional
        95 %, by bootstrap over boxes; None of a single box.
    """

    value: float
    interval: Interval | None = None


def kind_of(model: EvaluatedModel) -> str:
    """Return what the figures of a model are of: objects, classes or neurons."""
    if model.agglomerates:
        return "neurons"
    return "objects" if model.instances else "classes"


def headline(model: EvaluatedModel) -> str:
    """Return the name of the one figure that says most: F1, IoU, or the variation of information (0 is best)."""
    return _SHOWN[kind_of(model)][0]


def shown_figures(model: EvaluatedModel) -> tuple[str, ...]:
    """Return the names of the figures that tables show, the one that says most first."""
    return (*_SHOWN[kind_of(model)], *_COUNTS)


def figures(boxes: Sequence[BoxResult], *, with_intervals: bool = True) -> dict[str, Figure]:
    """Return the figures of boxes together; empty without boxes.

    Parameters
    ----------
    boxes : sequence of BoxResult
        Of one role, or those that two evaluations have in common.
    with_intervals : bool
        Whether to find intervals, which takes some tens of milliseconds.
    """
    if boxes and all(box.objects is None for box in boxes):
        # Strokes of classes are no objects.
        return _figures([box.classes.confusion() for box in boxes if box.classes is not None], with_intervals)
    return _figures([box.comparison() for box in boxes], with_intervals)


def class_figures(boxes: Sequence[BoxResult], *, with_intervals: bool = True) -> dict[int, dict[str, Figure]]:
    """Return, for each class but the background, IoU, Dice, precision, recall and voxels in the truth.

    Empty where labels are objects.
    """
    tables = [box.classes.confusion() for box in boxes if box.classes is not None]
    classes = tables[0].classes[1:] if tables else ()
    return {
        identity: _figures([ClassCounts.of(table, identity) for table in tables], with_intervals)
        for identity in classes
    }


@dataclass(frozen=True)
class ClassCounts:
    """Voxels of one class: in truth and prediction, in the truth, in the prediction."""

    both: float
    truth: float
    prediction: float

    @classmethod
    def of(cls, confusion: Confusion, identity: int) -> ClassCounts:
        """Return the voxels of a class."""
        table, channel = confusion.table, confusion.classes.index(identity)
        return cls(float(table[channel, channel]), float(table[channel].sum()), float(table[:, channel].sum()))

    def __add__(self, other: ClassCounts) -> ClassCounts:
        """Return the voxels of both."""
        return ClassCounts(self.both + other.both, self.truth + other.truth, self.prediction + other.prediction)

    def metrics(self) -> dict[str, float]:
        """Return the figures of the class; without a voxel in truth and prediction every share is 1."""
        together = self.truth + self.prediction
        return {
            "iou": self.both / (together - self.both) if together else 1.0,
            "dice": 2 * self.both / together if together else 1.0,
            "precision": self.both / self.prediction if self.prediction else float(not self.truth),
            "recall": self.both / self.truth if self.truth else 1.0,
            "voxels": self.truth,
        }


def _figures(each: Sequence[Any], with_intervals: bool) -> dict[str, Figure]:
    if not each:
        return {}
    ends = intervals(each) if with_intervals else {}
    return {name: Figure(float(value), ends.get(name)) for name, value in reduce(add, each).metrics().items()}


def threshold_curve(evaluation: ModelEvaluation, role: Role) -> ThresholdCurve | None:
    """Return precision, recall and F1 over the threshold; None of neurons, and without boxes of the role."""
    counts = [box.score_counts() for box in evaluation.of_role(role)]
    known = [one for one in counts if one is not None]
    return reduce(add, known).curve() if known else None


def agreement_curve(evaluation: ModelEvaluation, role: Role) -> AgreementCurve | None:
    """Return how well neurons agree with the truth over the threshold; None of other models."""
    each = [box.neurons.agreements() for box in evaluation.of_role(role) if box.neurons is not None]
    if not each or any(len(rows) != len(THRESHOLDS) for rows in each):
        return None
    sums = (reduce(add, column) for column in zip(*each, strict=True))
    thresholds = tuple(round(float(t), 4) for t in THRESHOLDS)
    return AgreementCurve(evaluation.model.threshold, thresholds, tuple(one.metrics() for one in sums))


def best_threshold(evaluation: ModelEvaluation) -> float | None:
    """Return the threshold that serves validation best; None without it, since test boxes must not choose one."""
    agreement = agreement_curve(evaluation, "validation")
    curve = threshold_curve(evaluation, "validation")
    found = agreement or curve
    return None if found is None else found.best


@dataclass(frozen=True)
class Trust:
    """How far scores of objects can be trusted.

    Parameters
    ----------
    bins : list of (float, float, int)
        Mean score, share of right objects and number of objects, see `calibration_bins`.
    error : float
        Expected calibration error: 0 is best.
    auroc, auroc_close : float or None
        How well the score tells right objects from wrong ones, 0.5 by chance and 1 at best; right is an IoU of at
        least 0.5, or of `CLOSE_IOU`. None where there are none of a kind, and of voxels.
    """

    bins: list[tuple[float, float, int]]
    error: float
    auroc: float | None
    auroc_close: float | None


def trust(evaluation: ModelEvaluation, role: Role) -> Trust | None:
    """Return how far scores can be trusted in boxes of a role; None where there are no scores."""
    counts = [box.score_counts() for box in evaluation.of_role(role)]
    known = [one for one in counts if one is not None]
    if not known:
        return None
    bins = reduce(add, known).bins()
    scores, ious = evaluation.scores_of(role)
    return Trust(bins, error_of_bins(bins), auroc(scores, ious > 0), auroc(scores, ious >= CLOSE_IOU))


def auroc(scores: FloatArray, right: BoolArray) -> float | None:
    """Return the probability that a right object has a higher score than a wrong one; ties count half.

    Examples
    --------
    >>> auroc(np.array([0.9, 0.8, 0.3], np.float32), np.array([True, False, False]))
    1.0
    """
    wrong = np.sort(scores[~right])
    if not len(wrong) or not right.any():
        return None
    lower, not_higher = (np.searchsorted(wrong, scores[right], side=side) for side in ("left", "right"))
    return float((lower + not_higher).mean() / (2 * len(wrong)))


def common_boxes(evaluations: Sequence[ModelEvaluation], role: Role | None = None) -> list[list[BoxResult]]:
    """Return the boxes that all evaluations have, in the same order for each; of one role, or of any."""
    tables = [{box.place: box for box in one.boxes if role in (None, box.role)} for one in evaluations]
    shared = [place for place in tables[0] if all(place in table for table in tables)] if tables else []
    return [[table[place] for place in shared] for table in tables]
