"""All sums that the metrics of instances are made from; tallies of several images add up."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from .matching import CORRECT_IOU, AnyLabels, Float64Array, IntArray, Overlap
from .protocol import BoolArray

IOUS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)


@dataclass(frozen=True)
class InstanceTally:
    """Counts of one or more images.

    Adding two gives the tally of both, as if the images lay side by side and no id (nor the predicted background
    on objects of the truth) were shared.

    Parameters
    ----------
    n_truth, n_prediction : int
        Objects.
    hits : ndarray of int64
        Pairs of objects that match at each IoU of `IOUS`.
    iou_sum : float
        Sum of the IoU of the pairs that match at `CORRECT_IOU`.
    foreground : ndarray of int64, shape (3,)
        Foreground voxels of the truth, of the prediction and of both.
    voxels : int
        Voxels with an object in the truth; the next two are counted on these alone.
    squares : ndarray of float64, shape (3,)
        Pairs of voxels that share an object: in truth and prediction, in truth, in prediction.
    entropies : ndarray of float64, shape (3,)
        Sums of ``n log2 n`` over the overlaps, the objects of the truth and those of the prediction.
    """

    n_truth: int
    n_prediction: int
    hits: IntArray
    iou_sum: float
    foreground: IntArray
    voxels: int
    squares: Float64Array
    entropies: Float64Array

    @classmethod
    def count(cls, prediction: AnyLabels, truth: AnyLabels, ignore: BoolArray | None = None) -> InstanceTally:
        """Count two label arrays of one shape, without voxels where `ignore` is True."""
        return cls.of(Overlap.count(prediction, truth, ignore))

    @classmethod
    def nothing(cls) -> InstanceTally:
        """Return the tally of no image."""
        empty = np.zeros(0, np.int64)
        return cls.of(Overlap(empty, empty, empty, empty, empty))

    @classmethod
    def of(cls, overlap: Overlap) -> InstanceTally:
        """Count an overlap."""
        truth_real = overlap.truth_ids[overlap.rows] != 0
        prediction_real = overlap.prediction_ids[overlap.columns] != 0
        each = [truth_real, prediction_real, truth_real & prediction_real]
        counts = overlap.counts[truth_real]
        by_truth = np.bincount(overlap.rows[truth_real], counts)
        by_prediction = np.bincount(overlap.columns[truth_real], counts)
        parts = [counts.astype(np.float64), by_truth, by_prediction]
        return cls(
            n_truth=overlap.n_truth,
            n_prediction=overlap.n_prediction,
            hits=np.array([len(overlap.match(iou)[0]) for iou in IOUS], np.int64),
            iou_sum=float(overlap.match(CORRECT_IOU)[2].sum()),
            foreground=np.array([overlap.counts[where].sum() for where in each], np.int64),
            voxels=int(counts.sum()),
            squares=np.array([part @ part - part.sum() for part in parts]),
            entropies=np.array([_n_log_n(part) for part in parts]),
        )

    def __add__(self, other: InstanceTally) -> InstanceTally:
        """Return the tally of both sets of images."""
        return InstanceTally(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def metrics(self) -> dict[str, float]:
        """Return every metric of instances; see `evaluation.instance_metrics` for what each means."""
        objects = self.n_truth + self.n_prediction
        metrics: dict[str, float] = {"n_truth": self.n_truth, "n_prediction": self.n_prediction}
        for iou, hit in zip(IOUS, self.hits.tolist(), strict=True):
            percent = round(100 * iou)
            metrics[f"ap{percent}"] = _share(hit, objects - hit)
            metrics[f"f1_{percent}"] = _share(2 * hit, objects)
        metrics["ap_mean"] = float(np.mean([metrics[f"ap{round(100 * iou)}"] for iou in IOUS]))
        hit = int(self.hits[0])
        metrics["precision"] = _share(hit, self.n_prediction)
        metrics["recall"] = _share(hit, self.n_truth)
        metrics["pq"] = _share(2 * self.iou_sum, objects)
        metrics["rq"] = metrics["f1_50"]
        metrics["sq"] = self.iou_sum / hit if hit else float(not objects)
        in_truth, in_prediction, in_both = self.foreground.tolist()
        metrics["dice"] = _share(2 * in_both, in_truth + in_prediction)
        metrics["iou"] = _share(in_both, in_truth + in_prediction - in_both)
        both, truth, prediction = self.squares.tolist()
        metrics["arand"] = 1 - _share(2 * both, truth + prediction)
        both, truth, prediction = self.entropies.tolist()
        voxels = max(1, self.voxels)
        metrics["voi_split"] = max(0.0, (truth - both) / voxels)
        metrics["voi_merge"] = max(0.0, (prediction - both) / voxels)
        return metrics


def _share(part: float, whole: float) -> float:
    """Return the share; 1 where there was nothing to find and nothing was found."""
    return float(part) / float(whole) if whole else 1.0


def _n_log_n(counts: npt.NDArray[np.float64]) -> float:
    positive = counts[counts > 0]
    return float((positive * np.log2(positive)).sum())
