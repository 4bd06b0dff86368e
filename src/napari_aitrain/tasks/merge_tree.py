"""The merge tree of a segmentation into neurons: any threshold is a look-up table over fragments.

Agglomeration joins fragments one pair after another, the surest first. What it did is a spanning forest: each edge is
one merge with its score. Laid out so that every subtree is one run of neighbours, a threshold only cuts that row into
pieces, so that moving it costs a few passes over an array as long as there are fragments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order

from ..errors import ConfigError
from .matching import IntArray
from .protocol import FloatArray, LabelArray


@dataclass(frozen=True)
class Correction:
    """What a person said of two fragments: they are one neuron, or they are not.

    Parameters
    ----------
    kind : {'merge', 'split'}
        What is to be done, at every threshold.
    first, second : int
        Ids of the fragments.
    """

    kind: Literal["merge", "split"]
    first: int
    second: int


@dataclass(frozen=True, eq=False)
class MergeTree:
    """Fragments and the merges between them.

    Parameters
    ----------
    sizes : ndarray of int64, shape (n + 1,)
        Voxels per fragment; ``sizes[0]`` is the background.
    pairs : ndarray of int32, shape (m, 2)
        The two fragments whose contact made each merge: edges of a spanning forest.
    scores : ndarray of float32, shape (m,)
        0 … 1, how sure each merge is; non-increasing.

    Examples
    --------
    >>> tree = MergeTree(np.array([0, 5, 9, 2]), np.array([[1, 2], [3, 2]], np.int32), np.array([0.9, 0.4], np.float32))
    >>> tree.segments(0.5).tolist(), tree.segments(0.3).tolist()
    ([0, 2, 2, 3], [0, 2, 2, 2])
    """

    sizes: IntArray
    pairs: LabelArray
    scores: FloatArray

    def __len__(self) -> int:
        """Return the number of fragments."""
        return len(self.sizes) - 1

    @cached_property
    def _row(self) -> tuple[IntArray, FloatArray]:
        """The fragments in an order in which every subtree is a run, and the score of the merge before each.

        The score is −1 where nothing joins a fragment to the one before it.
        """
        count = len(self.sizes)
        parent, after, tail = list(range(count)), [0] * count, list(range(count))
        before = np.full(count, -1, np.float32)
        for (one, other), score in zip(self.pairs.tolist(), self.scores.tolist(), strict=True):
            while parent[one] != one:
                parent[one] = one = parent[parent[one]]
            while parent[other] != other:
                parent[other] = other = parent[parent[other]]
            # The head of a run is its root.
            parent[other] = one
            after[tail[one]] = other
            tail[one] = tail[other]
            before[other] = score
        order = np.empty(count - 1, np.int64)
        place = 0
        for head in range(1, count):
            if parent[head] == head:
                fragment = head
                while fragment:
                    order[place] = fragment
                    place += 1
                    fragment = after[fragment]
        return order, before[order]

    @cached_property
    def _ranks(self) -> tuple[IntArray, LabelArray]:
        """Rank by size of each fragment in the row, and the fragment of each rank; the lower id wins a tie."""
        by_size = np.lexsort((-np.arange(1, len(self.sizes)), self.sizes[1:])) + 1
        rank = np.empty(len(self.sizes), np.int64)
        rank[by_size] = np.arange(len(by_size))
        return rank[self._row[0]], by_size.astype(np.int32)

    def segments(self, threshold: float) -> LabelArray:
        """Return the segment of each fragment, all merges of at least the threshold being made.

        Parameters
        ----------
        threshold : float
            0 … 1; higher is more split.

        Returns
        -------
        ndarray of int32, shape (n + 1,)
            A segment is called by its largest fragment, so that it keeps its id, and colour, while it grows; entry 0
            is 0.
        """
        table = np.zeros(len(self.sizes), np.int32)
        order = self._row[0]
        starts, names = self._runs(threshold)
        table[order] = np.repeat(names, np.diff(starts, append=len(order)))
        return table

    def weakest(self, threshold: float) -> FloatArray:
        """Return the score of the least sure merge within each segment at a threshold, shape (n + 1,), by segment.

        It is 1 for a single fragment, and 0 where no segment has that id.
        """
        scores = np.zeros(len(self.sizes), np.float32)
        starts, names = self._runs(threshold)
        if len(starts):
            within = self._row[1].copy()
            within[starts] = 1
            scores[names] = np.minimum.reduceat(within, starts)
        return scores

    def _runs(self, threshold: float) -> tuple[IntArray, LabelArray]:
        """Return where the segments begin in the row of fragments, and what they are called."""
        cut = self._row[1] < np.float32(threshold)
        cut[:1] = True
        starts = np.flatnonzero(cut)
        if not len(starts):
            return starts, np.zeros(0, np.int32)
        rank, by_rank = self._ranks
        return starts, by_rank[np.maximum.reduceat(rank, starts)]

    def histogram(self, bins: int = 50) -> tuple[IntArray, npt.NDArray[np.float64]]:
        """Return how many merges have each score, and the ``bins + 1`` edges of the bins from 0 to 1."""
        counts, edges = np.histogram(self.scores, bins, (0, 1))
        return counts.astype(np.int64), edges

    def corrected(self, corrections: Sequence[Correction]) -> MergeTree:
        """Return the tree after corrections, the first one first; where they contradict, the last holds.

        *merge* adds an edge of score 1; if the two were joined already, the weakest merge between them goes.
        *split* removes the weakest merge between the two.

        Raises
        ------
        ConfigError
            If a fragment does not exist, or is merged with or split from itself.
        """
        pairs, scores = self.pairs, self.scores
        for correction in corrections:
            self._check(correction)
            weakest = self._weakest(pairs, correction.first, correction.second)
            if weakest is not None:
                pairs, scores = np.delete(pairs, weakest, axis=0), np.delete(scores, weakest)
            if correction.kind == "merge":
                pairs = np.insert(pairs, 0, (correction.first, correction.second), axis=0)
                scores = np.insert(scores, 0, 1)
        return MergeTree(self.sizes, pairs, scores)

    def _check(self, correction: Correction) -> None:
        for fragment in (correction.first, correction.second):
            if not 0 < fragment < len(self.sizes):
                raise ConfigError(
                    f"a correction names fragment {fragment}", f"1 to {len(self)}", "leave this correction out"
                )
        if correction.first == correction.second:
            raise ConfigError(
                f"a correction names fragment {correction.first} twice", "two fragments", "leave this correction out"
            )

    def _weakest(self, pairs: LabelArray, first: int, second: int) -> int | None:
        """Return the number of the last merge on the way between two fragments, or None if there is no way."""
        count = len(self.sizes)
        # Entries from 1 on: SciPy takes 0 for no edge.
        number = np.arange(1, len(pairs) + 1)
        graph = coo_array((number, (pairs[:, 0], pairs[:, 1])), shape=(count, count)).tocsr()
        _, reached_from = breadth_first_order(graph, first, directed=False, return_predecessors=True)
        if reached_from[second] < 0:
            return None
        way = [second]
        while way[-1] != first:
            way.append(int(reached_from[way[-1]]))
        ends = np.array(way)
        found = np.maximum(graph[ends[1:], ends[:-1]], graph[ends[:-1], ends[1:]])
        return int(np.max(found)) - 1

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the tree as named arrays, to be saved."""
        return {"sizes": self.sizes, "pairs": self.pairs, "scores": self.scores}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> MergeTree:
        """Return the tree that `arrays` was called on."""
        return cls(arrays["sizes"], arrays["pairs"], arrays["scores"])
