"""Learns to tell one class from all others, or an attribute: sparse logistic regression and a forest.

Twenty clicks and fifty features are few equations for many unknowns. What people tell apart follows mostly from a few
features; both methods find these: an L1 penalty (Tibshirani 1996) and trees that look at all features in each node
(Breiman 2001, with bagging alone). How much of each is chosen by what is left out.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .forest import Trees
from .probability import CLIP, Output, calibrated, sigmoid
from .sums import Float64Array

STRENGTHS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
"""Inverse strengths of the penalty that are tried."""
SHARES = (0.5, 0.75, 1.0)
"""Of the forest in the mean, that are tried."""
FOLDS, TREES = 5, 100
_TRIAL_TREES = 40
_PRIOR = 8.0
"""How many objects the guess that probabilities are right as they are counts for."""
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Fit:
    """What was learned, and how it did on objects that were left out in turn.

    Parameters
    ----------
    output : Output
        Learned from all objects.
    held_out : ndarray, shape (n,)
        Probabilities that objects got when they were left out.
    truth : ndarray of bool, shape (n,)
        Whether they have the class.
    """

    output: Output
    held_out: Float64Array
    truth: BoolArray

    def turned(self) -> Fit:
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


def fit_output(inputs: Float64Array, truth: BoolArray, seed: int) -> Fit:
    """Learn one output.

    Parameters
    ----------
    inputs : ndarray, shape (n, f)
        Standardised features of marked objects.
    truth : ndarray of bool, shape (n,)
        Whether they have the class.
    seed : int
        Of the trees, and of who is left out.
    """
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
    return Fit(output, calibrated(held_out, slope, offset), truth)


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
