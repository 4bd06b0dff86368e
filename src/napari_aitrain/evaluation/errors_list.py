"""Objects that are wrong, and in which way: missed, false, merged, split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import cc3d
import fastremap
import numpy as np
import numpy.typing as npt

from ..geometry import Region, Triple, triple
from ..tasks.matching import IntArray, Overlap
from ..tasks.protocol import BoolArray, FloatArray, LabelArray
from .box_results import ErrorKind

PART = 0.5
"""Which share of an object must lie in another to be a part of it."""


@dataclass(frozen=True)
class Wrong:
    """An object that is wrong.

    Parameters
    ----------
    kind : {'missed', 'false', 'merged', 'split'}
        Missed and split are objects of the truth, false and merged predicted ones.
    identity : int
        Id, in the truth or in the prediction.
    size : int
        Voxels.
    wrong : int
        Voxels that are wrong by it: all of a missed or false object, of others what is not the largest part.
    score : float or None
        Of the predicted object, or of the surest piece; None where nothing was found.
    iou : float
        With what it fits best.
    objects : int
        How many were merged, or into how many it was split.
    """

    kind: ErrorKind
    identity: int
    size: int
    wrong: int
    score: float | None = None
    iou: float = 0.0
    objects: int = 1

    @property
    def in_truth(self) -> bool:
        """Whether `identity` is that of an object of the truth."""
        return self.kind in ("missed", "split")


@dataclass(frozen=True)
class Outcomes:
    """What became of every object of an overlap. All arrays go with its ids of truth or prediction.

    An object of the truth is *split* when several predicted objects lie in it for more than `part` of their voxels; a
    predicted one is *merged* when several of the truth lie in it. Of the others those without a partner (see
    `Overlap.match`) are *missed* and *false*; parts of what is merged or split are neither.

    Parameters
    ----------
    overlap : Overlap
        Of prediction and truth.
    part : float
        As `PART`. Of neurons, which end at the faces of a box, it is less.
    """

    overlap: Overlap
    part: float = PART

    @cached_property
    def _pairs(self) -> tuple[IntArray, IntArray, IntArray]:
        overlap = self.overlap
        real = (overlap.truth_ids[overlap.rows] != 0) & (overlap.prediction_ids[overlap.columns] != 0)
        return overlap.rows[real], overlap.columns[real], overlap.counts[real]

    @cached_property
    def _truth_in_prediction(self) -> BoolArray:
        rows, _, counts = self._pairs
        inside: BoolArray = counts > self.part * self.overlap.truth_sizes[rows]
        return inside

    @cached_property
    def _prediction_in_truth(self) -> BoolArray:
        _, columns, counts = self._pairs
        inside: BoolArray = counts > self.part * self.overlap.prediction_sizes[columns]
        return inside

    @cached_property
    def pieces(self) -> IntArray:
        """Into how many pieces each object of the truth was divided."""
        rows, _, _ = self._pairs
        return np.bincount(rows[self._prediction_in_truth], minlength=len(self.overlap.truth_ids))

    @cached_property
    def members(self) -> IntArray:
        """How many objects of the truth lie in each predicted one."""
        _, columns, _ = self._pairs
        return np.bincount(columns[self._truth_in_prediction], minlength=len(self.overlap.prediction_ids))

    @cached_property
    def split(self) -> BoolArray:
        """Which objects of the truth are split."""
        return self.pieces > 1

    @cached_property
    def merged(self) -> BoolArray:
        """Which predicted objects are merged."""
        return self.members > 1

    @cached_property
    def missed(self) -> BoolArray:
        """Which objects of the truth are missed."""
        rows, columns, _ = self._pairs
        inside = self._truth_in_prediction & self.merged[columns]
        explained = np.isin(np.arange(len(self.split)), rows[inside]) | self.split
        found = np.isin(self.overlap.truth_ids, self.overlap.match()[0])
        missed: BoolArray = (self.overlap.truth_ids != 0) & ~found & ~explained
        return missed

    @cached_property
    def false(self) -> BoolArray:
        """Which predicted objects are false."""
        explained = self.part_of_split | self.merged
        right = np.isin(self.overlap.prediction_ids, self.overlap.match()[1])
        false: BoolArray = (self.overlap.prediction_ids != 0) & ~right & ~explained
        return false

    @cached_property
    def part_of_split(self) -> BoolArray:
        """Which predicted objects are a piece of an object that is split."""
        rows, columns, _ = self._pairs
        inside = self._prediction_in_truth & self.split[rows]
        return np.isin(np.arange(len(self.merged)), columns[inside])

    def wrong(self, scores: FloatArray | None) -> Iterator[Wrong]:
        """Yield what is wrong, in no order.

        Parameters
        ----------
        scores : ndarray of float32, optional
            By id of the predicted object.
        """
        overlap = self.overlap
        truth, found = overlap.truth_ids, overlap.prediction_ids
        rows, columns, counts = self._pairs
        ious = counts / (overlap.truth_sizes[rows] + overlap.prediction_sizes[columns] - counts)
        best_truth, best_found = _largest(rows, ious, len(truth)), _largest(columns, ious, len(found))
        known = np.zeros(len(found), np.float32) if scores is None else scores[found]
        for at in np.flatnonzero(self.missed).tolist():
            size = int(overlap.truth_sizes[at])
            yield Wrong("missed", int(truth[at]), size, size, None, float(best_truth[at]))
        for at in np.flatnonzero(self.false).tolist():
            size, score = int(overlap.prediction_sizes[at]), None if scores is None else float(known[at])
            yield Wrong("false", int(found[at]), size, size, score, float(best_found[at]))
        for at in np.flatnonzero(self.merged).tolist():
            members = counts[(columns == at) & self._truth_in_prediction]
            size, score = int(overlap.prediction_sizes[at]), None if scores is None else float(known[at])
            rest = int(members.sum() - members.max())
            yield Wrong("merged", int(found[at]), size, rest, score, float(best_found[at]), len(members))
        for at in np.flatnonzero(self.split).tolist():
            of_it = (rows == at) & self._prediction_in_truth
            pieces, size = counts[of_it], int(overlap.truth_sizes[at])
            score = None if scores is None else float(known[columns[of_it]].max())
            rest = int(pieces.sum() - pieces.max())
            yield Wrong("split", int(truth[at]), size, rest, score, float(best_truth[at]), len(pieces))


def count_kinds(wrong: Sequence[Wrong]) -> dict[ErrorKind, int]:
    """Return how many objects are wrong, by kind."""
    kinds: tuple[ErrorKind, ...] = ("missed", "false", "merged", "split")
    return {kind: sum(one.kind == kind for one in wrong) for kind in kinds}


@dataclass(frozen=True)
class Found:
    """Where an object lies, in voxels of its array.

    Parameters
    ----------
    voxel : tuple of int
        z, y, x: the voxel of it that is nearest to its middle.
    region : Region
        The box around it.
    """

    voxel: Triple
    region: Region


def find_objects(labels: LabelArray, ids: Sequence[int]) -> dict[int, Found]:
    """Return where objects lie.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        Below 1 where there is no object.
    ids : sequence of int
        Those that are looked for; one that does not occur is left out.
    """
    if not ids:
        return {}
    compact, names = fastremap.renumber(np.maximum(labels, 0), preserve_zero=True, in_place=False)
    boxes = np.asarray(cc3d.statistics(compact.astype(np.uint32), no_slice_conversion=True)["bounding_boxes"], np.int64)
    return {one: _find(compact, int(names[one]), boxes[int(names[one])]) for one in ids if one in names}


def _find(compact: npt.NDArray[np.integer], number: int, box: IntArray) -> Found:
    region = Region(triple(box[0::2].tolist()), triple((box[1::2] + 1).tolist()))
    where = np.argwhere(compact[region.slices] == number)
    voxel = where[((where - where.mean(axis=0)) ** 2).sum(axis=1).argmin()] + region.start
    return Found(triple(voxel.tolist()), region)


def _largest(places: IntArray, values: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.float64]:
    found = np.zeros(count)
    np.maximum.at(found, places, values)
    return found
