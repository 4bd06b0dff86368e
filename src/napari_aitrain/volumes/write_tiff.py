"""A compressed TIFF that is written by region, in any order: voxels wait in a store beside until all are there."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
import zarr

from ..geometry import Region, Triple, magnified_shape, triple
from .atomic import sync_file
from .tiff_metadata import VOXEL_SIZE
from .units import VoxelSize

CLASSIC_LIMIT = 2**32 - 2**25
"""Bytes of voxels from which a file is written as BigTIFF; the rest is room for headers and what does not shrink."""

IN_MEMORY = 2**27
"""Bytes of voxels up to which they wait in memory."""

PAGE_LIMIT = 2**26
"""Bytes of a section from which it is written in tiles, so that no whole section is ever in memory."""

_TILE = 512
_DEPTH = 32
_STRIP = 2**18
_BEST_RATIO = 1032
"""Deflate cannot make anything smaller than this."""


class TiffTarget:
    """A TIFF file under construction.

    It is compressed with deflate, which every reader knows. Types that ImageJ knows (8 and 16 bits) are written with
    its metadata, others, files of 4 GiB and more and huge sections with those of OME.

    Parameters
    ----------
    path : Path
        A new folder.
    shape : tuple of int
        In z, y, x order.
    dtype : dtype
        Of the voxels.
    axes : str
        ``zyx``, or ``yx`` if z is 1.
    voxel_size : tuple of float or None
        Nanometres in z, y, x order.
    chunks : tuple of int or None
        Not used: TIFF is stored in sections.
    """

    def __init__(
        self,
        path: Path,
        shape: Triple,
        dtype: np.dtype[Any],
        axes: str,
        voxel_size: VoxelSize | None,
        chunks: Triple | None,
    ) -> None:
        self._path, self._shape, self._dtype = path, shape, dtype
        self._axes, self._voxel_size = axes, voxel_size
        self._size = shape[0] * shape[1] * shape[2] * dtype.itemsize
        path.mkdir()
        _need(path, self._size // _BEST_RATIO)
        self._stage: Any = np.zeros(shape, dtype) if self._size <= IN_MEMORY else self._store()

    @property
    def unit(self) -> Triple:
        """What one writer should write at once, z, y, x."""
        return triple([min(n, u) for n, u in zip(self._shape, (_DEPTH, _TILE, _TILE), strict=True)])

    def write(self, region: Region, values: npt.NDArray[Any]) -> None:
        """Store labels, shape (z, y, x), at a region."""
        self._stage[region.slices] = values

    def finish(self) -> Path:
        """Write the file, flush it to the disk, and return it."""
        tiled = self._shape[1] * self._shape[2] * self._dtype.itemsize > PAGE_LIMIT
        imagej = self._dtype.itemsize <= 2 and self._size < CLASSIC_LIMIT and not tiled
        ome = not imagej and self._dtype.itemsize <= 4
        describe = _imagej_settings if imagej else _ome_settings if ome else _plain_settings
        settings = describe(self._axes, self._voxel_size)
        row = self._shape[2] * self._dtype.itemsize
        settings |= {"tile": (_TILE, _TILE)} if tiled else {"rowsperstrip": max(1, min(self._shape[1], _STRIP // row))}
        file = self._path / "labels.tif"
        with tifffile.TiffWriter(
            file, bigtiff=self._size >= CLASSIC_LIMIT, byteorder="<", imagej=imagej, ome=ome
        ) as writer:
            writer.write(
                self._tiles() if tiled else self._pages(),
                shape=self._shape[-len(self._axes) :],
                dtype=self._dtype,
                photometric="minisblack",
                compression="adobe_deflate",
                maxworkers=1,
                **settings,
            )
        self._stage = None
        sync_file(file)
        return file

    def _store(self) -> zarr.Array[Any]:
        chunk = triple([1, min(_TILE, self._shape[1]), min(_TILE, self._shape[2])])
        depth = min(_DEPTH, self._shape[0])
        return zarr.create_array(
            self._path / "stage.zarr",
            shape=self._shape,
            dtype=self._dtype,
            chunks=chunk,
            shards=(depth, *chunk[1:]),
            fill_value=0,
        )

    def _pages(self) -> Iterator[npt.NDArray[Any]]:
        for z in range(self._shape[0]):
            yield np.asarray(self._stage[z])

    def _tiles(self) -> Iterator[npt.NDArray[Any]]:
        rows, columns = magnified_shape(self._shape, (1, _TILE, _TILE))[1:]
        for z, j, i in itertools.product(range(self._shape[0]), range(rows), range(columns)):
            part = np.asarray(self._stage[z, j * _TILE : (j + 1) * _TILE, i * _TILE : (i + 1) * _TILE])
            yield np.pad(part, [(0, _TILE - n) for n in part.shape])


def _imagej_settings(axes: str, voxel_size: VoxelSize | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"axes": axes.upper()}
    if voxel_size is None:
        return {"metadata": metadata}
    z, y, x = voxel_size
    metadata["unit"] = "nm"
    if "z" in axes:
        metadata["spacing"] = z
    return {"metadata": metadata, "resolution": (1 / x, 1 / y), "resolutionunit": "NONE"}


def _ome_settings(axes: str, voxel_size: VoxelSize | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"axes": axes.upper()}
    for axis, size in zip("ZYX", voxel_size or (), strict=False):
        if axis.lower() in axes:
            metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "nm"}
    return {"metadata": metadata}


def _plain_settings(axes: str, voxel_size: VoxelSize | None) -> dict[str, Any]:
    # The tags of TIFF know no z, and tifffile keeps other metadata as JSON.
    metadata: dict[str, Any] = {"axes": axes.upper()}
    if voxel_size is None:
        return {"metadata": metadata}
    _, y, x = voxel_size
    metadata[VOXEL_SIZE] = list(voxel_size[-len(axes) :])
    return {"metadata": metadata, "resolution": (1e7 / x, 1e7 / y), "resolutionunit": "CENTIMETER"}


def _need(path: Path, size: int) -> None:
    """Raise the system's own error if the disk lacks room for `size` bytes."""
    if shutil.disk_usage(path).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
