"""Confidence intervals by bootstrap over boxes (Efron 1979): what figures would be, had other boxes been drawn.

Objects of one box are alike, so that boxes, not objects, are drawn anew. Counts of the drawn boxes are added before any
share is taken, as for the figure itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

REPLICATES, LEVEL = 1000, 0.95
Interval = tuple[float, float]
Float64Array = npt.NDArray[np.float64]


class Sums(Protocol):
    """Counts of a box, as a dataclass of numbers, arrays and other such dataclasses."""

    def metrics(self) -> dict[str, float]:
        """Return the figures that follow from the counts."""
        ...


def intervals(
    boxes: Sequence[Sums], replicates: int = REPLICATES, level: float = LEVEL, seed: int = 0
) -> dict[str, Interval]:
    """Return the interval in which each figure lies, of all boxes together.

    Parameters
    ----------
    boxes : sequence of Sums
        One per box. Of a single box nothing can be said: the result is empty.
    replicates : int
        How often as many boxes are drawn, with replacement.
    level : float
        Which share of these the interval holds (percentile method).
    seed : int
        Of the draws; the same boxes give the same intervals.
    """
    ends = [(1 - level) / 2, (1 + level) / 2]
    table = {name: np.quantile(values, ends) for name, values in replicates_of(boxes, replicates, seed).items()}
    return {name: (float(low), float(high)) for name, (low, high) in table.items()}


def replicates_of(boxes: Sequence[Sums], replicates: int = REPLICATES, seed: int = 0) -> dict[str, Float64Array]:
    """Return each figure in each replicate; equally many boxes of two models are drawn alike. Empty of a single box."""
    if len(boxes) < 2:
        return {}
    found: dict[str, list[float]] = {}
    for sums in _drawn(boxes, times_drawn(len(boxes), replicates, seed)):
        for name, value in sums.metrics().items():
            found.setdefault(name, []).append(value)
    return {name: np.asarray(values) for name, values in found.items()}


def times_drawn(count: int, replicates: int = REPLICATES, seed: int = 0) -> Float64Array:
    """Return how often each of `count` boxes is drawn in each replicate, shape (replicates, count)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(count, np.full(count, 1 / count), replicates).astype(np.float64)


def _drawn(boxes: Sequence[Any], times: Float64Array) -> Iterator[Any]:
    """Yield the sums of the boxes of each replicate."""
    first = boxes[0]
    columns = {field.name: _column([getattr(box, field.name) for box in boxes], times) for field in fields(first)}
    for row in zip(*columns.values(), strict=True):
        yield type(first)(**dict(zip(columns, row, strict=True)))


def _column(values: Sequence[Any], times: Float64Array) -> Sequence[Any]:
    """Return the weighted sums of a field; what is no count, such as ids of classes, is the same in all boxes."""
    if any(value is None for value in values):
        return [None] * len(times)
    if is_dataclass(values[0]):
        return list(_drawn(values, times))
    if isinstance(values[0], tuple):
        return [values[0]] * len(times)
    return list(np.tensordot(times, np.stack(values), 1))
