"""What is known of each predicted object, a raw score made from it, and which objects are right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .maps import as_shares, known_with_ring, unique_over_slices
from .matching import IntArray, Overlap
from .protocol import BoolArray, FloatArray, LabelArray, MapArray, Objects
from .voxel_list import VoxelList

FEATURE_NAMES = (
    "raw",
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


def object_features(
    labels: LabelArray, maps: MapArray, voxel: float = 1.0, voxels: VoxelList | None = None
) -> FloatArray:
    """Return features of each object from the activated maps of the instances task.

    Parameters
    ----------
    labels : ndarray of int32, 2-D or 3-D
        Ids ``1 … n`` without gaps.
    maps : ndarray of float32 or uint8, shape (3, ...)
        Foreground, distance and border; bytes are 255 for 1.
    voxel : float
        What a voxel counts in the size.
    voxels : VoxelList, optional
        Those of all objects, if they are listed.

    Returns
    -------
    ndarray of float32, shape (n + 1, len(FEATURE_NAMES))
        Row 0 is 0.
    """
    count = int(labels.max(initial=0)) + 1
    voxels = VoxelList.of(labels > 0) if voxels is None else voxels
    ids = voxels.take(labels)
    foreground, distance, edge = (as_shares(voxels.take(m)) for m in maps)
    rim = voxels.rim(ids)

    def mean(values: FloatArray, chosen: BoolArray | None = None) -> FloatArray:
        where = ids if chosen is None else ids[chosen]
        total = np.bincount(where, values if chosen is None else values[chosen], count)
        return (total / np.maximum(np.bincount(where, minlength=count), 1)).astype(np.float32)

    height = np.zeros(count, np.float32)
    np.maximum.at(height, ids, distance)
    size = np.bincount(ids, minlength=count)
    border_inside, border_rim = mean(edge, ~rim), mean(edge, rim)
    margin = mean(np.abs(2 * foreground - 1))
    table = np.stack(
        [
            raw_score(margin, height),
            np.log1p(size * voxel).astype(np.float32),
            mean(foreground),
            margin,
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


def raw_score(margin: FloatArray, seed_height: FloatArray) -> FloatArray:
    """Return a score that rises with how sure an object's voxels are and how clear its middle is.

    It orders objects; only a calibration makes a probability of it.
    """
    return np.clip(margin * np.sqrt(np.clip(seed_height, 0, 1)), 0, 1).astype(np.float32)


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


@dataclass(frozen=True)
class Judged:
    """Which of the objects that ground truth can judge are right.

    Parameters
    ----------
    ids : ndarray of int64, shape (n,)
        Ids of the judged objects, ascending.
    correct : ndarray of bool, shape (n,)
        Whether each is the partner of an object of the truth at an IoU of at least `CORRECT_IOU`.
    n_truth : int
        Objects in the truth.
    """

    ids: IntArray
    correct: BoolArray
    n_truth: int


def correct_objects(objects: Objects, truth: LabelArray, known: BoolArray | None = None) -> Judged:
    """Return which objects are right; `known` is False where the truth is unlabelled."""
    known = np.ones(truth.shape, bool) if known is None else known
    if objects.extra.get("dims") == 2:
        truth = unique_over_slices(truth)
    prediction, truth, known = judge(objects.labels, truth, known)
    overlap = Overlap.count(prediction, truth, ~known)
    ids = overlap.prediction_ids[overlap.prediction_ids > 0]
    return Judged(ids, np.isin(ids, overlap.match()[1]), overlap.n_truth)
