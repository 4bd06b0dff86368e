"""What became of each object of a box, voxel by voxel, to be shown in colours."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..tasks.matching import Overlap
from ..tasks.protocol import LabelArray
from ..tasks.scoring import judge
from .box_judge import NEURON_PART
from .errors_list import PART, Outcomes

OUTCOMES = ("right", "false", "merged", "split", "missed")
"""Codes 1 … 5 of `outcome_map`; 0 is background, and what the truth cannot judge."""
COLOURS = {
    "right": (0, 158, 115),
    "false": (213, 94, 0),
    "merged": (204, 121, 167),
    "split": (240, 228, 66),
    "missed": (86, 180, 233),
}
"""Red, green, blue; those of Okabe and Ito, which people tell apart who see few colours."""
MEANINGS = {
    "right": "found, with an overlap of at least half",
    "false": "predicted, but not in the ground truth, or of quite another shape",
    "merged": "one predicted object for several of the ground truth",
    "split": "several predicted objects for one of the ground truth",
    "missed": "in the ground truth, but not found",
}
Kind = Literal["objects", "classes", "neurons"]
_CODE = {name: number for number, name in enumerate(OUTCOMES, start=1)}


def outcome_map(
    labels: npt.NDArray[np.integer[Any]], truth: npt.NDArray[np.integer[Any]], kind: str, background: int = 0
) -> npt.NDArray[np.uint8]:
    """Return what each voxel is part of, as the place of a word in `OUTCOMES`, from 1.

    Parameters
    ----------
    labels, truth : ndarray of int, shape (z, y, x)
        As they are kept of a box; −1 in the truth is unlabelled.
    kind : {'objects', 'classes', 'neurons'}
        What labels are. Of classes voxels are told apart, and *merged* is one that was taken for another class.
    background : int
        Id of the class that is no object.
    """
    found, true = np.asarray(labels, np.int32), np.asarray(truth, np.int32)
    if kind == "classes":
        return _of_classes(found, true, background)
    if kind == "neurons":
        overlap, shown = Overlap.count(found, true, true <= 0), np.where(true > 0, found, 0)
        return _of_objects(Outcomes(overlap, NEURON_PART), shown, true)
    shown, painted, counted = judge(found, true, true >= 0)
    return _of_objects(Outcomes(Overlap.count(shown, painted, ~counted), PART), shown, painted)


def _of_classes(found: LabelArray, true: LabelArray, background: int) -> npt.NDArray[np.uint8]:
    codes = np.zeros(found.shape, np.uint8)
    wanted, there = true != background, found != background
    codes[wanted & there & (found == true)] = _CODE["right"]
    codes[wanted & there & (found != true)] = _CODE["merged"]
    codes[there & ~wanted] = _CODE["false"]
    codes[wanted & ~there] = _CODE["missed"]
    codes[true < 0] = 0
    return codes


def _of_objects(outcomes: Outcomes, shown: LabelArray, truth: LabelArray) -> npt.NDArray[np.uint8]:
    overlap = outcomes.overlap
    by_found = np.zeros(int(shown.max(initial=0)) + 1, np.uint8)
    codes = np.full(len(overlap.prediction_ids), _CODE["right"], np.uint8)
    codes[outcomes.false] = _CODE["false"]
    codes[outcomes.part_of_split] = _CODE["split"]
    codes[outcomes.merged] = _CODE["merged"]
    codes[overlap.prediction_ids == 0] = 0
    by_found[overlap.prediction_ids] = codes
    result = by_found[shown]
    lost = overlap.truth_ids[outcomes.missed]
    if len(lost):
        result[(result == 0) & np.isin(truth, lost)] = _CODE["missed"]
    return result
