"""Which of many things belong together: a union-find over one array, fed with pairs in batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

IdArray = npt.NDArray[np.int64]
IN_MEMORY = 2**22
"""Rows of a column that are held in memory; longer columns are files, whose pages the system may drop."""

_STEP = 2**20


def column(path: Path, shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return an array of zeros, in memory or, where it has many rows, in a file."""
    rows = shape if isinstance(shape, int) else shape[0]
    if rows <= IN_MEMORY:
        return np.zeros(shape, dtype)
    return np.lib.format.open_memmap(path, "w+", np.dtype(dtype), shape if isinstance(shape, tuple) else (shape,))


class Union:
    """Numbers ``0 … count − 1``, which are joined to groups that are called by their lowest number.

    It takes four bytes for each, or eight where there are more than 2³¹.

    Parameters
    ----------
    path : Path
        Of the file in which it is kept where there are many.
    count : int
        How many numbers there are.
    """

    def __init__(self, path: Path, count: int) -> None:
        self.lowest = column(path, count, np.int32 if count < 2**31 else np.int64)
        for first in range(0, count, _STEP):
            part = self.lowest[first : first + _STEP]
            part[...] = np.arange(first, first + len(part))

    def join(self, one: IdArray, other: IdArray) -> None:
        """Put the groups of ``one[i]`` and ``other[i]`` together, for every i.

        Notes
        -----
        A batch is a small graph over the lowest numbers of the groups that it names. Everything points at lower
        numbers, so there is no cycle.
        """
        ends = np.concatenate([self.find(one), self.find(other)])
        names, place = np.unique(ends, return_inverse=True)
        edges = place[: len(one)], place[len(one) :]
        graph = coo_array((np.ones(len(one), bool), edges), shape=(len(names),) * 2)
        if len(names):
            _, group = connected_components(graph, directed=False)
            _, first = np.unique(group, return_index=True)
            self.lowest[names] = names[first][group]

    def find(self, numbers: IdArray) -> IdArray:
        """Return the lowest number of the group of each, and shorten the ways to it."""
        found = self.lowest[numbers]
        while True:
            following = self.lowest[found]
            if np.array_equal(following, found):
                break
            found = following
        self.lowest[numbers] = found
        return found.astype(np.int64)
