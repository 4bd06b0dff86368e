"""How well a segmentation agrees with ground truth, at one threshold of a merge tree or at all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from .matching import AnyLabels, IntArray, Overlap
from .merge_tree import MergeTree
from .protocol import BoolArray

Float64Array = npt.NDArray[np.float64]
THRESHOLDS: Float64Array = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Contingency:
    """Voxels shared by fragments and objects of the truth; only where the truth has an object.

    Parameters
    ----------
    fragments, truth : ndarray of int64, shape (p,)
        Ids of each pair that shares voxels; 0 of a fragment is the predicted background.
    counts : ndarray of int64, shape (p,)
        Voxels.
    """

    fragments: IntArray
    truth: IntArray
    counts: IntArray

    @classmethod
    def count(cls, fragments: AnyLabels, truth: AnyLabels, known: BoolArray | None = None) -> Contingency:
        """Count two arrays of one shape; voxels that are background or unlabelled in the truth do not count."""
        ignore = truth <= 0 if known is None else (truth <= 0) | ~known
        overlap = Overlap.count(fragments, truth, ignore)
        return cls(overlap.prediction_ids[overlap.columns], overlap.truth_ids[overlap.rows], overlap.counts)

    def agreement(self, segments: npt.NDArray[np.integer] | None = None) -> Agreement:
        """Return the sums at a table of segments per fragment, or of the fragments themselves."""
        segment = self.fragments if segments is None else segments[self.fragments].astype(np.int64)
        width = int(segment.max(initial=0)) + 1
        _, position = np.unique(self.truth * width + segment, return_inverse=True)
        joint = np.bincount(position, self.counts)
        parts = [joint, np.bincount(segment, self.counts), np.bincount(self.truth, self.counts)]
        return Agreement(
            voxels=float(self.counts.sum()),
            squares=np.array([part @ part for part in parts]),
            logs=np.array([_n_log_n(part) for part in parts]),
        )


@dataclass(frozen=True)
class Agreement:
    """Sums that the figures are made from; those of several images add up as if they lay side by side.

    Parameters
    ----------
    voxels : float
        That were counted.
    squares, logs : ndarray of float64, shape (3,)
        Sums of ``n²`` and ``n log2 n`` over overlaps, segments and objects of the truth.
    """

    voxels: float
    squares: Float64Array
    logs: Float64Array

    def __add__(self, other: Agreement) -> Agreement:
        """Return the sums of both."""
        return Agreement(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def metrics(self) -> dict[str, float]:
        """Return ``voi_split``, ``voi_merge``, ``voi``, ``arand``, ``v_rand`` and ``v_info``."""
        voxels = max(1.0, self.voxels)
        both, segments, truth = self.logs.tolist()
        split, merge = max(0.0, (truth - both) / voxels), max(0.0, (segments - both) / voxels)
        entropy_segments = np.log2(voxels) - segments / voxels
        entropy_truth = np.log2(voxels) - truth / voxels
        entropies = entropy_segments + entropy_truth
        shared = entropies - (split + merge)
        pairs = self.squares - self.voxels
        return {
            "voi_split": split,
            "voi_merge": merge,
            "voi": split + merge,
            "arand": 1 - _share(2 * pairs[0], pairs[1] + pairs[2]),
            "v_rand": _share(2 * self.squares[0], self.squares[1] + self.squares[2]),
            "v_info": float(np.clip(_share(shared, entropies), 0, 1)) if entropies > 1e-12 else 1.0,
        }


def agreement_curve(
    merges: MergeTree, table: Contingency, thresholds: Sequence[float] | Float64Array = THRESHOLDS
) -> list[Agreement]:
    """Return the agreement at each threshold, from one table of fragments and truth."""
    return [table.agreement(merges.segments(float(t))) for t in thresholds]


def _share(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else 1.0


def _n_log_n(counts: npt.NDArray[Any]) -> float:
    positive = counts[counts > 0]
    return float((positive * np.log2(positive)).sum())
