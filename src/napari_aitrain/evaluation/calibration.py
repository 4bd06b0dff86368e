"""Scores that mean something: an object of score 0.8 is right in eight cases of ten."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from ..tasks.protocol import BoolArray, FloatArray, LabelArray, Objects
from ..tasks.scoring import correct_objects

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

MINIMUM_OBJECTS = 12
MINIMUM_OF_EACH = 3
ENOUGH_OF_EACH = 12
"""From this many right and wrong objects on all features are used; with fewer, the raw score alone."""

_BINS = 10


class Calibration(BaseModel):
    """A logistic model of an object's features, or its raw score where too few objects were there to fit one.

    Plain numbers, so that it is kept on the model card: ``Calibration.model_validate(card.calibration)``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Annotated[
        Literal["logistic", "raw"], Field(description="logistic: fitted; raw: the first feature as it is.")
    ] = "raw"
    reason: Annotated[str, Field(description="Why it is of this kind, as a sentence.")] = "No objects were compared."
    feature_names: tuple[str, ...] = ()
    mean: Annotated[tuple[float, ...], Field(description="Of each feature, taken off first.")] = ()
    scale: Annotated[tuple[float, ...], Field(description="Of each feature, divided by then.")] = ()
    coefficients: tuple[float, ...] = ()
    intercept: float = 0.0
    objects: Annotated[int, Field(description="Objects it was fitted on.")] = 0
    correct: Annotated[int, Field(description="How many of them were right.")] = 0
    ece: Annotated[
        float | None, Field(description="Expected calibration error, of objects left out of the fit where logistic.")
    ] = None

    @classmethod
    def fit(
        cls, features: FloatArray, correct: BoolArray, feature_names: Sequence[str] = (), seed: int = 0
    ) -> Calibration:
        """Fit to objects that were compared with ground truth.

        Parameters
        ----------
        features : ndarray of float32, shape (n, k)
            The first column is the raw score.
        correct : ndarray of bool, shape (n,)
            Whether each object is right.
        feature_names : sequence of str
            Names of the columns.
        seed : int
            Of the folds that `ece` is estimated by.
        """
        n, right = len(correct), int(np.count_nonzero(correct))
        names, fewest = tuple(feature_names), min(right, n - right)
        if n < MINIMUM_OBJECTS or fewest < MINIMUM_OF_EACH:
            needed = f"{MINIMUM_OBJECTS} with {MINIMUM_OF_EACH} right and {MINIMUM_OF_EACH} wrong are needed"
            reason = f"{n} objects, {right} of them right, are too few to fit to: {needed}."
            return cls._raw(reason, features, correct, names)
        table = np.asarray(features, np.float64)
        used = "all features"
        if fewest < ENOUGH_OF_EACH:
            table = np.where(np.arange(table.shape[1]) == 0, table, 0.0)
            used = "the raw score alone"
        model, left_out = _fit_logistic(table, correct, min(5, fewest), seed)
        scaler, logistic = model.steps[0][1], model.steps[1][1]
        if fewest < ENOUGH_OF_EACH and logistic.coef_[0, 0] <= 0:
            return cls._raw(f"In {n} objects the raw score does not tell right from wrong.", features, correct, names)
        return cls(
            kind="logistic",
            reason=f"Fitted to {used} of {n} objects, {right} of them right.",
            feature_names=names,
            mean=tuple(scaler.mean_.tolist()),
            scale=tuple(scaler.scale_.tolist()),
            coefficients=tuple(logistic.coef_[0].tolist()),
            intercept=float(logistic.intercept_[0]),
            objects=n,
            correct=right,
            ece=expected_calibration_error(left_out, correct),
        )

    @classmethod
    def _raw(cls, reason: str, features: FloatArray, correct: BoolArray, names: tuple[str, ...]) -> Calibration:
        return cls(
            reason=f"{reason} Scores are raw.",
            feature_names=names,
            objects=len(correct),
            correct=int(np.count_nonzero(correct)),
            ece=expected_calibration_error(features[:, 0], correct) if len(correct) else None,
        )

    def apply(self, features: FloatArray) -> FloatArray:
        """Return a score in [0, 1] for each row of features, shape (n, k)."""
        if self.kind == "raw" or not len(features):
            return np.clip(features[:, 0], 0, 1).astype(np.float32) if features.size else _zeros(len(features))
        standard = (np.asarray(features, np.float64) - self.mean) / self.scale
        logit = standard @ np.asarray(self.coefficients) + self.intercept
        scores: FloatArray = (0.5 * (1 + np.tanh(logit / 2))).astype(np.float32)
        return scores


def _fit_logistic(
    table: npt.NDArray[np.float64], correct: BoolArray, folds: int, seed: int
) -> tuple[Pipeline, npt.NDArray[np.float64]]:
    """Return the model of all objects, and the score each has from a model of the other folds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=1000))
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    left_out = cross_val_predict(model, table, correct, cv=split, method="predict_proba")[:, 1]
    return model.fit(table, correct), left_out


def calibrate(
    examples: Iterable[tuple[Objects, LabelArray, BoolArray]], feature_names: Sequence[str] = (), seed: int = 0
) -> Calibration:
    """Fit a calibration to predictions with their ground truth and where that is known."""
    features, correct = [np.zeros((0, max(1, len(feature_names))), np.float32)], [np.zeros(0, bool)]
    for objects, truth, known in examples:
        judged = correct_objects(objects, truth, known)
        features.append(objects.features[judged.ids])
        correct.append(judged.correct)
    return Calibration.fit(np.concatenate(features), np.concatenate(correct), feature_names, seed)


def rescore(objects: Objects, calibration: Calibration | None) -> Objects:
    """Return the objects with calibrated scores; class maps and ``None`` change nothing."""
    if calibration is None or objects.probability is not None:
        return objects
    scores = calibration.apply(objects.features)
    scores[:1] = 0
    return replace(objects, scores=scores)


def calibration_bins(scores: npt.ArrayLike, correct: BoolArray, bins: int = _BINS) -> list[tuple[float, float, int]]:
    """Return mean score, share of right objects and number of objects of each bin of equal width that holds any."""
    values = np.asarray(scores, np.float64)
    number = np.minimum((values * bins).astype(int), bins - 1)
    count = np.bincount(number, minlength=bins)
    score, right = np.bincount(number, values, bins), np.bincount(number, np.asarray(correct, np.float64), bins)
    return [(score[b] / count[b], right[b] / count[b], int(count[b])) for b in np.flatnonzero(count)]


def expected_calibration_error(scores: npt.ArrayLike, correct: BoolArray, bins: int = _BINS) -> float:
    """Return by how much scores miss the share of right objects, on average (Guo et al. 2017).

    Examples
    --------
    >>> expected_calibration_error([0.75, 0.75, 0.75, 0.75], np.array([True, True, True, False]))
    0.0
    """
    return error_of_bins(calibration_bins(scores, correct, bins))


def error_of_bins(rows: Sequence[tuple[float, float, int]]) -> float:
    """Return the expected calibration error of bins as from `calibration_bins`."""
    total = sum(n for _, _, n in rows)
    return float(sum(n * abs(score - right) for score, right, n in rows) / total) if total else 0.0


def _zeros(n: int) -> FloatArray:
    return np.zeros(n, np.float32)
