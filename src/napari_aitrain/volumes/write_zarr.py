"""An OME-Zarr 0.5 labels image that is written by region."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from ..geometry import Region, Triple
from .atomic import sync_tree
from .units import VoxelSize

_CHUNKS = (64, 256, 256)


class ZarrTarget:
    """An OME-Zarr folder under construction; parameters are those of `TiffTarget`, and chunks are used."""

    def __init__(
        self,
        path: Path,
        shape: Triple,
        dtype: np.dtype[Any],
        axes: str,
        voxel_size: VoxelSize | None,
        chunks: Triple | None,
    ) -> None:
        self._path, self._flat = path, axes == "yx"
        count = len(axes)
        group = zarr.create_group(path, zarr_format=3)
        self._array = group.create_array(
            "0",
            shape=shape[-count:],
            dtype=dtype,
            chunks=tuple(min(n, c) for n, c in zip(shape, chunks or _CHUNKS, strict=True))[-count:],
            dimension_names=list(axes),
            fill_value=0,
        )
        group.attrs["ome"] = _metadata(axes, voxel_size)

    def write(self, region: Region, labels: npt.NDArray[Any]) -> None:
        """Store labels, shape (z, y, x), at a region."""
        if self._flat:
            self._array[region.slices[1:]] = labels[0]
        else:
            self._array[region.slices] = labels

    def finish(self) -> None:
        """Flush everything to the disk."""
        sync_tree(self._path)

    def abandon(self) -> None:
        """Zarr keeps no file open."""


def _metadata(axes: str, voxel_size: VoxelSize | None) -> dict[str, Any]:
    unit = {"unit": "nanometer"} if voxel_size else {}
    scale = list(voxel_size or (1.0, 1.0, 1.0))[-len(axes) :]
    return {
        "version": "0.5",
        "multiscales": [
            {
                "name": "labels",
                "axes": [{"name": axis, "type": "space", **unit} for axis in axes],
                "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}],
            }
        ],
        "image-label": {"version": "0.5"},
    }
