"""Sums of one box as plain numbers, to be kept in a file; those of several boxes add up."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from ..tasks.confusion import Confusion
from ..tasks.tally import InstanceTally
from ..tasks.voi import Agreement
from .curve import ScoreCounts

Three = tuple[float, float, float]


class Part(BaseModel):
    """A part of a file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ObjectSums(Part):
    """An `InstanceTally` as plain numbers; see there."""

    n_truth: int
    n_prediction: int
    hits: tuple[int, ...]
    iou_sum: float
    foreground: tuple[int, int, int]
    voxels: int
    squares: Three
    entropies: Three

    @classmethod
    def of(cls, tally: InstanceTally) -> ObjectSums:
        """Return the numbers of a tally."""
        return cls.model_validate({name: np.asarray(value).tolist() for name, value in vars(tally).items()})

    def tally(self) -> InstanceTally:
        """Return the tally."""
        return InstanceTally(
            n_truth=self.n_truth,
            n_prediction=self.n_prediction,
            hits=np.asarray(self.hits, np.int64),
            iou_sum=self.iou_sum,
            foreground=np.asarray(self.foreground, np.int64),
            voxels=self.voxels,
            squares=np.asarray(self.squares),
            entropies=np.asarray(self.entropies),
        )


class ClassSums(Part):
    """A `Confusion` as plain numbers: rows are classes of the truth, columns those of the prediction."""

    classes: tuple[int, ...]
    table: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, confusion: Confusion) -> ClassSums:
        """Return the numbers of a confusion."""
        return cls.model_validate({"classes": confusion.classes, "table": confusion.table.tolist()})

    def confusion(self) -> Confusion:
        """Return the confusion."""
        return Confusion(self.classes, np.asarray(self.table, np.int64))


class NeuronSums(Part):
    """An `Agreement` at the locked threshold, and at each of `tasks.voi.THRESHOLDS` where there is a merge tree.

    Each is a row of seven numbers: voxels, three squares, three logs.
    """

    locked: tuple[float, ...]
    curve: tuple[tuple[float, ...], ...] = ()

    @classmethod
    def of(cls, locked: Agreement, curve: list[Agreement]) -> NeuronSums:
        """Return the numbers of agreements."""
        return cls(locked=_row(locked), curve=tuple(map(_row, curve)))

    def agreement(self) -> Agreement:
        """Return the agreement at the locked threshold."""
        return _agreement(self.locked)

    def agreements(self) -> list[Agreement]:
        """Return the agreement at each threshold."""
        return list(map(_agreement, self.curve))


def _row(agreement: Agreement) -> tuple[float, ...]:
    return (agreement.voxels, *agreement.squares.tolist(), *agreement.logs.tolist())


def _agreement(row: tuple[float, ...]) -> Agreement:
    return Agreement(row[0], np.asarray(row[1:4]), np.asarray(row[4:7]))


class ScoreSums(Part):
    """`ScoreCounts` as plain numbers."""

    n_truth: int
    count: tuple[int, ...]
    right: tuple[int, ...]
    total: tuple[float, ...]

    @classmethod
    def of(cls, counts: ScoreCounts) -> ScoreSums:
        """Return the numbers of counts."""
        return cls.model_validate({name: np.asarray(value).tolist() for name, value in vars(counts).items()})

    def counts(self) -> ScoreCounts:
        """Return the counts."""
        return ScoreCounts(self.n_truth, *(np.asarray(row, float) for row in (self.count, self.right, self.total)))
