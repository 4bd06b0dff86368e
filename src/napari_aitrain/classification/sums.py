"""What is summed over the voxels of objects: parts of an object in several blocks add up to the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sums:
    """Sums per object, one row each.

    Parameters
    ----------
    ids : ndarray of int64, shape (k,)
        Rising.
    count : ndarray, shape (k,)
        Voxels.
    mean : ndarray, shape (k, 3)
        Of the places of voxels, z, y, x, in units of length.
    second : ndarray, shape (k, 3, 3)
        Sums of the products of their distances from the mean.
    added : ndarray, shape (k, n)
        Whatever adds up.
    most : ndarray, shape (k, m)
        Whatever the largest counts of.
    pairs : ndarray of int64, shape (p, 2)
        Ids of objects that touch, the smaller one first; each pair once.
    """

    ids: IntArray
    count: Float64Array
    mean: Float64Array
    second: Float64Array
    added: Float64Array
    most: Float64Array
    pairs: IntArray

    def __len__(self) -> int:
        return len(self.ids)


def join(parts: Sequence[Sums]) -> Sums:
    """Return the sums of whole objects from those of their parts."""
    whole = {field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Sums)}
    pairs = np.unique(whole["pairs"], axis=0)
    if len(parts) == 1:
        return Sums(**{**whole, "pairs": pairs})
    order = np.argsort(whole["ids"], kind="stable")
    ids, first = np.unique(whole["ids"][order], return_index=True)
    if not len(ids):
        return Sums(**{**whole, "pairs": pairs})

    def total(values: Float64Array) -> Float64Array:
        return np.add.reduceat(values, first, axis=0)

    parted = {name: whole[name][order] for name in ("count", "mean", "second", "added", "most")}
    count = total(parted["count"])
    mean = total(parted["mean"] * parted["count"][:, None]) / count[:, None]
    # The parallel axis theorem: squares of large coordinates would lose what is small.
    owner = np.repeat(np.arange(len(ids)), np.diff(np.append(first, len(order))))
    shift = parted["mean"] - mean[owner]
    moved = parted["count"][:, None, None] * shift[:, :, None] * shift[:, None, :]
    return Sums(
        ids=ids,
        count=count,
        mean=mean,
        second=total(parted["second"] + moved),
        added=total(parted["added"]),
        most=np.maximum.reduceat(parted["most"], first, axis=0),
        pairs=pairs,
    )
