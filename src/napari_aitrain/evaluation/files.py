"""Compare files: a prediction with its ground truth, or a folder with a folder."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import GroundTruthError, VolumeError
from ..location import Location, located
from ..tasks.protocol import BoolArray, FloatArray, LabelArray, Objects
from ..tasks.scoring import correct_objects
from ..volumes import open_volume, pair_files, read_labels
from .calibration import calibration_bins, expected_calibration_error
from .compare import Comparison, compare_instances, compare_semantic, guess_dims, guess_task
from .curve import ThresholdCurve, curve_from_scores
from .metrics import check_shapes
from .neurons import AgreementCurve, NeuronTables, mean_metrics, neurons_of

Chosen = Literal["auto", "instances", "semantic", "neurons"]


@dataclass(frozen=True)
class Scored:
    """Scores of objects that ground truth could judge, pooled over images."""

    scores: FloatArray
    correct: BoolArray
    n_truth: int


@dataclass(frozen=True)
class Evaluation:
    """What comparing files gave.

    Parameters
    ----------
    task : {'instances', 'semantic', 'neurons'}
        What the labels were taken for.
    how : str
        Why, as a sentence.
    metrics : dict of float
        Of all images together: counts are added before any share is taken, as if the images lay side by side.
    images : dict of dict of float
        Metrics per image, by name.
    scored : Scored, optional
        Where every prediction had a table of scores beside it.
    agreement : AgreementCurve, optional
        Of neurons, over the threshold.
    """

    task: str
    how: str
    metrics: dict[str, float]
    images: dict[str, dict[str, float]] = field(default_factory=dict)
    scored: Scored | None = None
    agreement: AgreementCurve | None = None

    @property
    def mean(self) -> dict[str, float]:
        """The mean over images of each metric that all of them have."""
        rows = list(self.images.values())
        if not rows:
            return {}
        return {key: float(np.mean([row[key] for row in rows])) for key in self.metrics if all(key in r for r in rows)}

    @property
    def curve(self) -> ThresholdCurve | None:
        """Precision and recall over the threshold, where scores are known."""
        return curve_from_scores(self.scored.scores, self.scored.correct, self.scored.n_truth) if self.scored else None

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data; the pooled metrics are at the top level."""
        data: dict[str, Any] = {"task": self.task, "how": self.how, **self.metrics}
        curve = self.curve
        if self.scored is not None and curve is not None:
            data["ece"] = expected_calibration_error(self.scored.scores, self.scored.correct)
            data["best_threshold"] = curve.best
            data["threshold_curve"] = curve.as_dict()
            data["calibration"] = [
                {"score": s, "correct": c, "objects": n}
                for s, c, n in calibration_bins(self.scored.scores, self.scored.correct)
            ]
        if self.agreement is not None:
            data["agreement_curve"] = self.agreement.as_dict()
        return {**data, "mean": self.mean, "images": self.images}


def evaluate_files(
    prediction: Location | str, truth: Location | str, *, task: Chosen = "auto", sparse: bool = False
) -> Evaluation:
    """Compare a labels file with a ground-truth file, or a folder of them with a folder.

    Parameters
    ----------
    prediction, truth : path
        Both files or both folders; files of folders are paired by name. Arrays are held in memory.
    task : {'auto', 'instances', 'semantic', 'neurons'}
        What the labels are; ``'auto'`` guesses between objects and classes, and ``how`` of the result says why.
    sparse : bool
        Whether 0 in the truth means unlabelled.

    Returns
    -------
    Evaluation
        Instances: see `instance_metrics`. Classes: see `semantic_metrics`, and as well the metrics of instances of
        the connected pieces of each class but the background. A table ``PREDICTION.scores.csv`` gives the threshold
        curve and the calibration. Neurons: see `tasks.voi.Agreement.metrics`, as means over images, or over all
        slices where slices were segmented one by one.

    Raises
    ------
    GroundTruthError
        If shapes differ.
    VolumeError
        If a file cannot be read, no names pair, or the scores are of another prediction.
    """
    pairs = _pairs(located(prediction), located(truth))
    arrays = {name: _read(p, t, name, sparse) for name, (p, t) in pairs.items()}
    how = "Taken for " + task + ", as asked."
    chosen: str = task
    if task == "neurons":
        return _neurons(arrays)
    if task == "auto":
        chosen, how = guess_task([truth for _, truth, _ in arrays.values()])
    if chosen == "semantic":
        classes = np.unique(np.concatenate([np.unique(t[k]) for _, t, k in arrays.values()])).tolist()
        each = {name: compare_semantic(p, t, k, classes) for name, (p, t, k) in arrays.items()}
        return _pooled(chosen, how, each, None)
    dims, why = guess_dims([p for p, _, _ in arrays.values()])
    each = {name: compare_instances(p, t, k, dims) for name, (p, t, k) in arrays.items()}
    predictions = [path for path, _ in pairs.values() if isinstance(path, Path)]
    scored = _scored(predictions, list(arrays.values()), dims) if len(predictions) == len(pairs) else None
    return _pooled(chosen, f"{how} {why}".strip(), each, scored)


