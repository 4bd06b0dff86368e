"""Compare the prediction of a box with its ground truth: sums, scores, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..geometry import Triple, to_finest
from ..tasks.confusion import Confusion
from ..tasks.maps import unique_over_slices
from ..tasks.matching import Overlap
from ..tasks.protocol import BoolArray, FloatArray, LabelArray, Objects
from ..tasks.scoring import judge
from ..tasks.tally import InstanceTally
from ..tasks.threshold import apply_threshold
from ..tasks.tree_scores import sum_agreements
from .box_results import ObjectError
from .curve import ScoreCounts
from .errors_list import Found, Outcomes, Wrong, count_kinds, find_objects
from .metrics import pieces_of_classes
from .sums import ClassSums, NeuronSums, ObjectSums, ScoreSums

NEURON_PART = 0.1
"""Neurons end at the faces of a box, and a split one is merged in parts: less of it tells."""
MOST_ERRORS = 500
"""Of a box; the worst are kept."""


@dataclass(frozen=True)
class JudgedBox:
    """What a box gave.

    Parameters
    ----------
    shown : ndarray of int32, shape (z, y, x)
        The prediction at the threshold.
    truth : ndarray of int32, shape (z, y, x)
        Ground truth, −1 where unlabelled; of slices with ids of their own in each.
    sums : dict
        What `BoxResult` keeps: objects, classes, neurons, scores, ious, n_truth, voxel_scores, mistakes.
    wrong : list of Wrong
        The worst first.
    places : dict
        Where each of these lies, by its place in the list; one that cannot be found is missing.
    class_ids : dict
        Of those that have a class, by their place in the list.
    """

    shown: LabelArray
    truth: LabelArray
    sums: dict[str, Any]
    wrong: list[Wrong] = field(default_factory=list)
    places: Mapping[int, Found] = field(default_factory=dict)
    class_ids: Mapping[int, int] = field(default_factory=dict)

    def errors(self, number: int, start: Triple, magnification: Triple) -> list[ObjectError]:
        """Return what is wrong, in voxels of the image.

        Parameters
        ----------
        number : int
            Of the box.
        start : tuple of int
            First voxel of the box, in voxels of the prediction.
        magnification : tuple of int
            Of the prediction.
        """
        errors = []
        for at, one in enumerate(self.wrong):
            if at not in self.places:
                continue
            found = self.places[at]
            region = to_finest(found.region.shift(start), magnification)
            z, y, x = ((v + a + 0.5) * m - 0.5 for v, a, m in zip(found.voxel, start, magnification, strict=True))
            errors.append(
                ObjectError(
                    kind=one.kind,
                    box=number,
                    centre=(z, y, x),
                    start=region.start,
                    stop=region.stop,
                    size=one.size,
                    wrong=one.wrong,
                    score=one.score,
                    iou=round(one.iou, 4),
                    objects=one.objects,
                    class_id=self.class_ids.get(at),
                )
            )
        return errors


def judge_box(objects: Objects, truth: LabelArray, threshold: float) -> JudgedBox:
    """Compare a prediction with ground truth.

    Parameters
    ----------
    objects : Objects
        With scores, or probabilities, or a merge tree.
    truth : ndarray of int32, shape (z, y, x)
        −1 is unlabelled; 0 background of objects.
    threshold : float
        What is shown.
    """
    if objects.merges is not None:
        return _judge_neurons(objects, truth, threshold)
    if objects.probability is not None:
        return _judge_classes(objects, truth, threshold)
    return _judge_objects(objects, truth, threshold)


def _judge_objects(objects: Objects, truth: LabelArray, threshold: float) -> JudgedBox:
    if objects.extra.get("dims") == 2:
        truth = unique_over_slices(truth)
    prediction, painted, counted = judge(objects.labels, truth, truth >= 0)
    overlap = Overlap.count(prediction, painted, ~counted)
    ids = overlap.prediction_ids[overlap.prediction_ids > 0]
    _, partners, ious = overlap.match()
    fit = np.zeros(len(objects.scores), np.float64)
    fit[partners] = ious
    kept = overlap.keeping(ids[objects.scores[ids] >= threshold])
    wrong = _worst(list(Outcomes(kept).wrong(objects.scores)))
    sums = {
        "objects": ObjectSums.of(InstanceTally.of(kept)),
        "scores": tuple(np.round(objects.scores[ids].astype(float), 5).tolist()),
        "ious": tuple(np.round(fit[ids], 4).tolist()),
        "n_truth": overlap.n_truth,
        "mistakes": count_kinds(wrong),
    }
    wrong = wrong[:MOST_ERRORS]
    shown = apply_threshold(objects, threshold)
    return JudgedBox(shown, truth, sums, wrong, _places(wrong, prediction, painted))


def _judge_neurons(objects: Objects, truth: LabelArray, threshold: float) -> JudgedBox:
    if objects.extra.get("dims") == 2:
        truth = unique_over_slices(truth)
    known = truth >= 0
    shown = apply_threshold(objects, threshold)
    segments = replace(objects, labels=shown, merges=None)
    locked = sum_agreements([(segments, truth, known)])[0]
    # Objects of the truth alone say where segments are right.
    overlap = Overlap.count(shown, truth, truth <= 0)
    wrong = _worst(list(Outcomes(overlap, NEURON_PART).wrong(None)))
    sums = {
        "objects": ObjectSums.of(InstanceTally.of(overlap)),
        "neurons": NeuronSums.of(locked, sum_agreements([(objects, truth, known)])),
        "n_truth": overlap.n_truth,
        "mistakes": count_kinds(wrong),
    }
    wrong = wrong[:MOST_ERRORS]
    return JudgedBox(shown, truth, sums, wrong, _places(wrong, np.where(truth > 0, shown, 0), truth))


def _judge_classes(objects: Objects, truth: LabelArray, threshold: float) -> JudgedBox:
    assert objects.probability is not None
    shown, known, background = apply_threshold(objects, threshold), truth >= 0, objects.class_ids[0]
    sums: dict[str, Any] = {
        "classes": ClassSums.of(Confusion.count(shown, truth, objects.class_ids, ~known)),
        "voxel_scores": ScoreSums.of(_voxel_counts(objects, truth, known)),
    }
    if not known.all():
        # Strokes are no whole objects.
        return JudgedBox(shown, truth, sums)
    found, true = pieces_of_classes(shown, background), pieces_of_classes(truth, background)
    overlap = Overlap.count(found, true)
    wrong = _worst(list(Outcomes(overlap).wrong(None)))
    sums |= {
        "objects": ObjectSums.of(InstanceTally.of(overlap)),
        "n_truth": overlap.n_truth,
        "mistakes": count_kinds(wrong),
    }
    wrong = wrong[:MOST_ERRORS]
    places = _places(wrong, found, true)
    classes = {at: int((truth if wrong[at].in_truth else shown)[place.voxel]) for at, place in places.items()}
    return JudgedBox(shown, truth, sums, wrong, places, classes)


def _voxel_counts(objects: Objects, truth: LabelArray, known: BoolArray) -> ScoreCounts:
    assert objects.probability is not None
    background = objects.class_ids[0]
    found = known & (objects.labels != background)
    score: FloatArray = objects.probability.max(axis=0)[found]
    wanted = int(np.count_nonzero(known & (truth != background)))
    return ScoreCounts.of(score, objects.labels[found] == truth[found], wanted)


def _worst(wrong: Sequence[Wrong]) -> list[Wrong]:
    return sorted(wrong, key=lambda one: (-one.wrong, one.kind, one.identity))


def _places(wrong: Sequence[Wrong], prediction: LabelArray, truth: LabelArray) -> dict[int, Found]:
    in_truth = find_objects(truth, [one.identity for one in wrong if one.in_truth])
    in_prediction = find_objects(prediction, [one.identity for one in wrong if not one.in_truth])
    found = ((in_truth if one.in_truth else in_prediction).get(one.identity) for one in wrong)
    return {at: place for at, place in enumerate(found) if place is not None}
