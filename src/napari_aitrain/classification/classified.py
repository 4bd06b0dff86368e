"""What a classifier says of objects: the probability of each class, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .marks import Choice, ObjectClass
from .sums import IntArray

UNSURE = "unsure"


@dataclass(frozen=True)
class Classified:
    """What became of objects.

    Parameters
    ----------
    ids : ndarray of int64, shape (k,)
        Rising.
    classes : tuple of ObjectClass
        Classes, or attributes.
    choice : {'single', 'multi'}
        Which of both.
    probability : ndarray of float32, shape (k, n)
        Per class they sum to 1; per attribute each is on its own.
    """

    ids: IntArray
    classes: tuple[ObjectClass, ...]
    choice: Choice
    probability: npt.NDArray[np.float32]

    def best(self, attribute: int | None = None) -> tuple[IntArray, npt.NDArray[np.float32]]:
        """Return the most probable class of each object, by id, and its probability.

        Parameters
        ----------
        attribute : int, optional
            Id of an attribute: then it is this attribute or 0, the object has it not, whichever is more probable.
        """
        numbers = np.array([one.id for one in self.classes], np.int64)
        if attribute is None:
            column = self.probability.argmax(axis=1)
            sure = np.take_along_axis(self.probability, column[:, None], axis=1)[:, 0]
            return numbers[column], sure
        has = self.probability[:, int(np.flatnonzero(numbers == attribute)[0])]
        return np.where(has >= 0.5, attribute, 0), np.maximum(has, 1 - has)

    def columns(self, threshold: float = 0.0) -> dict[str, npt.NDArray[Any]]:
        """Return class and probabilities as columns of a table; what is less sure than a threshold is *unsure*."""
        found: dict[str, npt.NDArray[Any]] = {"id": self.ids}
        names = {one.id: one.name for one in self.classes}
        if self.choice == "single":
            best, sure = self.best()
            words = np.array([names[number] for number in best.tolist()], np.str_)
            found["class"] = np.where(sure >= threshold, words, UNSURE).astype(np.str_)
            found["probability"] = sure
        for column, one in enumerate(self.classes):
            if self.choice == "multi":
                has, sure = self.best(one.id)
                words = np.where(has == one.id, "yes", "no")
                found[one.name] = np.where(sure >= threshold, words, UNSURE).astype(np.str_)
            found[f"p_{one.name}"] = self.probability[:, column]
        return found

    def counts(self, threshold: float = 0.0) -> dict[str, int]:
        """Return how many objects are of each class or have each attribute, and how many are *unsure*."""
        if self.choice == "single":
            best, sure = self.best()
            kept = best[sure >= threshold]
            found = {one.name: int(np.count_nonzero(kept == one.id)) for one in self.classes}
            return found | {UNSURE: int(np.count_nonzero(sure < threshold))}
        found = {}
        for one in self.classes:
            has, sure = self.best(one.id)
            found[one.name] = int(np.count_nonzero((has == one.id) & (sure >= threshold)))
        return found