def _neurons(arrays: Mapping[str, tuple[LabelArray, LabelArray, BoolArray]]) -> Evaluation:
    dims, how = guess_dims([p for p, _, _ in arrays.values()])
    tables = {}
    for name, (prediction, truth, known) in arrays.items():
        true, why = neurons_of(truth, dims)
        tables[name] = NeuronTables.count(prediction, true, known & (true >= 0), dims)
        how = how if why in how else f"{how} {why}".strip()
    images = {name: mean_metrics([table], None) for name, table in tables.items()}
    return Evaluation("neurons", how, mean_metrics(list(tables.values()), None), images)


def _pooled(task: str, how: str, each: dict[str, Comparison], scored: Scored | None) -> Evaluation:
    comparisons = list(each.values())
    total = sum(comparisons[1:], comparisons[0])
    return Evaluation(task, how, total.metrics(), {name: c.metrics() for name, c in each.items()}, scored)


def _pairs(prediction: Location, truth: Location) -> dict[str, tuple[Location, Location]]:
    return {pair.name: (pair.image, pair.labels) for pair in pair_files(prediction, truth)}


def _read(prediction: Location, truth: Location, name: str, sparse: bool) -> tuple[LabelArray, LabelArray, BoolArray]:
    volume = open_volume(prediction, kind="labels")
    found = read_labels(volume, volume.region)
    volume = open_volume(truth, kind="labels", onto=volume.place)
    true = read_labels(volume, volume.region)
    check_shapes(found, true, name)
    known = true > 0 if sparse else np.ones(true.shape, bool)
    if not known.any():
        raise GroundTruthError(f"{truth} is unlabelled everywhere", "some labelled voxels", "label something first")
    return found, true, known


def scores_path(prediction: Path) -> Path:
    """Return where the table of scores of a prediction lies: ``OUT.tif.scores.csv`` beside ``OUT.tif``."""
    return prediction.with_name(prediction.name + ".scores.csv")


def _scored(
    paths: Sequence[Path], arrays: Sequence[tuple[LabelArray, LabelArray, BoolArray]], dims: int
) -> Scored | None:
    """Return pooled scores, or None unless every prediction has its table."""
    if not all(scores_path(path).is_file() for path in paths):
        return None
    scores, correct, n_truth = [], [], 0
    for path, (labels, truth, known) in zip(paths, arrays, strict=True):
        table = read_scores(scores_path(path), int(labels.max(initial=0)))
        judged = correct_objects(Objects(labels, table, table[:, None], extra={"dims": dims}), truth, known)
        scores.append(table[judged.ids])
        correct.append(judged.correct)
        n_truth += judged.n_truth
    return Scored(np.concatenate(scores), np.concatenate(correct), n_truth)


def read_scores(path: Path, largest: int) -> FloatArray:
    """Read a table of scores with the columns ``id`` and ``score``.

    Parameters
    ----------
    path : Path
        A CSV file.
    largest : int
        The largest id in the labels.

    Returns
    -------
    ndarray of float32, shape (largest + 1,)
        Indexed by id.

    Raises
    ------
    VolumeError
        If a column is missing or a value is no number.
    """
    scores = np.zeros(largest + 1, np.float32)
    try:
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if 0 < int(row["id"]) <= largest:
                    scores[int(row["id"])] = float(row["score"])
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise VolumeError(
            f"{path} is not a table of scores: {error}",
            "columns id and score, as written by predict",
            "remove it, or predict again",
        ) from error
    return scores
