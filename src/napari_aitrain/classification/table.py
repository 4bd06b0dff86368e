"""The table of features: one row per object or box, one column per feature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import VolumeError
from ..inference.archive import read_arrays, write_archive
from ..inference.tables import Columns
from .sums import Float64Array, IntArray

PRECISE = 5
"""Digits of a feature in a CSV."""


@dataclass(frozen=True)
class FeatureTable:
    """Features of objects.

    Parameters
    ----------
    ids : ndarray of int64, shape (k,)
        Rising.
    names : tuple of str
        Of the columns of `values`.
    values : ndarray of float64, shape (k, n)
        NaN where a feature is not defined, such as the contrast of an object without surroundings.
    centre : ndarray, shape (k, 3)
        Middle of the object, z, y, x, in voxels of the labels.
    unit : {'µm', 'voxel'}
        Of length, in all features.
    dims : {2, 3}
        Whether objects are areas or volumes.
    channels : tuple of str
        Of the image; none where only labels were measured.
    kind : {'objects', 'boxes'}
        What the rows are.
    at_edge : ndarray of bool, shape (k,)
        Which objects the end of the image cuts.
    embedding : ndarray of float32, shape (k, e)
        Mean of what a network sees in each; e is 0 without a model.
    network : str
        Checksum of the weights that `embedding` is of.
    """

    ids: IntArray
    names: tuple[str, ...]
    values: Float64Array
    centre: Float64Array
    unit: str
    dims: int
    channels: tuple[str, ...]
    kind: str = "objects"
    at_edge: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    embedding: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    network: str = ""

    def __len__(self) -> int:
        return len(self.ids)

    def rows_of(self, ids: Sequence[int] | npt.NDArray[Any]) -> IntArray:
        """Return the rows of ids; −1 for those that are not in the table."""
        wanted = np.asarray(ids, np.int64)
        if not len(self):
            return np.full(len(wanted), -1, np.int64)
        rows = np.searchsorted(self.ids, wanted).clip(0, len(self) - 1)
        return np.where(self.ids[rows] == wanted, rows, -1)

    def columns(self) -> Columns:
        """Return the features as columns of a table for people, with units in their names."""
        found: dict[str, npt.NDArray[Any]] = {"id": self.ids}
        found |= {f"centre_{axis}": self.centre[:, number] for number, axis in enumerate("zyx")}
        if len(self.at_edge):
            found["at_edge"] = self.at_edge.astype(np.int8)
        for name, values in zip(self.names, self.values.T, strict=True):
            found[told(name, self.unit, self.dims)] = values
        return found

    def save(self, path: Path) -> None:
        """Write an NPZ file, without pickle."""
        about = {
            "names": np.asarray(self.names, np.str_), "channels": np.asarray(self.channels, np.str_),
            "about": np.asarray([self.unit, str(self.dims), self.kind, self.network], np.str_),
        }  # fmt: skip
        arrays = {name: getattr(self, name) for name in ("ids", "values", "centre", "at_edge", "embedding")}
        write_archive(path, {**arrays, **about})

    @classmethod
    def load(cls, path: Path) -> FeatureTable:
        """Read what `save` wrote.

        Raises
        ------
        VolumeError
            If it cannot be read.
        """
        try:
            arrays = read_arrays(path)
            unit, dims, kind, network = arrays.pop("about").tolist()
            names, channels = (tuple(arrays.pop(one).tolist()) for one in ("names", "channels"))
            return cls(**arrays, names=names, channels=channels, unit=unit, dims=int(dims), kind=kind, network=network)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise VolumeError(
                f"the table of features {path} cannot be read: {error}", "a table of features", "measure them again"
            ) from error


AREA, LENGTH = "size", ("surface", "length", "breadth", "thickness", "longest", "narrowest", "nearest", "nearest_5")


def told(name: str, unit: str, dims: int) -> str:
    """Return the name of a feature as people read it in a table.

    Examples
    --------
    >>> told("size", "µm", 3), told("surface", "voxel", 2), told("roundness", "µm", 2)
    ('volume_um3', 'perimeter_px', 'roundness')
    """
    short = {"µm": "um"}.get(unit, "px" if dims == 2 else "voxels")
    if name == AREA:
        return f"area_{short}2" if dims == 2 else f"volume_{short}3"
    if name == "surface":
        return f"perimeter_{short}" if dims == 2 else f"surface_{short}2"
    return f"{name}_{short}" if name in LENGTH else name
