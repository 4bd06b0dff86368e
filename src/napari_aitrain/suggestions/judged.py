"""How wrong a prediction was at a place that a person has labelled since."""

from __future__ import annotations

import numpy as np

from ..tasks.matching import Overlap
from ..tasks.protocol import BoolArray, LabelArray


def error_at(prediction: LabelArray, truth: LabelArray, known: BoolArray, instances: bool) -> float:
    """Return the share of labelled voxels that the prediction has wrong.

    Of classes these are voxels of another class. Of objects, all foreground voxels that are not in the intersection of
    an object of the truth and its partner, which overlaps it by an intersection over union of at least one half: missed
    and false objects count whole, merged and split ones as far as they have no partner.

    Parameters
    ----------
    prediction, truth : ndarray of int32, shape (z, y, x)
        As they are shown; 0 is background.
    known : ndarray of bool
        Where the truth is labelled.
    instances : bool
        Whether labels are ids of objects.

    Returns
    -------
    float
        0 … 1; 0 where nothing is labelled.
    """
    prediction, truth = prediction[known], truth[known]
    if not truth.size:
        return 0.0
    if not instances:
        return float(np.count_nonzero(prediction != truth) / truth.size)
    overlap = Overlap.count(prediction, truth)
    pairs = dict(zip(*(ids.tolist() for ids in overlap.match()[:2]), strict=True))
    rows, columns = overlap.truth_ids[overlap.rows], overlap.prediction_ids[overlap.columns]
    right = np.array([a == b == 0 or (a != 0 and pairs.get(a) == b) for a, b in zip(rows, columns, strict=True)], bool)
    return float(overlap.counts[~right].sum() / truth.size)
