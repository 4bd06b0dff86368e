"""A forest of decision trees as plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, model_validator

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

Float64Array = npt.NDArray[np.float64]
_ROWS = 8192


class Trees(BaseModel):
    """Nodes of all trees in one list; the children of a node come after it.

    Parameters
    ----------
    roots : tuple of int
        Where trees begin.
    feature : tuple of int
        That a node looks at; −1 of a leaf.
    threshold : tuple of float
        Up to it the way goes left.
    left, right : tuple of int
        The nodes that follow.
    value : tuple of float
        Probability that a leaf gives.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    roots: tuple[int, ...]
    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        n = len(self.feature)
        parts = (self.threshold, self.left, self.right, self.value)
        if not self.roots or any(len(part) != n for part in parts) or not all(0 <= root < n for root in self.roots):
            raise ValueError("the trees are not whole")
        feature, left, right = (np.asarray(part, np.int64) for part in (self.feature, self.left, self.right))
        inner = np.flatnonzero(feature >= 0)
        for child in (left[inner], right[inner]):
            if ((child <= inner) | (child >= n)).any():
                raise ValueError("a node of a tree leads nowhere")
        if not np.isfinite([*self.threshold, *self.value]).all():
            raise ValueError("the numbers of the trees must be finite")
        return self

    @property
    def widest(self) -> int:
        """The last feature that is looked at."""
        return max(self.feature, default=-1)

    @classmethod
    def of(cls, forest: RandomForestClassifier) -> Trees:
        """Return a forest that was fitted to answers False and True."""
        # Numbers of single precision, as the forest sees them, or a value at a threshold would go the other way.
        roots, parts, start = [], [], 0
        for one in forest.estimators_:
            tree = one.tree_
            leaf = tree.children_left < 0
            share = tree.value[:, 0, :]
            parts.append(
                (
                    np.where(leaf, -1, tree.feature),
                    np.where(leaf, 0.0, tree.threshold),
                    np.where(leaf, 0, tree.children_left + start),
                    np.where(leaf, 0, tree.children_right + start),
                    share[:, 1] / share.sum(axis=1),
                )
            )
            roots.append(start)
            start += tree.node_count
        feature, threshold, left, right, value = (
            tuple(np.concatenate(part).tolist()) for part in zip(*parts, strict=True)
        )
        return cls(roots=tuple(roots), feature=feature, threshold=threshold, left=left, right=right, value=value)

    def turned(self) -> Trees:
        """Return trees that give the probability of the contrary."""
        return self.model_copy(update={"value": tuple(1 - value for value in self.value)})

    def probability(self, inputs: Float64Array) -> Float64Array:
        """Return the mean of what the trees say, shape (k,), of inputs of shape (k, n)."""
        feature, left, right = (np.asarray(part, np.int64) for part in (self.feature, self.left, self.right))
        threshold, value = np.asarray(self.threshold), np.asarray(self.value)
        seen = inputs.astype(np.float32).astype(np.float64)
        found = np.empty(len(seen))
        for start in range(0, len(seen), _ROWS):
            part = seen[start : start + _ROWS]
            at = np.broadcast_to(np.asarray(self.roots), (len(part), len(self.roots))).copy()
            rows = np.arange(len(part))[:, None]
            while (feature[at] >= 0).any():
                asked = feature[at]
                goes = part[rows, np.maximum(asked, 0)] <= threshold[at]
                at = np.where(asked < 0, at, np.where(goes, left[at], right[at]))
            found[start : start + _ROWS] = value[at].mean(axis=1)
        return found


def as_rows(values: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    """Return numbers as they are kept in JSON."""
    return tuple(tuple(float(value) for value in row) for row in values)
