"""A threshold is a view: a look-up table over scored objects, never the network again."""

from __future__ import annotations

import numpy as np

from .protocol import FloatArray, LabelArray, Objects


def apply_threshold(objects: Objects, threshold: float) -> LabelArray:
    """Return the labels that are left at a threshold.

    Parameters
    ----------
    objects : Objects
        What a task's ``decode`` made.
    threshold : float
        0 … 1. Objects with a lower score become background, the others keep their ids. In class maps a voxel
        whose class is less probable takes the first class, which is the background. Fragments with a merge tree are
        joined where a merge has at least this score.

    Returns
    -------
    ndarray of int32, shape (z, y, x)
        A new array.

    Examples
    --------
    >>> labels = np.array([[[0, 1, 2]]], np.int32)
    >>> scores = np.array([0, 0.9, 0.3], np.float32)
    >>> apply_threshold(Objects(labels, scores, np.zeros((3, 0), np.float32)), 0.5).tolist()
    [[[0, 1, 0]]]
    """
    if objects.merges is not None:
        return objects.merges.segments(threshold)[objects.labels]
    if objects.probability is None:
        return kept_ids(objects.scores, threshold)[objects.labels]
    background = np.int32(objects.class_ids[0])
    unsure = objects.probability.max(axis=0) < threshold
    return np.where(unsure, background, objects.labels)


def kept_ids(scores: FloatArray, threshold: float) -> LabelArray:
    """Return the look-up table of `apply_threshold`: per object id the id itself, or 0 if its score is lower."""
    ids = np.arange(len(scores), dtype=np.int32)
    return np.where(scores >= threshold, ids, np.int32(0)).astype(np.int32)
