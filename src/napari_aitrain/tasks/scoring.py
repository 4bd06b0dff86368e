"""What is known of each predicted object, a raw score made from it, and which objects are right."""

from __future__ import annotations

import numpy as np

from .maps import border, known_with_ring
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
