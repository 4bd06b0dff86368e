"""A dataset folder with one segmentation layer, zarr 3, that WEBKNOSSOS and its Python library open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import BloscCodec, TransposeCodec

from ...errors import ConfigError
from ...geometry import Region, Triple, format_magnification, magnified_shape, tiles, to_finest, triple
from ..atomic import sync_tree
from ..downsample import downsample_mode
from ..place import Place
from ..units import VoxelSize
from ..write_pyramid import next_factor
from .properties import PROPERTIES

ENDING = ".webknossos"
LAYER = "segmentation"
_CHUNK = 64
_BLOCK: Triple = (128, 256, 256)
_COARSEST = 256


class DatasetTarget:
    """A dataset under construction.

    Every magnification is an array with the axes c, x, y, z whose voxel 0 is the origin of the dataset; coarser ones
    are made at the end.

    Parameters
    ----------
    path : Path
        A new folder.
    shape : tuple of int
        In z, y, x order.
    dtype : dtype
        Of the ids; signed ones are written as unsigned.
    voxel_size : tuple of float
        Nanometres in z, y, x order.
    place : Place, optional
        Where the labels lie in a dataset; at its origin if not given.
    """

    def __init__(
        self, path: Path, shape: Triple, dtype: np.dtype[Any], voxel_size: VoxelSize, place: Place | None
    ) -> None:
        self._path = path
        self._place = place or Place(shape)
        self._dtype = np.dtype(f"u{dtype.itemsize}")
        m = self._place.magnification
        self._scale = [size / factor for size, factor in zip(voxel_size, m, strict=True)]
        self._largest = 0
        path.mkdir(parents=True)
        self._finest = self._create(m, self._place.region.stop)

    def _create(self, magnification: Triple, stop: Triple) -> zarr.Array[Any]:
        return zarr.create_array(
            self._path / LAYER / format_magnification(magnification),
            shape=(1, *stop[::-1]),
            chunks=(1, _CHUNK, _CHUNK, _CHUNK),
            dtype=self._dtype,
            filters=[TransposeCodec(order=(3, 2, 1, 0))],
            compressors=[BloscCodec(cname="zstd", clevel=5, shuffle="shuffle")],
            dimension_names=["c", "x", "y", "z"],
            fill_value=0,
        )

    def write(self, region: Region, labels: npt.NDArray[Any]) -> None:
        """Store labels, shape (z, y, x), at a region."""
        self._largest = max(self._largest, int(labels.max(initial=0)))
        _put(self._finest, region.shift(self._place.origin), labels)

    @property
    def unit(self) -> Triple:
        """What one writer should write at once, z, y, x."""
        return (_CHUNK, _CHUNK, _CHUNK)

    def finish(self) -> Path:
        """Write the coarser magnifications and the metadata, flush all to the disk, and return what to put in place."""
        mags = [self._place.magnification]
        array, region = self._finest, self._place.region
        while max(region.shape) > _COARSEST:
            factor = next_factor([s * f for s, f in zip(self._scale, mags[-1], strict=True)])
            coarse = Region(
                triple([a // f for a, f in zip(region.start, factor, strict=True)]),
                magnified_shape(region.stop, factor),
            )
            mags.append(triple([a * b for a, b in zip(mags[-1], factor, strict=True)]))
            smaller = self._create(mags[-1], coarse.stop)
            for tile in tiles(coarse, _BLOCK):
                block = to_finest(tile.core, factor)
                _put(smaller, tile.core, downsample_mode(_get(array, block)[None], factor)[0])
            array, region = smaller, coarse
        text = json.dumps(self._properties(mags), indent=2)
        (self._path / PROPERTIES).write_text(text + "\n", encoding="utf-8")
        sync_tree(self._path)
        return self._path

    def _properties(self, mags: list[Triple]) -> dict[str, Any]:
        box = self._place.finest
        depth, height, width = box.shape
        layer = {
            "name": LAYER,
            "category": "segmentation",
            "boundingBox": {"topLeft": list(box.start[::-1]), "width": width, "height": height, "depth": depth},
            "elementClass": str(self._dtype),
            "dataFormat": "zarr3",
            "numChannels": 1,
            "mags": [
                {
                    "mag": list(mag[::-1]),
                    "path": f"./{LAYER}/{format_magnification(mag)}",
                    "axisOrder": {"c": 0, "x": 1, "y": 2, "z": 3},
                }
                for mag in mags
            ],
            "largestSegmentId": self._largest,
        }
        return {
            "version": 1,
            "id": {"name": "", "team": ""},
            "scale": {"factor": self._scale[::-1], "unit": "nanometer"},
            "dataLayers": [layer],
        }


def check_known(path: Path, voxel_size: VoxelSize | None) -> VoxelSize:
    """Return the voxel size for a dataset at `path`.

    Raises
    ------
    ConfigError
        If it is unknown: WEBKNOSSOS opens no dataset without one.
    """
    if voxel_size is None:
        raise ConfigError(
            f"{path.name} needs a voxel size, and that of the image is not known",
            "the size of a voxel in nm: WEBKNOSSOS opens no dataset without it",
            "give --voxel-size Z,Y,X, or write a TIFF or OME-Zarr",
        )
    return voxel_size


def _put(array: zarr.Array[Any], region: Region, labels: npt.NDArray[Any]) -> None:
    array[(0, *region.slices[::-1])] = labels.transpose()


def _get(array: zarr.Array[Any], region: Region) -> npt.NDArray[Any]:
    """Read a region, which may begin or end outside of the array: there are zeros."""
    z, y, x = (min(n, stop) for n, stop in zip(array.shape[:0:-1], region.stop, strict=True))
    inside = Region(region.start, (z, y, x))
    out = np.zeros(region.shape, array.dtype)
    out[inside.relative_to(region.start).slices] = np.asarray(array[(0, *inside.slices[::-1])]).transpose()
    return out
