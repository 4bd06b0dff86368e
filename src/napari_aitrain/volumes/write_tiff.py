"""A TIFF that is written by region through memory mapping, uncompressed."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from ..geometry import Region, Triple
from .atomic import sync_file
from .units import VoxelSize

CLASSIC_LIMIT = 2**32 - 2**20
"""Bytes of voxels from which a file is written as BigTIFF; the rest is room for the headers."""


class TiffTarget:
    """A TIFF file under construction.

    Types that ImageJ knows (8 and 16 bits) are written with its metadata, others and files of more than 4 GB with
    those of OME.

    Parameters
    ----------
    path : Path
        A new file; its name needs no ending.
    shape : tuple of int
        In z, y, x order.
    dtype : dtype
        Of the voxels.
    axes : str
        ``zyx``, or ``yx`` if z is 1.
    voxel_size : tuple of float or None
        Nanometres in z, y, x order.
    chunks : tuple of int or None
        Not used: TIFF is stored in rows.
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
        self._path, self._shape = path, shape
        size = shape[0] * shape[1] * shape[2] * dtype.itemsize
        _need(path, size)
        imagej = dtype.itemsize <= 2 and size < CLASSIC_LIMIT
        settings = _imagej_settings(axes, voxel_size) if imagej else _ome_settings(axes, voxel_size)
        mapped = tifffile.memmap(
            path,
            shape=shape[-len(axes) :],
            dtype=dtype,
            byteorder="<",
            photometric="minisblack",
            imagej=imagej,
            ome=not imagej,
            bigtiff=size >= CLASSIC_LIMIT,
            **settings,
        )
        _reserve(path)
        self._mapped: np.memmap[Any, Any] | None = mapped

    def write(self, region: Region, labels: npt.NDArray[Any]) -> None:
        """Store labels, shape (z, y, x), at a region."""
        assert self._mapped is not None
        self._mapped.reshape(self._shape)[region.slices] = labels

    def finish(self) -> None:
        """Flush everything to the disk."""
        assert self._mapped is not None
        self._mapped.flush()
        self.abandon()
        sync_file(self._path)

    def abandon(self) -> None:
        """Let go of the file, so that Windows can rename or remove it."""
        self._mapped = None


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


def _need(path: Path, size: int) -> None:
    """Raise the system's own error if the disk lacks room for `size` bytes."""
    if shutil.disk_usage(path.parent).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _reserve(path: Path) -> None:
    """Claim the disk space of the whole file: a mapped file with holes kills the process on a full disk."""
    if hasattr(os, "posix_fallocate"):
        with open(path, "rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
