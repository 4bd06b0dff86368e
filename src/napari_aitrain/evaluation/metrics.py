"""Metrics of one prediction against one ground truth."""

from __future__ import annotations

from collections.abc import Sequence

import cc3d
import numpy as np

from ..errors import GroundTruthError
from ..tasks.confusion import Confusion
from ..tasks.matching import AnyLabels
from ..tasks.protocol import BoolArray, LabelArray
from ..tasks.tally import InstanceTally


def instance_metrics(prediction: AnyLabels, truth: AnyLabels, ignore: BoolArray | None = None) -> dict[str, float]:
    """Compare objects; ids need not agree.

    Parameters
    ----------
    prediction, truth : ndarray of integer
        Labels of one shape; 0 is background.
    ignore : ndarray of bool, optional
        Voxels that do not count, as if they were not there.

    Returns
    -------
    dict of float
        ``ap50`` … ``ap90``
            Average precision TP / (TP + FP + FN) at IoU 0.50 … 0.90, as in Cellpose and StarDist; ``ap_mean`` is
            their mean over 0.50, 0.55 … 0.90.
        ``f1_50`` … ``f1_90``, ``precision``, ``recall``
            2 TP / (2 TP + FP + FN); precision and recall at IoU 0.5.
        ``pq``, ``sq``, ``rq``
            Panoptic quality at IoU 0.5 and its factors (Kirillov et al. 2019): ``pq = sq · rq``.
        ``dice``, ``iou``
            Of the foreground, whichever object its voxels belong to.
        ``arand``
            Adapted Rand *error* (0 is perfect) of Arganda-Carreras et al. 2015. As in SNEMI3D, voxels where the truth
            is background do not count; predicted background on an object of the truth counts as one more segment.
        ``voi_split``, ``voi_merge``
            Variation of information in bits (0 is perfect; Meilă 2007), on the same voxels as ``arand``:
            H(prediction | truth), which grows when objects are split, and H(truth | prediction), when merged.
        ``n_truth``, ``n_prediction``
            Number of objects.

    Where there is nothing to find and nothing was found, every share is 1.

    Raises
    ------
    GroundTruthError
        If the shapes differ.
    """
    check_shapes(prediction, truth)
    return InstanceTally.count(prediction, truth, ignore).metrics()


def semantic_metrics(
    prediction: AnyLabels,
    truth: AnyLabels,
    classes: Sequence[int] | None = None,
    ignore: BoolArray | None = None,
) -> dict[str, float]:
    """Compare classes voxel by voxel.

    Parameters
    ----------
    prediction, truth : ndarray of integer
        Class ids of one shape.
    classes : sequence of int, optional
        Ids of the classes, background first; by default those of both arrays in ascending order.
    ignore : ndarray of bool, optional
        Voxels that do not count.

    Returns
    -------
    dict of float
        ``dice_ID`` and ``iou_ID`` per class that occurs; ``dice`` and ``iou``, their mean over the classes other than
        the background.

    Raises
    ------
    GroundTruthError
        If the shapes differ.
    """
    check_shapes(prediction, truth)
    if classes is None:
        classes = np.union1d(np.unique(truth), np.unique(prediction)).tolist()
    return Confusion.count(prediction, truth, classes, ignore).metrics()


def pieces_of_classes(labels: AnyLabels, background: int) -> LabelArray:
    """Return the connected pieces of each class but the background as objects; voxels connect by faces."""
    # cc3d takes 0 for background, and a class may have the id 0.
    shifted = np.where(labels == background, 0, labels.astype(np.int64) + 1)
    pieces: LabelArray = cc3d.connected_components(shifted, connectivity=6).astype(np.int32)
    return pieces


def check_shapes(prediction: AnyLabels, truth: AnyLabels, name: str = "the prediction") -> None:
    """Raise `GroundTruthError` where the two cannot be compared."""
    if prediction.shape != truth.shape:
        raise GroundTruthError(
            f"{name} has shape {prediction.shape} and its ground truth {truth.shape}",
            "the same shape in z, y, x",
            "compare a prediction with the ground truth of the same image at the same magnification",
        )
