"""How good a network is on crops that it does not learn from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..evaluation.calibration import Calibration, calibrate, rescore
from ..evaluation.curve import THRESHOLDS, ScoreCounts
from ..inference.predictor import Network
from ..models import ModelCard
from ..tasks.protocol import Example, FloatArray, Task
from ..tasks.scoring import correct_objects
from ..tasks.tree_scores import best_threshold
from .previews import PreviewRegion, predict_preview_maps

QUICK_VOXELS = {2: 600_000, 3: 1_500_000}


@dataclass(frozen=True)
class Validator:
    """Compares predictions with the ground truth of some crops.

    Parameters
    ----------
    regions : sequence of PreviewRegion
        What to predict.
    task : Task
        Decodes and compares.
    dims : {2, 3}
        Slices or volumes.
    """

    regions: Sequence[PreviewRegion]
    task: Task
    dims: int

    def quick(self) -> Validator:
        """Return one for a bounded number of voxels, spread over the crops, to be asked often."""
        left = QUICK_VOXELS[self.dims]
        chosen: list[PreviewRegion] = []
        most = max(1, 4 // max(1, len(self.regions)))
        for part in (p for r in self.regions for p in PreviewRegion.of_labels(r.crop, self.dims, most)):
            if chosen and part.region.size > left:
                break
            left -= part.region.size
            chosen.append(part)
        return Validator(chosen, self.task, self.dims)

    def maps(self, network: Network) -> Iterator[FloatArray]:
        """Yield activated maps, a region at a time."""
        for region in self.regions:
            yield predict_preview_maps(network, self.task, region, self.dims)

    def decoded(self, maps: Iterable[FloatArray]) -> Iterator[Example]:
        """Yield objects, ground truth and where that is known, for the maps of each region."""
        for region, some in zip(self.regions, maps, strict=True):
            truth = region.labels()
            yield self.task.decode(some, region.crop.voxel_size, self.dims), truth, truth >= 0

    def predictions(self, network: Network) -> Iterator[Example]:
        """Predict and decode, a region at a time."""
        return self.decoded(self.maps(network))

    def metrics(self, network: Network) -> dict[str, float]:
        """Return the task's metrics over all regions together."""
        return self.task.metrics(self.predictions(network))


def fit_scores(
    judged: Sequence[Example], task: Task, seed: int, parent: ModelCard | None = None
) -> tuple[Calibration | None, float]:
    """Fit the scores of objects, and choose the threshold, on validation predictions.

    Parameters
    ----------
    judged : sequence of Example
        Predictions of validation boxes with their truth, and where that is known.
    task : Task
        What made them.
    seed : int
        Of the folds that the calibration's error is estimated by.
    parent : ModelCard, optional
        Of the model that the training began with. Where there are too few objects to fit to, its scores and its
        threshold are taken over, if they lose nothing on validation.

    Returns
    -------
    calibration : Calibration or None
        None for tasks without scored objects.
    threshold : float
        That of `ScoreCounts.expected_threshold`: the one that was best on a few validation objects lies near a cliff as
        often as not. For tasks that agglomerate, the threshold of the least variation of information.
    """
    if task.agglomerates:
        return None, best_threshold(judged)
    if not task.instances:
        return None, 0.0
    calibration = calibrate(judged, task.feature_names, seed)
    if calibration.kind == "raw":
        return _of_parent(judged, task, parent, calibration) or (calibration, 0.0)
    return calibration, _count(judged, calibration).expected_threshold()


def _of_parent(
    judged: Sequence[Example], task: Task, parent: ModelCard | None, few: Calibration
) -> tuple[Calibration, float] | None:
    if parent is None or parent.calibration is None or parent.task != task.name:
        return None
    known = Calibration.model_validate(parent.calibration)
    if known.kind == "raw" or known.feature_names != tuple(task.feature_names):
        return None
    counts = _count(judged, known)
    f1 = counts.curve().f1
    if not counts.n_truth or np.interp(parent.threshold, THRESHOLDS, f1) < f1[0]:
        return None
    reason = f"{few.reason.removesuffix(' Scores are raw.')} Those of {parent.name} serve them: {known.reason}"
    return known.model_copy(update={"reason": reason}), parent.threshold


def _count(judged: Sequence[Example], calibration: Calibration) -> ScoreCounts:
    """Count the scores of objects, and how many are right."""
    scores, correct, n_truth = [np.zeros(0, np.float32)], [np.zeros(0, bool)], 0
    for objects, truth, known in judged:
        found = correct_objects(objects, truth, known)
        scores.append(rescore(objects, calibration).scores[found.ids])
        correct.append(found.correct)
        n_truth += found.n_truth
    return ScoreCounts.of(np.concatenate(scores), np.concatenate(correct), n_truth)
