"""Compare two label arrays, and guess what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cc3d
import fastremap
import numpy as np

from ..tasks.confusion import Confusion
from ..tasks.maps import unique_over_slices
from ..tasks.protocol import BoolArray, LabelArray
from ..tasks.scoring import judge
from ..tasks.tally import InstanceTally
from ..tasks.voi import Agreement
from .metrics import pieces_of_classes

_MOST_CLASSES = 32
_PIECES_PER_CLASS = 3


@dataclass(frozen=True)
class Comparison:
    """Counts of one or more images, that add up.

    Parameters
    ----------
    tally : InstanceTally
        Of objects, or of connected pieces of classes.
    confusion : Confusion, optional
        Of classes.
    agreement : Agreement, optional
        Of neurons.
    """

    tally: InstanceTally
    confusion: Confusion | None = None
    agreement: Agreement | None = None

    def __add__(self, other: Comparison) -> Comparison:
        """Return the counts of both."""
        return Comparison(
            self.tally + other.tally,
            _sum(self.confusion, other.confusion),
            _sum(self.agreement, other.agreement),
        )

    def metrics(self) -> dict[str, float]:
        """Return all metrics; Dice and IoU are those of the classes where there are classes."""
        counts = (self.tally, self.confusion, self.agreement)
        return {name: value for each in counts if each is not None for name, value in each.metrics().items()}


def _sum(one: Any, other: Any) -> Any:
    return None if one is None or other is None else one + other


def compare_instances(prediction: LabelArray, truth: LabelArray, known: BoolArray, dims: int) -> Comparison:
    """Compare objects; with ``dims == 2`` an object of the truth is another one in each slice."""
    if dims == 2:
        truth = unique_over_slices(truth)
    prediction, truth, known = judge(prediction, truth, known)
    return Comparison(InstanceTally.count(prediction, truth, ~known))


def compare_semantic(prediction: LabelArray, truth: LabelArray, known: BoolArray, classes: Sequence[int]) -> Comparison:
    """Compare classes voxel by voxel, and their connected pieces as objects."""
    background = int(classes[0])
    tally = InstanceTally.count(pieces_of_classes(prediction, background), pieces_of_classes(truth, background), ~known)
    return Comparison(tally, Confusion.count(prediction, truth, classes, ~known))


def guess_task(truths: Sequence[LabelArray]) -> tuple[str, str]:
    """Guess what ground truth is, and say why.

    Classes have few ids that each occur in many places; an object has an id of its own.

    Returns
    -------
    task : {'instances', 'semantic'}
    reason : str
        A sentence.
    """
    ids: set[int] = set()
    pieces = 0
    counted = 0
    for truth in truths:
        here = fastremap.unique(truth)
        here = here[here > 0]
        ids.update(here.tolist())
        counted += len(here)
        pieces += int(cc3d.connected_components(np.maximum(truth, 0), connectivity=26, return_N=True)[1])
    classes = 0 < len(ids) <= _MOST_CLASSES and pieces >= _PIECES_PER_CLASS * counted
    if classes or ids == {255}:
        return "semantic", f"Taken for classes: {len(ids)} ids in {pieces} separate places."
    return "instances", f"Taken for objects: {counted} ids in {pieces} separate places."


def guess_dims(predictions: Sequence[LabelArray]) -> tuple[int, str]:
    """Return 2 where no object of a stack reaches into a second slice, else 3; and a sentence where it matters."""
    stacks = [p for p in predictions if p.shape[0] > 1]
    objects = slices = 0
    for prediction in stacks:
        objects += int(np.count_nonzero(fastremap.unique(prediction)))
        slices += sum(int(np.count_nonzero(fastremap.unique(plane))) for plane in prediction)
    if objects and objects == slices and any(np.count_nonzero(p.any(axis=(1, 2))) > 1 for p in stacks):
        return 2, "Every object lies in one slice, so slices are compared one by one."
    return 3, ""
