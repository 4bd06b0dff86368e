"""Labels on disk that are written chunk by chunk while a person paints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from ..geometry import FINEST, Region, Triple, magnified_shape, tiles, to_finest, triple
from ..volumes.atomic import storage_errors

_CHUNK: Triple = (32, 128, 128)
_FLAT_CHUNK: Triple = (1, 512, 512)


class LabelsStore:
    """One frame of a ground truth as an OME-Zarr image on the voxels of its image.

    Labels painted at a magnification are repeated, so that the file fits its image and any program can open it;
    read back at the magnification they are what was painted. Each chunk is replaced in one step.

    Parameters
    ----------
    path : Path
        Exists.
    magnification : tuple of int
        Of the labels in memory, in z, y, x order.
    """

    def __init__(self, path: Path, magnification: Triple = FINEST) -> None:
        self.path, self.magnification = path, magnification
        with storage_errors(path):
            array = zarr.open_array(path / "0", mode="r+")
        self._array: zarr.Array[Any] = array
        self._flat = array.ndim == 2
        self._finest = Region.from_shape((1, *array.shape) if self._flat else array.shape)
        self.shape = magnified_shape(self._finest.shape, magnification)

    @staticmethod
    def chunks_of(shape: Triple, magnification: Triple = FINEST) -> Triple:
        """Return the shape of a chunk on disk for an image of this shape."""
        small = LabelsStore.tile_of(magnified_shape(shape, magnification))
        return triple([min(n, c * m) for n, c, m in zip(shape, small, magnification, strict=True)])

    @staticmethod
    def tile_of(shape: Triple) -> Triple:
        """Return the shape of what is written at once, in voxels of the labels, for labels of this shape."""
        return _FLAT_CHUNK if shape[0] == 1 else _CHUNK

    def chunks(self) -> Iterator[Region]:
        """Yield every region that is written as one chunk, in voxels of the labels."""
        for tile in tiles(Region.from_shape(self.shape), self.tile_of(self.shape)):
            yield tile.core

    def write(self, region: Region, labels: npt.NDArray[np.int32]) -> None:
        """Store labels of a region that is one of `chunks`.

        Raises
        ------
        StorageError
            If the disk is full, read-only or has gone; the chunk is then as it was.
        """
        fine = to_finest(region, self.magnification).intersect(self._finest)
        for axis, factor in enumerate(self.magnification):
            if factor > 1:
                labels = labels.repeat(factor, axis=axis)
        dz, dy, dx = fine.shape
        labels = labels[:dz, :dy, :dx]
        with storage_errors(self.path):
            if self._flat:
                self._array[fine.slices[1:]] = labels[0]
            else:
                self._array[fine.slices] = labels

    def read(self, region: Region) -> npt.NDArray[np.int32]:
        """Return the labels of a region that is one of `chunks`, at the magnification; 0 where nothing was written."""
        fine = to_finest(region, self.magnification).intersect(self._finest)
        steps = tuple(slice(s.start, s.stop, m) for s, m in zip(fine.slices, self.magnification, strict=True))
        values = np.asarray(self._array[steps[1:] if self._flat else steps], np.int32)
        return values.reshape(region.shape)

    def stored(self) -> Iterator[tuple[Region, npt.NDArray[np.int32]]]:
        """Yield the regions that hold any label, and their labels, at the magnification."""
        for region in self.chunks():
            fine = to_finest(region, self.magnification).intersect(self._finest)
            if self._exists(fine):
                yield region, self.read(region)

    def _exists(self, fine: Region) -> bool:
        first = [start // size for start, size in zip(fine.start[-self._array.ndim :], self._array.chunks, strict=True)]
        return (self.path / "0" / self._array.metadata.encode_chunk_key(tuple(first))).exists()
