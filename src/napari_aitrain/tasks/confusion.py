"""Voxels per class of the truth and class of the prediction, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .matching import AnyLabels, IntArray, Overlap
from .protocol import BoolArray


@dataclass(frozen=True)
class Confusion:
    """Voxels per class of the truth and class of the prediction.

    Parameters
    ----------
    classes : tuple of int
        Ids of the classes, background first.
    table : ndarray of int64, shape (c, c)
        Rows are the truth, columns the prediction.
    """

    classes: tuple[int, ...]
    table: IntArray

    @classmethod
    def count(
        cls, prediction: AnyLabels, truth: AnyLabels, classes: Sequence[int], ignore: BoolArray | None = None
    ) -> Confusion:
        """Count two arrays of one shape, without voxels where `ignore` is True or the truth has no listed class.

        A predicted id that is no listed class counts as background.
        """
        overlap = Overlap.count(prediction, truth, ignore)
        channel = {identity: number for number, identity in enumerate(classes)}
        table = np.zeros((len(classes), len(classes)), np.int64)
        for t, p, n in zip(
            overlap.truth_ids[overlap.rows], overlap.prediction_ids[overlap.columns], overlap.counts, strict=True
        ):
            if int(t) in channel:
                table[channel[int(t)], channel.get(int(p), 0)] += n
        return cls(tuple(int(c) for c in classes), table)

    def __add__(self, other: Confusion) -> Confusion:
        """Return the counts of both; they must have the same classes."""
        return Confusion(self.classes, self.table + other.table)

    def metrics(self) -> dict[str, float]:
        """Return ``dice_ID`` and ``iou_ID`` per class, and ``dice`` and ``iou``, their mean over the foreground.

        A class that is in neither truth nor prediction has no figure and is left out of the mean; with none left the
        mean is 1, as nothing is wrong.
        """
        metrics: dict[str, float] = {}
        for number, identity in enumerate(self.classes):
            both = int(self.table[number, number])
            total = int(self.table[number].sum() + self.table[:, number].sum())
            if total:
                metrics[f"dice_{identity}"] = 2 * both / total
                metrics[f"iou_{identity}"] = both / (total - both)
        for name in ("iou", "dice"):
            each = [metrics[f"{name}_{c}"] for c in self.classes[1:] if f"{name}_{c}" in metrics]
            metrics = {name: float(np.mean(each)) if each else 1.0, **metrics}
        return metrics
