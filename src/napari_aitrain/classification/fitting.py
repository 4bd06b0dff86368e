"""Learns a classifier from a few marked objects: sparse logistic regression and a forest, chosen by what is left out.

Twenty clicks and fifty features are few equations for many unknowns. What people tell apart follows mostly from a few
features; both methods find these: an L1 penalty (Tibshirani 1996) and trees that look at all features in each node
(Breiman 2001, with bagging alone).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, NotReadyError
from .classifier import (
    CLIP,
    Embedding,
    Measured,
    ObjectClassifier,
    Output,
    calibrated,
    sigmoid,
    standardised,
    transformed,
)
from .features import LOGARITHMIC
from .forest import Trees, as_rows
from .marks import MarkSheet, ObjectClass
from .sums import Float64Array
from .table import FeatureTable

LEAST = 2
"""Marked objects of a class that can be learned; it takes two classes, or yes and no."""
STRENGTHS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
"""Inverse strengths of the penalty that are tried."""
SHARES = (0.5, 0.75, 1.0)
"""Of the forest in the mean, that are tried."""
FOLDS, TREES, COMPONENTS = 5, 100, 16
_TRIAL_TREES = 40
_PRIOR = 8.0
"""How many objects the guess that probabilities are right as they are counts for."""
_MOST_OBJECTS = 20_000
BoolArray = npt.NDArray[np.bool_]
Answers = Mapping[int, tuple[int, ...]]


@dataclass(frozen=True)
class Marked:
    """Objects of one image, and what was said of some.

    Parameters
    ----------
    table : FeatureTable
        Of all objects.
    answers : mapping of int to tuple of int
        Classes by id of object.
    """

    table: FeatureTable
    answers: Answers


def fit_classifier(
    marked: Sequence[Marked], sheet: MarkSheet, *, name: str = "classifier", model_name: str = "", seed: int = 0
) -> ObjectClassifier:
    """Learn a classifier.

    Parameters
    ----------
    marked : sequence of Marked
        One per image.
    sheet : MarkSheet
        Whose classes and choice hold for all; its marks are not looked at.
    name : str
        Of the classifier.
    model_name : str
        Of the model whose embedding the tables hold.
    seed : int
        Of the trees, and of who is left out.

    Raises
    ------
    NotReadyError
        If too little was marked: nothing, one class alone, or one object of each class.
    ConfigError
        If tables do not go together.
    """
    tables = _together([one.table for one in marked])
    rows, said = _rows(marked)
    classes, notes = _learnable(sheet, said)
    first = tables[0]
    logarithmic = tuple(n for n in first.names if n in LOGARITHMIC)
    raw = np.concatenate([transformed(t.values, t.names, logarithmic) for t in tables])
    # Features that are the same for all say nothing, and neither do those that nothing has.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        mean, scale = np.nanmean(raw, axis=0), np.nanstd(raw, axis=0)
    useful = np.isfinite(scale) & (scale > 1e-9)
    names = tuple(n for n, there in zip(first.names, useful, strict=True) if there)
    raw, mean, scale = raw[:, useful], mean[useful], scale[useful]
    embedding = _embedding(np.concatenate([t.embedding for t in tables]), first.network, model_name)
    if embedding is not None:
        seen = np.concatenate([t.embedding for t in tables]) - np.asarray(embedding.mean)
        raw = np.concatenate([raw, seen @ np.asarray(embedding.axes).T], axis=1)
        mean = np.append(mean, np.zeros(len(embedding.axes)))
        scale = np.append(scale, np.ones(len(embedding.axes)))
    if not raw.shape[1]:
        raise NotReadyError(
            "all objects are alike", "objects that differ in something", "mark objects of another image"
        )
    inputs = standardised(raw, mean, scale)[rows]
    fits = [_fit(inputs, np.array([one.id in s for s in said]), seed) for one in classes]
    if sheet.choice == "single" and len(classes) == 2:
        fits[1] = fits[0].turned()
    return ObjectClassifier(
        name=name,
        kind=sheet.kind,
        choice=sheet.choice,
        classes=tuple(classes),
        unit=first.unit,
        dims=first.dims,
        channels=first.channels,
        features=names,
        logarithmic=tuple(n for n in logarithmic if n in names),
        mean=tuple(mean.tolist()),
        scale=tuple(scale.tolist()),
        embedding=embedding,
        outputs=tuple(fit.output for fit in fits),
        measured=_measured(fits, classes, sheet, said),
        warnings=tuple(notes),
        packages={one: version(one) for one in ("napari-aitrain", "scikit-learn", "numpy")},
    )


def _together(tables: Sequence[FeatureTable]) -> list[FeatureTable]:
    if not tables:
        raise NotReadyError("nothing was measured", "an image with objects", "choose one")
    first = tables[0]
    for other in tables[1:]:
        if other.unit != first.unit:
            raise ConfigError(
                "the voxel size of some images is known, of others not", "all or none",
                "say the voxel size of each image",
            )  # fmt: skip
        alike = (other.dims, other.kind, len(other.channels), other.names, other.network)
        if alike != (first.dims, first.kind, len(first.channels), first.names, first.network):
            raise ConfigError(
                "the images have different numbers of channels or dimensions", "images of one kind",
                "choose the same channels of every image",
            )  # fmt: skip
    return list(tables)


def _rows(marked: Sequence[Marked]) -> tuple[npt.NDArray[np.int64], list[tuple[int, ...]]]:
    """Return the rows of marked objects in all tables after each other, and what was said of them."""
    rows, said, start = [], [], 0
    for one in marked:
        found = one.table.rows_of(list(one.answers))
        for row, answer in zip(found.tolist(), one.answers.values(), strict=True):
            if row >= 0:
                rows.append(start + row)
                said.append(answer)
        start += len(one.table)
    return np.array(rows, np.int64), said


def _learnable(sheet: MarkSheet, said: Sequence[tuple[int, ...]]) -> tuple[list[ObjectClass], list[str]]:
    """Return the classes of which enough was marked, and what to tell of the others."""
    what, many = ("box", "boxes") if sheet.kind == "boxes" else ("object", "objects")
    if not said:
        raise NotReadyError(
            f"no {what} has a class yet",
            f"a few {many} of each class",
            f"choose a class and click {many} of it, then those of another",
        )
    total, found, notes = len(said), [], []
    for one in sheet.classes:
        has = sum(one.id in answer for answer in said)
        enough = has >= LEAST and (sheet.choice == "single" or total - has >= LEAST)
        if enough:
            found.append(one)
        elif has or sheet.choice == "multi":
            lacks = "with" if has < LEAST else "without"
            notes.append(f"“{one.name}” is left out: {LEAST} {many} {lacks} it are needed at least.")
    if sheet.choice == "single" and len(found) < 2:
        counts = ", ".join(f"{sum(one.id in a for a in said)} of “{one.name}”" for one in sheet.classes)
        raise NotReadyError(
            f"there is nothing to tell apart yet: {counts}",
            f"two classes with {LEAST} marked {many} each, better 10",
            f"mark {many} of another class, too",
        )
    if not found:
        raise NotReadyError(
            "no attribute can be learned yet: " + " ".join(notes),
            f"{LEAST} {many} with an attribute and {LEAST} without, better 10",
            f"mark more {many}; one that has none of the attributes is marked, too",
        )
    return found, notes


def _embedding(seen: npt.NDArray[np.float32], network: str, name: str) -> Embedding | None:
    """Return the directions in which embeddings of all objects differ most; the largest has a spread of 1."""
    if not network or not seen.shape[1] or len(seen) < 3:
        return None
    mean: Float64Array = np.nanmean(seen, axis=0, dtype=np.float64)
    off = np.nan_to_num(seen[:_MOST_OBJECTS] - mean)
    _, strength, axes = np.linalg.svd(off, full_matrices=False)
    kept = strength > 1e-6 * max(strength[0], 1e-12)
    axes = axes[kept][:COMPONENTS]
    if not len(axes):
        return None
    spread = strength[0] / np.sqrt(len(off))
    return Embedding(network=network, name=name, mean=tuple(mean.tolist()), axes=as_rows((axes / spread).tolist()))


@dataclass(frozen=True)
class _Fit:
    """An output, and the probabilities that it gave objects that were left out."""

    output: Output
    held_out: Float64Array
    truth: BoolArray

    def turned(self) -> _Fit:
        """Return the fit of the contrary."""
        output = self.output
        other = output.model_copy(
            update={
                "weights": tuple(-weight for weight in output.weights),
                "intercept": -output.intercept,
                "trees": None if output.trees is None else output.trees.turned(),
                "offset": -output.offset,
            }
        )
        return replace(self, output=other, held_out=1 - self.held_out, truth=~self.truth)


def _fit(inputs: Float64Array, truth: BoolArray, seed: int) -> _Fit:
    from sklearn.model_selection import StratifiedKFold

    folds = max(2, min(FOLDS, int(truth.sum()), int((~truth).sum())))
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    parts = [(a, b) for a, b in split.split(inputs, truth)]
    linear = np.zeros((len(STRENGTHS), len(truth)))
    trees = np.zeros(len(truth))
    for fitting, left_out in parts:
        for row, strength in enumerate(STRENGTHS):
            weights, intercept = _linear(inputs[fitting], truth[fitting], strength)
            linear[row, left_out] = sigmoid(inputs[left_out] @ weights + intercept)
        trees[left_out] = _forest(inputs[fitting], truth[fitting], seed, _TRIAL_TREES).probability(inputs[left_out])
    best = int(np.argmin([_loss(one, truth) for one in linear]))
    share = min(SHARES, key=lambda one: _loss((1 - one) * linear[best] + one * trees, truth))
    held_out = (1 - share) * linear[best] + share * trees
    slope, offset = _calibration(held_out, truth)
    weights, intercept = _linear(inputs, truth, STRENGTHS[best])
    output = Output(
        weights=tuple(weights.tolist()),
        intercept=intercept,
        trees=_forest(inputs, truth, seed),
        share=share,
        slope=slope,
        offset=offset,
    )
    return _Fit(output, calibrated(held_out, slope, offset), truth)


def _linear(inputs: Float64Array, truth: BoolArray, strength: float) -> tuple[Float64Array, float]:
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(
            C=strength, l1_ratio=1.0, solver="liblinear", intercept_scaling=10.0, max_iter=200, random_state=0
        )
        model.fit(inputs, truth)
    return model.coef_[0], float(model.intercept_[0])


def _forest(inputs: Float64Array, truth: BoolArray, seed: int, trees: int = TREES) -> Trees:
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(trees, max_features=None, random_state=seed)
    return Trees.of(model.fit(inputs, truth))


def _loss(probability: Float64Array, truth: BoolArray) -> float:
    kept = np.clip(np.where(truth, probability, 1 - probability), 1e-3, 1)
    return float(-np.log(kept).mean())


def _calibration(probability: Float64Array, truth: BoolArray) -> tuple[float, float]:
    """Return slope and offset that make probabilities of objects that were left out right (Platt 1999).

    A few objects hardly move them away from 1 and 0.
    """
    from scipy.optimize import minimize

    kept = np.clip(probability, 1e-3, 1 - 1e-3)
    logit = np.log(kept / (1 - kept))

    def cost(values: Float64Array) -> float:
        fitted = sigmoid(values[0] * logit + values[1])
        prior = _PRIOR / 2 * (np.log(max(values[0], 1e-3)) ** 2 + values[1] ** 2)
        return len(truth) * _loss(fitted, truth) + float(prior)

    found = minimize(cost, np.array([1.0, 0.0]), method="Nelder-Mead")
    return float(np.clip(found.x[0], 0.2, CLIP)), float(np.clip(found.x[1], -CLIP, CLIP))


def _measured(
    fits: Sequence[_Fit], classes: Sequence[ObjectClass], sheet: MarkSheet, said: Sequence[tuple[int, ...]]
) -> Measured:
    held_out = np.stack([fit.held_out for fit in fits], axis=1)
    truth = np.stack([fit.truth for fit in fits], axis=1)
    if sheet.choice == "single":
        asked = truth.any(axis=1)
        shares = held_out[asked] / np.maximum(held_out[asked].sum(axis=1, keepdims=True), 1e-12)
        sure, right = shares.max(axis=1), shares.argmax(axis=1) == truth[asked].argmax(axis=1)
    else:
        sure = np.maximum(held_out, 1 - held_out).ravel()
        right = ((held_out >= 0.5) == truth).ravel()
    marked = {one.name: sum(one.id in answer for answer in said) for one in classes}
    return Measured(accuracy=float(right.mean()), calibration_error=calibration_error(sure, right), marked=marked)


def calibration_error(sure: npt.NDArray[np.floating], right: BoolArray, bins: int = 10) -> float:
    """Return the mean difference between how sure it was and how often it was right, in bins of sureness."""
    place = np.minimum((np.asarray(sure, np.float64) * bins).astype(np.int64), bins - 1)
    count = np.bincount(place, minlength=bins)
    gap = np.abs(np.bincount(place, sure, bins) - np.bincount(place, right, bins))
    return float(gap.sum() / max(1, count.sum()))
