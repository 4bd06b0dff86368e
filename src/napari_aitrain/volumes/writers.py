"""Write labels region by region to TIFF, OME-Zarr or a WEBKNOSSOS dataset, moved into place at the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, VolumeError
from ..geometry import Region, Triple
from ..location import Location
from .atomic import refuse_existing
from .place import Place
from .units import VoxelSize
from .webknossos.write import ENDING as DATASET
from .webknossos.write import DatasetTarget, check_known
from .write_placement import Placement, source_of
from .write_tiff import TiffTarget
from .write_zarr import Described, ZarrOptions, ZarrTarget
from .writing import Target, Writer

ENDINGS = (".tif", ".tiff", ".ome.zarr", ".zarr", DATASET)


class LabelsWriter(Writer):
    """A context manager that writes labels region by region.

    The output appears under its name only when the block ends without an error; before that it lies beside, and
    after an error nothing is left. Voxels that are never written are 0. Writes may come from several threads: those
    into different chunks or shards (`unit`) are done at once. A second process that writes the same output is refused.

    Parameters
    ----------
    path : str or Path
        Ends with ``.tif``, ``.tiff``, ``.zarr``, ``.ome.zarr``, or ``.webknossos`` for a dataset folder. Missing parent
        folders are made.
    shape : tuple of int
        In z, y, x order.
    voxel_size : tuple of float, optional
        Nanometres in z, y, x order.
    max_id : int, optional
        The largest id that will be written: the smallest type that holds it is used. None means int32.
    axes : {'zyx', 'yx'}, optional
        None makes a 2-D image of a volume that is one voxel thick.
    chunks : tuple of int, optional
        Chunk shape of a zarr, best that of the regions written.
    place : Place, optional
        Where the labels lie in a dataset; used by a WEBKNOSSOS dataset.
    options : ZarrOptions, optional
        How an OME-Zarr is stored.
    placement : Placement, optional
        Where an OME-Zarr lies in the world, instead of `voxel_size`; see `placement_on`.
    image : path or URL, optional
        The image that an OME-Zarr of labels names as its source, if that is an OME-Zarr itself.

    Raises
    ------
    ConfigError
        If the ending is none of these, or a WEBKNOSSOS dataset is to be written without a voxel size.
    OutputExistsError
        If there is something at `path`, or another process writes it.
    StorageError
        If the disk is full or read-only.

    Examples
    --------
    >>> with LabelsWriter("out.tif", (1, 4, 4), max_id=7) as writer:  # doctest: +SKIP
    ...     writer.write(Region((0, 0, 0), (1, 4, 4)), labels)
    """

    def __init__(
        self,
        path: str | Path,
        shape: Sequence[int],
        *,
        voxel_size: VoxelSize | None = None,
        max_id: int | None = None,
        axes: Literal["zyx", "yx"] | None = None,
        chunks: Triple | None = None,
        place: Place | None = None,
        options: ZarrOptions | None = None,
        placement: Placement | None = None,
        image: Location | str | None = None,
    ) -> None:
        super().__init__(path, shape)
        check_output(self.path)
        self.dtype = labels_dtype(max_id)
        flat = axes == "yx" if axes else self.shape[0] == 1
        if flat and self.shape[0] != 1:
            raise ConfigError(f"{self.shape[0]} sections cannot be written as yx", "axes zyx", "leave axes out")
        check_voxel_size_for(self.path, voxel_size)
        self._voxel_size, self._axes, self._chunks = voxel_size, "yx" if flat else "zyx", chunks
        self._place, self._options = place, options
        self._described = Described(
            placement=placement or Placement.of(voxel_size),
            max_id=max_id,
            source=None if image is None else source_of(image, self.path),
        )

    def _make(self, part: Path) -> Target:
        ending = self.path.suffix.lower()
        if ending == DATASET:
            size = check_known(self.path, self._voxel_size)
            return DatasetTarget(part, self.shape, self.dtype, size, self._place)
        common = (part, self.shape, self.dtype, self._axes, self._voxel_size, self._chunks)
        return ZarrTarget(*common, self._options, self._described) if ending == ".zarr" else TiffTarget(*common)

    def write(self, region: Region, labels: npt.NDArray[Any]) -> None:
        """Write labels at a region; a later write replaces an earlier one.

        Parameters
        ----------
        region : Region
            Inside the volume.
        labels : ndarray of int, shape (z, y, x)
            Ids of at most `max_id`.

        Raises
        ------
        VolumeError
            If the region is not inside, the shapes differ, or an id does not fit.
        StorageError
            If the disk is full or has gone.
        """
        self._check(region, labels)
        low, high = (int(labels.min()), int(labels.max())) if labels.size else (0, 0)
        if low < 0 or high > np.iinfo(self.dtype).max:
            raise VolumeError(
                f"the id {low if low < 0 else high} does not fit into {self.path.name}",
                f"ids from 0 to {np.iinfo(self.dtype).max:,} ({self.dtype})",
                "give the largest id as max_id",
            )
        self._store(region, labels.astype(self.dtype, copy=False))


class MapsWriter(Writer):
    """A context manager that writes maps in bytes, such as probabilities, region by region into an OME-Zarr.

    Parameters
    ----------
    path : str or Path
        Ends with ``.zarr`` or ``.ome.zarr``.
    shape : tuple of int
        In z, y, x order.
    names : sequence of str
        One per channel.
    options : ZarrOptions, optional
        How it is stored.
    placement : Placement, optional
        Where it lies in the world.

    Raises
    ------
    ConfigError
        If the ending is another one.
    OutputExistsError, StorageError
        See `LabelsWriter`.
    """

    def __init__(
        self,
        path: str | Path,
        shape: Sequence[int],
        names: Sequence[str],
        *,
        options: ZarrOptions | None = None,
        placement: Placement | None = None,
    ) -> None:
        super().__init__(path, shape)
        check_output(self.path)
        if self.path.suffix.lower() != ".zarr":
            raise ConfigError(
                f"maps cannot be written to {self.path.name!r}",
                "a name that ends with .ome.zarr",
                f"write for example {self.path.stem}.ome.zarr",
            )
        self._options = options
        name = self.path.name.removesuffix(".zarr").removesuffix(".ome")
        self._described = Described("image", name, placement or Placement(), channels=tuple(names))

    def _make(self, part: Path) -> Target:
        axes = "yx" if self.shape[0] == 1 else "zyx"
        return ZarrTarget(part, self.shape, np.dtype(np.uint8), axes, None, None, self._options, self._described)

    def write(self, region: Region, maps: npt.NDArray[np.uint8]) -> None:
        """Write maps, shape (c, z, y, x), at a region; errors are those of `LabelsWriter.write`."""
        self._check(region, maps)
        self._store(region, maps)


def check_output(path: Path) -> None:
    """Check, before any work is done, that labels could be written to `path`.

    Raises
    ------
    ConfigError
        If the ending is not known.
    OutputExistsError
        If there is something at `path`.
    """
    if not path.name.lower().endswith(ENDINGS):
        raise ConfigError(
            f"labels cannot be written to {path.name!r}",
            "a name that ends with " + ", ".join(ENDINGS),
            f"write for example {path.stem or 'labels'}.tif or {path.stem or 'labels'}.ome.zarr",
        )
    refuse_existing(path)


def check_voxel_size_for(path: Path, voxel_size: VoxelSize | None) -> None:
    """Check, before any work is done, that the voxel size is known if what is written to `path` needs it.

    Raises
    ------
    ConfigError
        If it is a WEBKNOSSOS dataset, and the voxel size is not known.
    """
    if path.suffix.lower() == DATASET:
        check_known(path, voxel_size)


def labels_dtype(max_id: int | None) -> np.dtype[Any]:
    """Return the smallest type for ids up to `max_id`; int32 if that is not known.

    Of the types of 32 bits the one with a sign comes first: more programs read it from a TIFF.

    Examples
    --------
    >>> [str(labels_dtype(n)) for n in (255, 256, 70000, 2**31, 2**32, None)]
    ['uint8', 'uint16', 'int32', 'uint32', 'uint64', 'int32']
    """
    types: list[type[np.integer[Any]]] = [np.uint8, np.uint16, np.int32, np.uint32, np.uint64]
    if max_id is None:
        return np.dtype(np.int32)
    return np.dtype(next(kind for kind in types if max_id <= np.iinfo(kind).max))
