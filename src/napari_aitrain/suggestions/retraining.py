"""When to train again: after so many new annotations, if a person wants that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import ndimage

from ..tasks.protocol import LabelArray

ENOUGH_PER_CLASS = (40, 50)
"""Examples of each class before a first training, as Annotation Lab advises."""
CHOICES = (50, 100, 200)


class RetrainPolicy(BaseModel):
    """What happens when new annotations have come."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Annotated[
        Literal["off", "ask", "automatic"], Field(description="Nothing, a question, or a training that begins.")
    ] = "off"
    after: Annotated[int, Field(ge=1, description="New annotations, such as 50, 100 or 200.")] = 100

    def is_due(self, annotations: int, trained_with: int) -> bool:
        """Return whether so many are new since the last training."""
        return self.mode != "off" and annotations - trained_with >= self.after

    def left(self, annotations: int, trained_with: int) -> int:
        """Return how many are missing until then."""
        return max(0, self.after - (annotations - trained_with))


def count_annotations(
    labels: Iterable[LabelArray], instances: bool, background: Iterable[int] = (0,)
) -> dict[int, int]:
    """Return how many annotations there are of each class.

    Parameters
    ----------
    labels : iterable of ndarray of int32, shape (z, y, x)
        What is painted in each box.
    instances : bool
        Whether labels are ids of objects, each of which is an annotation, all of them of class 1. Of classes every
        connected piece is one.
    background : iterable of int
        Ids that are none.
    """
    found: dict[int, int] = {}
    none = {0, *background}
    for part in labels:
        for name in np.unique(part).tolist():
            if name in none:
                continue
            pieces = 1 if instances else int(ndimage.label(part == name)[1])
            key = 1 if instances else int(name)
            found[key] = found.get(key, 0) + pieces
    return found


def hint(counts: Mapping[int, int], names: Mapping[int, str], instances: bool) -> str:
    """Return what a person should know of how much is labelled; empty if it is enough.

    Examples
    --------
    >>> hint({1: 12, 2: 60}, {1: "mitochondria", 2: "vesicles", 3: "nuclei"}, instances=False)
    '40–50 examples of each class are advised before a first training: mitochondria has 12, nuclei has 0.'
    >>> hint({1: 55}, {}, instances=True)
    ''
    """
    low, high = ENOUGH_PER_CLASS
    if instances:
        count = sum(counts.values())
        return "" if count >= low else f"{low}–{high} objects are advised before a first training; there are {count}."
    known = {number: names.get(number, f"class {number}") for number in sorted({*counts, *names} - {0})}
    few = [f"{name} has {counts.get(number, 0)}" for number, name in known.items() if counts.get(number, 0) < low]
    return f"{low}–{high} examples of each class are advised before a first training: {', '.join(few)}." if few else ""
