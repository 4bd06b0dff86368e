"""Write labels region by region to TIFF, OME-Zarr or a WEBKNOSSOS dataset, moved into place at the end."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, VolumeError
from ..geometry import Region, Triple, triple
from .atomic import beside, move_into_place, refuse_existing, storage_errors
from .level import describe
from .place import Place
from .units import VoxelSize
from .webknossos.write import ENDING as DATASET
from .webknossos.write import DatasetTarget, check_known
from .write_tiff import TiffTarget
from .write_zarr import ZarrTarget

ENDINGS = (".tif", ".tiff", ".ome.zarr", ".zarr", DATASET)


class Target(Protocol):
    """A file format that labels can be written to by region."""

    def write(self, region: Region, labels: npt.NDArray[Any]) -> None:
        """Store labels, shape (z, y, x), at a region."""
        ...

    def finish(self) -> None:
        """Flush everything to the disk."""
        ...

    def abandon(self) -> None:
        """Let go of the file without finishing it."""
        ...


class LabelsWriter:
    """A context manager that writes labels region by region.

    The output appears under its name only when the block ends without an error; before that it lies beside, and
    after an error nothing is left. Voxels that are never written are 0. Writes may come from several threads; one
    is done at a time, since zarr has no lock.

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

    Raises
    ------
    ConfigError
        If the ending is none of these, or a WEBKNOSSOS dataset is to be written without a voxel size.
    OutputExistsError
        If there is something at `path`.
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
    ) -> None:
        self.path = Path(path)
        self.shape = triple(shape)
        self.dtype = labels_dtype(max_id)
        check_output(self.path)
        flat = axes == "yx" if axes else self.shape[0] == 1
        if flat and self.shape[0] != 1:
            raise ConfigError(f"{self.shape[0]} sections cannot be written as yx", "axes zyx", "leave axes out")
        check_voxel_size_for(self.path, voxel_size)
        self._lock = threading.Lock()
        self._voxel_size, self._axes, self._chunks = voxel_size, "yx" if flat else "zyx", chunks
        self._place = place
        self._temporary = beside(self.path)
        self._target: Target | None = None

    def __enter__(self) -> LabelsWriter:
        with storage_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._target = self._make()
            except BaseException:
                self._remove()
                raise
        return self

    def _make(self) -> Target:
        ending = self.path.suffix.lower()
        if ending == DATASET:
            size = check_known(self.path, self._voxel_size)
            return DatasetTarget(self._temporary, self.shape, self.dtype, size, self._place)
        make = ZarrTarget if ending == ".zarr" else TiffTarget
        return make(self._temporary, self.shape, self.dtype, self._axes, self._voxel_size, self._chunks)

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
        if self._target is None:
            raise RuntimeError("LabelsWriter must be entered before it is written to")
        if labels.shape != region.shape or not Region.from_shape(self.shape).contains(region):
            raise VolumeError(
                f"labels of shape {labels.shape} do not fit {describe(region)} of {self.path.name}",
                f"the shape {region.shape} of the region, inside {self.shape}",
                "write labels of the region's own shape",
            )
        if region.empty:
            return
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high > np.iinfo(self.dtype).max:
            raise VolumeError(
                f"the id {low if low < 0 else high} does not fit into {self.path.name}",
                f"ids from 0 to {np.iinfo(self.dtype).max:,} ({self.dtype})",
                "give the largest id as max_id",
            )
        with self._lock, storage_errors(self.path):
            self._target.write(region, labels.astype(self.dtype, copy=False))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        target, self._target = self._target, None
        if target is None:
            return
        try:
            if kind is not None:
                target.abandon()
                return
            refuse_existing(self.path)
            with storage_errors(self.path):
                target.finish()
                move_into_place(self._temporary, self.path)
        finally:
            self._remove()

    def _remove(self) -> None:
        if self._temporary.is_dir():
            shutil.rmtree(self._temporary, ignore_errors=True)
        with contextlib.suppress(OSError):
            self._temporary.unlink(missing_ok=True)


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

    Examples
    --------
    >>> [str(labels_dtype(n)) for n in (255, 256, 70000, None)]
    ['uint8', 'uint16', 'int32', 'int32']
    """
    if max_id is not None and max_id <= np.iinfo(np.uint16).max:
        return np.dtype(np.uint8 if max_id <= np.iinfo(np.uint8).max else np.uint16)
    return np.dtype(np.int32)
