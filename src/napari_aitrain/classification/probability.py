"""How the features of an object become the probability of a class: plain numbers, and what is done with them."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from .forest import Trees
from .sums import Float64Array

CLIP = 5.0
"""Standardised features farther out say no more."""

Row = tuple[float, ...]


class Output(BaseModel):
    """What gives the probability of one class against all others, or of an attribute.

    Parameters
    ----------
    weights : tuple of float
        Per standardised feature; most are 0.
    intercept : float
        Added to their sum.
    trees : Trees
        A forest on the same features.
    share : float
        Of the forest in the mean of both.
    slope, offset : float
        Of the logistic function that makes the mean a probability.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: Row
    intercept: Annotated[float, Field(allow_inf_nan=False)]
    trees: Trees | None = None
    share: Annotated[float, Field(ge=0, le=1)] = 0.0
    slope: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    offset: Annotated[float, Field(allow_inf_nan=False)] = 0.0


def transformed(values: Float64Array, names: tuple[str, ...], logarithmic: tuple[str, ...]) -> Float64Array:
    """Return features with the logarithm of those whose ratios count."""
    result = np.array(values, np.float64)
    for column, name in enumerate(names):
        if name in logarithmic:
            result[:, column] = np.log(np.maximum(result[:, column], 1e-9))
    return result


def standardised(values: Float64Array, mean: Float64Array, scale: Float64Array) -> Float64Array:
    """Return values in units of their spread; those that are not finite are 0."""
    found = (values - mean) / scale
    result: Float64Array = np.clip(np.where(np.isfinite(found), found, 0.0), -CLIP, CLIP)
    return result


def probability_of(output: Output, inputs: Float64Array) -> Float64Array:
    """Return the probability that an output gives."""
    linear = sigmoid(inputs @ np.asarray(output.weights) + output.intercept)
    if output.trees is None:
        mixed = linear
    else:
        mixed = (1 - output.share) * linear + output.share * output.trees.probability(inputs)
    return calibrated(mixed, output.slope, output.offset)


def calibrated(probability: Float64Array, slope: float, offset: float) -> Float64Array:
    """Return a probability whose logit is stretched and moved."""
    kept = np.clip(probability, 1e-4, 1 - 1e-4)
    return sigmoid(slope * np.log(kept / (1 - kept)) + offset)


def sigmoid(values: Float64Array) -> Float64Array:
    """Return the logistic function."""
    found: Float64Array = 1 / (1 + np.exp(-np.clip(values, -50, 50)))
    return found
