"""Uncertainty of an image, read region by region: never a whole volume at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import zarr

from ..geometry import Region, Triple
from ..inference.export_maps import task_of
from ..inference.store import StoredPrediction
from ..tasks.protocol import FloatArray


class UncertaintyMap(Protocol):
    """Where a model is unsure, 0 … 1, in voxels of a prediction."""

    @property
    def shape(self) -> Triple:
        """z, y, x."""
        ...

    def read(self, region: Region) -> FloatArray:
        """Return the uncertainty of a region, shape (z, y, x)."""
        ...


class ArrayMap:
    """Uncertainty in memory.

    Parameters
    ----------
    values : ndarray, shape (z, y, x)
        0 … 1.
    """

    def __init__(self, values: npt.NDArray[np.floating]) -> None:
        self._values = values

    @property
    def shape(self) -> Triple:
        """z, y, x."""
        z, y, x = self._values.shape
        return z, y, x

    def read(self, region: Region) -> FloatArray:
        """Return a part."""
        return np.asarray(self._values[region.slices], np.float32)


class StoredMargin:
    """The task's own uncertainty, from the maps of a stored prediction; the network is not run.

    Parameters
    ----------
    stored : StoredPrediction
        With its maps.
    """

    def __init__(self, stored: StoredPrediction) -> None:
        self._stored, self._task = stored, task_of(stored.info)

    @property
    def shape(self) -> Triple:
        """z, y, x."""
        return self._stored.shape

    def read(self, region: Region) -> FloatArray:
        """Return how near the model is to deciding otherwise."""
        return self._task.uncertainty(self._stored.maps(region))


class StoredMap:
    """Uncertainty in bytes on the disk, 255 for 1, as `write_disagreement` leaves it.

    Parameters
    ----------
    path : Path
        A zarr array.
    """

    def __init__(self, path: Path) -> None:
        self._array = zarr.open_array(path, mode="r")

    @property
    def shape(self) -> Triple:
        """z, y, x."""
        z, y, x = self._array.shape
        return z, y, x

    def read(self, region: Region) -> FloatArray:
        """Return a part."""
        values: FloatArray = np.divide(np.asarray(self._array[region.slices]), np.float32(255), dtype=np.float32)
        return values


def map_of(
    stored: StoredPrediction, measure: str, beside: Path, others: Sequence[str], write: Callable[[Path], None]
) -> UncertaintyMap:
    """Return the uncertainty of a stored prediction; what the network has to be run for is kept.

    Parameters
    ----------
    stored : StoredPrediction
        Of the model that is asked.
    measure : str
        See `SuggestSettings`.
    beside : Path
        Folder that maps are kept in, made if it is not there.
    others : sequence of str
        Fingerprints of what else goes in, such as other models.
    write : callable
        Writes the map to a path at which there is nothing.
    """
    if measure == "margin":
        return StoredMargin(stored)
    info = stored.info
    parts = (measure, info.model_fingerprint, info.image_fingerprint, info.start, info.shape, *others)
    path = beside / f"{measure}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}.zarr"
    if not path.exists():
        write(path)
    return StoredMap(path)
