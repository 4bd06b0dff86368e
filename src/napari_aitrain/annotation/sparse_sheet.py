"""A sheet: what was painted at one magnification, of which only painted chunks are on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from ..geometry import Region, Triple, triple
from ..volumes.atomic import atomic_folder, storage_errors
from ..volumes.level import READ_ERRORS
from ..volumes.opened import damaged

CHUNK: Triple = (32, 128, 128)
FLAT_CHUNK: Triple = (1, 512, 512)


def chunk_of(shape: Triple) -> Triple:
    """Return the shape of a chunk of labels of this shape, which is what is saved at once."""
    return FLAT_CHUNK if shape[0] == 1 else CHUNK


class Sheet:
    """An int32 array on disk; a chunk that holds no label has no file.

    Parameters
    ----------
    path : Path
        A zarr array, as `create` makes it.

    Raises
    ------
    VolumeError
        If it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            array: zarr.Array[Any] = zarr.open_array(path, mode="r+")
        except (*READ_ERRORS, TypeError) as error:
            raise damaged(path, error) from error
        self._array = array
        self._flat = array.ndim == 2
        self.shape: Triple = triple([1, *array.shape] if self._flat else array.shape)
        self.chunk: Triple = triple([1, *array.chunks] if self._flat else array.chunks)

    @classmethod
    def create(cls, path: Path, shape: Triple) -> Sheet:
        """Make an empty sheet; of one slice it has the axes y and x alone.

        Raises
        ------
        StorageError
            If the disk is full or read-only.
        """
        count = 2 if shape[0] == 1 else 3
        with atomic_folder(path) as part, storage_errors(path):
            add_array(part, shape[-count:], "zyx"[-count:], chunk_of(shape)[-count:])
        return cls(path)

    def read(self, region: Region) -> npt.NDArray[np.int32]:
        """Return labels, shape (z, y, x); 0 where nothing was painted.

        Raises
        ------
        VolumeError
            If a chunk is damaged.
        """
        try:
            values = np.asarray(self._array[region.slices[1:] if self._flat else region.slices], np.int32)
        except READ_ERRORS as error:
            raise damaged(self.path, error) from error
        return values.reshape(region.shape)

    def write(self, region: Region, labels: npt.NDArray[np.int32]) -> None:
        """Store labels of a region; each chunk is replaced in one step, and removed when nothing is left in it.

        Raises
        ------
        StorageError
            If the disk is full, read-only or has gone.
        """
        with storage_errors(self.path):
            if self._flat:
                self._array[region.slices[1:]] = labels[0]
            else:
                self._array[region.slices] = labels

    def painted(self) -> Iterator[Region]:
        """Yield the regions of the chunks that hold labels; only names of files are looked at."""
        for file in sorted((self.path / "c").rglob("*")):
            parts = file.relative_to(self.path / "c").parts
            if len(parts) == self._array.ndim and all(part.isdigit() for part in parts) and file.is_file():
                number = triple([0, *map(int, parts)] if self._flat else [int(part) for part in parts])
                start = [n * size for n, size in zip(number, self.chunk, strict=True)]
                yield Region.from_shape(self.chunk, start).intersect(Region.from_shape(self.shape))


def add_array(path: Path, shape: tuple[int, ...], axes: str, chunks: tuple[int, ...]) -> None:
    """Make an empty zarr array of labels."""
    zarr.create_array(
        path,
        shape=shape,
        chunks=tuple(min(n, size) for n, size in zip(shape, chunks, strict=True)),
        dtype=np.int32,
        fill_value=0,
        zarr_format=3,
        dimension_names=list(axes),
    )
