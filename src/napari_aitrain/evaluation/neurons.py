"""How well neurons agree with ground truth, at the locked threshold and over all of them.

Definitions are those of `tasks.voi`. Volumes are compared as a whole. Where a stack was segmented slice by slice, every
slice is measured on its own and the mean over slices is taken, as in the ISBI 2012 challenge (Arganda-Carreras et al.
2015, doi:10.3389/fnana.2015.00142).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..geometry import Triple
from ..tasks.maps import connected_pieces, split_by_slice
from ..tasks.merge_tree import MergeTree
from ..tasks.protocol import BoolArray, LabelArray
from ..tasks.voi import THRESHOLDS, Contingency

LOWER_IS_BETTER = ("voi_split", "voi_merge", "voi", "arand")
FIGURES = (*LOWER_IS_BETTER, "v_rand", "v_info")


@dataclass(frozen=True)
class NeuronTables:
    """Fragments and truth of one image, as tables of shared voxels.

    Parameters
    ----------
    tables : tuple of Contingency
        One, or one per slice that has an object in the truth.
    merges : MergeTree, optional
        None where the fragments are final.
    """

    tables: tuple[Contingency, ...]
    merges: MergeTree | None = None

    @classmethod
    def count(
        cls, fragments: LabelArray, truth: LabelArray, known: BoolArray, dims: int, merges: MergeTree | None = None
    ) -> NeuronTables:
        """Count an image; with ``dims == 2`` slice by slice."""
        parts = (Contingency.count(fragments[i], part, known[i]) for i, part in split_by_slice(truth, dims))
        return cls(tuple(table for table in parts if len(table.counts)), merges)

    def at(self, threshold: float | None) -> list[dict[str, float]]:
        """Return the metrics of each table at a threshold; None takes the fragments as they are."""
        segments = None if threshold is None or self.merges is None else self.merges.segments(threshold)
        return [{**table.agreement(segments).metrics(), **_numbers(table, segments)} for table in self.tables]


@dataclass(frozen=True)
class AgreementCurve:
    """Metrics over the threshold.

    Parameters
    ----------
    locked : float
        The model's own threshold.
    thresholds : tuple of float
        Ascending.
    rows : tuple of dict of float
        ``voi_split``, ``voi_merge``, ``voi``, ``arand``, ``v_rand`` and ``v_info`` at each threshold.
    """

    locked: float
    thresholds: tuple[float, ...]
    rows: tuple[dict[str, float], ...]

    @property
    def best(self) -> float:
        """The threshold of the least variation of information; the middle one of equally good ones."""
        values = np.array([row["voi"] for row in self.rows])
        return self.thresholds[int(np.median(np.flatnonzero(values == values.min())))]

    def extremes(self) -> dict[str, float]:
        """Return the best value of each figure over all thresholds, as ``best_…``, each at a threshold of its own.

        The parts ``voi_split`` and ``voi_merge`` have none: each is 0 at one end of the thresholds.
        """
        found = {"best_threshold": self.best}
        for name in ("voi", "arand", "v_rand", "v_info"):
            values = [row[name] for row in self.rows]
            found[f"best_{name}"] = min(values) if name in LOWER_IS_BETTER else max(values)
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return the curve as plain data."""
        columns = {name: [round(row[name], 6) for row in self.rows] for name in FIGURES}
        return {"locked": self.locked, "best": self.best, "thresholds": list(self.thresholds), **columns}


def agreement_over_thresholds(images: Sequence[NeuronTables], locked: float) -> AgreementCurve:
    """Return the mean over all images, or slices, of the metrics at each threshold."""
    thresholds = tuple(round(float(t), 4) for t in THRESHOLDS)
    return AgreementCurve(locked, thresholds, tuple(mean_metrics(images, t) for t in thresholds))


def mean_metrics(images: Sequence[NeuronTables], threshold: float | None) -> dict[str, float]:
    """Return the mean over all tables of each metric; the numbers of objects are sums."""
    rows = [row for image in images for row in image.at(threshold)]
    if not rows:
        return {**dict.fromkeys(LOWER_IS_BETTER, 0.0), "v_rand": 1.0, "v_info": 1.0, "n_truth": 0, "n_prediction": 0}
    return {
        key: float(sum(row[key] for row in rows) if key.startswith("n_") else np.mean([row[key] for row in rows]))
        for key in rows[0]
    }


def neurons_of(truth: LabelArray, dims: int) -> tuple[LabelArray, str]:
    """Return ground truth as ids of objects, and a sentence where it had to be made so.

    Ground truth with one id for the inside of all neurons, as that of ISBI 2012, gives an object per connected piece.
    """
    ids = np.unique(truth[truth > 0])
    if len(ids) != 1:
        return truth, ""
    pieces = np.minimum(truth, 0)
    for index, part in split_by_slice(truth, dims):
        pieces[index] = np.where(part > 0, connected_pieces(part > 0), pieces[index])
    return pieces, f"The truth has one id, {ids[0]}, so its connected pieces are taken for the objects."


def edge_accuracy(
    slabs: Iterable[tuple[int, npt.NDArray[np.uint8]]], offsets: Sequence[Triple], truth: LabelArray, known: BoolArray
) -> dict[str, float]:
    """Compare affinities with the truth.

    Parameters
    ----------
    slabs : iterable of (int, ndarray of uint8, shape (k, z, y, x))
        Affinities ×255 of some slices, and the first of these slices.
    offsets : sequence of tuple of int
        z, y, x, one per channel.
    truth, known : ndarray, shape (z, y, x)
        Of the whole image.

    Returns
    -------
    dict of float
        ``edge_accuracy``, the share of pairs of voxels on whose being of one object network (at 0.5) and truth agree,
        and ``edge_balanced``, the mean of that share over pairs that are of one object and pairs that are not.
    """
    counts = np.zeros((2, 2))
    for start, maps in slabs:
        for values, offset in zip(maps, offsets, strict=True):
            for same, predicted in _edges(values, start, offset, truth, known):
                counts += np.bincount(2 * same + predicted, minlength=4).reshape(2, 2)
    right, of_kind = np.diag(counts), counts.sum(axis=1)
    shares = right[of_kind > 0] / of_kind[of_kind > 0]
    if not len(shares):
        return {}
    return {"edge_accuracy": float(right.sum() / of_kind.sum()), "edge_balanced": float(shares.mean())}


def _edges(
    values: npt.NDArray[np.uint8], start: int, offset: Triple, truth: LabelArray, known: BoolArray
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    steps = [abs(o) for o in offset]
    low = max(start, steps[0])
    stop = start + len(values)
    if low >= stop or any(s >= n for s, n in zip(steps, truth.shape, strict=True)):
        return
    here = (slice(low, stop), *(slice(s, None) for s in steps[1:]))
    before = (slice(low - steps[0], stop - steps[0]), *(slice(None, -s or None) for s in steps[1:]))
    counted = known[here] & known[before]
    same = (truth[here] == truth[before]) & (truth[here] > 0)
    predicted = values[(slice(low - start, None), *here[1:])] >= 128
    yield same[counted].astype(np.int64), predicted[counted].astype(np.int64)


def _numbers(table: Contingency, segments: LabelArray | None) -> dict[str, float]:
    ids = table.fragments if segments is None else segments[table.fragments]
    return {"n_truth": len(np.unique(table.truth)), "n_prediction": int(np.count_nonzero(np.unique(ids)))}
