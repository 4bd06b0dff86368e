"""How good a network is on crops that it does not learn from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..evaluation.calibration import Calibration, calibrate, rescore
from ..evaluation.curve import ScoreCounts
from ..inference.predictor import Network
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


def fit_scores(judged: Sequence[Example], task: Task, seed: int) -> tuple[Calibration | None, float]:
    """Fit the scores of objects, and choose the threshold, on validation predictions.

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
    scores, correct, n_truth = [np.zeros(0, np.float32)], [np.zeros(0, bool)], 0
    for objects, truth, known in judged:
        found = correct_objects(objects, truth, known)
        scores.append(rescore(objects, calibration).scores[found.ids])
        correct.append(found.correct)
        n_truth += found.n_truth
    if calibration.kind == "raw":
        return calibration, 0.0
    counts = ScoreCounts.of(np.concatenate(scores), np.concatenate(correct), n_truth)
    return calibration, counts.expected_threshold()
