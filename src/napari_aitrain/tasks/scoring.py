"""What is known of each predicted object, a raw score made from it, and which objects are right."""

from __future__ import annotations

import numpy as np

from .maps import border, known_with_ring
from .matching import Overlap
from .protocol import BoolArray, FloatArray, LabelArray

FEATURE_NAMES = (
    "log_size",
    "mean_foreground",
    "margin",
    "seed_height",
    "mean_distance",
    "border_inside",
    "border_contrast",
    "rim_foreground",
    "rim_share",
)
IOUS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)


def object_features(labels: LabelArray, maps: FloatArray) -> FloatArray:
    """Return features of each object from the activated maps of the instances task.

    Parameters
    ----------
    labels : ndarray of int32, 2-D or 3-D
        Ids ``1 … n`` without gaps.
    maps : ndarray of float32, shape (3, ...)
        Foreground, distance and border.

    Returns
    -------
    ndarray of float32, shape (n + 1, len(FEATURE_NAMES))
        Row 0 is 0.
    """
    count = int(labels.max(initial=0)) + 1
    inside = labels > 0
    ids = labels[inside]
    foreground, distance, edge = (m[inside].astype(np.float32) for m in maps)
    rim = border(labels)[inside]

    def mean(values: FloatArray, chosen: BoolArray | None = None) -> FloatArray:
        where = ids if chosen is None else ids[chosen]
        total = np.bincount(where, values if chosen is None else values[chosen], count)
        return (total / np.maximum(np.bincount(where, minlength=count), 1)).astype(np.float32)

    height = np.zeros(count, np.float32)
    np.maximum.at(height, ids, distance)
    size = np.bincount(ids, minlength=count)
    border_inside, border_rim = mean(edge, ~rim), mean(edge, rim)
    table = np.stack(
        [
            np.log1p(size).astype(np.float32),
            mean(foreground),
            mean(np.abs(2 * foreground - 1)),
            height,
            mean(distance),
            border_inside,
            border_rim - border_inside,
            mean(foreground, rim),
            mean(rim.astype(np.float32)),
        ],
        axis=1,
    ).astype(np.float32)
    table[0] = 0
    return table


def raw_scores(features: FloatArray) -> FloatArray:
    """Return a score per object that rises with how sure its voxels are and how clear its middle is.

    It orders objects; only a calibration makes a probability of it.
    """
    column = {name: features[:, number] for number, name in enumerate(FEATURE_NAMES)}
    return np.clip(column["margin"] * np.sqrt(np.clip(column["seed_height"], 0, 1)), 0, 1).astype(np.float32)


def judge(prediction: LabelArray, truth: LabelArray, known: BoolArray) -> tuple[LabelArray, LabelArray, BoolArray]:
    """Reduce a prediction to what sparse ground truth can judge.

    Where some voxels are unlabelled, only predicted objects that meet a painted object or lie mostly on known voxels
    are counted. Painted objects are whole, so what a counted object covers beyond them is wrong, not unknown.

    Returns
    -------
    prediction, truth : ndarray of int32
        0 where there is no counted object.
    known : ndarray of bool
        What to compare.
    """
    painted = np.where(known & (truth > 0), truth, 0).astype(np.int32)
    if known.all():
        return prediction, painted, known
    around = known_with_ring(truth, known, (1.0, 1.0, 1.0), 2)
    size = np.bincount(prediction.ravel())
    on_known = np.bincount(prediction[around], minlength=len(size))
    counted = 2 * on_known > size
    counted[np.unique(prediction[painted > 0])] = True
    counted[0] = False
    shown = np.where(counted[prediction], prediction, 0)
    return shown, painted, around | (shown > 0)


def instance_scores(prediction: LabelArray, truth: LabelArray, known: BoolArray) -> dict[str, float]:
    """Return average precision, F1, panoptic quality and Dice of the foreground of one crop."""
    overlap = Overlap.count(prediction, truth, ~known)
    n_truth, n_prediction = overlap.n_truth, overlap.n_prediction
    precisions = {}
    for iou in IOUS:
        hits = len(overlap.match(iou)[0])
        precisions[iou] = _share(hits, n_truth + n_prediction - hits)
    ious = overlap.match()[2]
    hits = len(ious)
    inside = known & (truth > 0), known & (prediction > 0)
    both = np.count_nonzero(inside[0] & inside[1])
    return {
        "score": float(np.mean(list(precisions.values()))),
        "ap50": precisions[0.5],
        "ap75": precisions[0.75],
        "f1_50": _share(2 * hits, n_truth + n_prediction),
        "pq": _share(2 * float(ious.sum()), n_truth + n_prediction),
        "dice": _share(2 * both, np.count_nonzero(inside[0]) + np.count_nonzero(inside[1])),
        "n_truth": float(n_truth),
        "n_prediction": float(n_prediction),
    }


def _share(part: float, whole: float) -> float:
    """Return the share; 1 where there was nothing to find and nothing was found."""
    return float(part) / whole if whole else 1.0
