"""Compare predicted objects with ground truth, for every task whose labels are ids of objects."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .maps import unique_over_slices
from .protocol import Example
from .scoring import judge
from .tally import InstanceTally


def object_metrics(examples: Iterable[Example]) -> dict[str, float]:
    """Return average precision and more; ``score`` is the mean average precision at IoU 0.5 to 0.9."""
    nothing = np.zeros(0, np.int32)
    total = InstanceTally.count(nothing, nothing)
    for objects, truth, known in examples:
        if objects.extra.get("dims") == 2:
            truth = unique_over_slices(truth)
        prediction, truth, known = judge(objects.labels, truth, known)
        total += InstanceTally.count(prediction, truth, ignore=~known)
    metrics = total.metrics()
    return {"score": metrics["ap_mean"], **metrics}
