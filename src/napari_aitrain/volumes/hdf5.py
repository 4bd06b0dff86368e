"""HDF5 through h5py: one dataset of a file, with what common programs write beside it."""

from __future__ import annotations

import importlib.util
import json
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import AitrainError, VolumeError
from ..geometry import FINEST
from ..location import Location
from .axes import Kind
from .lazy import READ_ERRORS
from .opened import Opened, damaged
from .units import VoxelSize, nanometres_per

SUFFIXES = (".h5", ".hdf5", ".hdf", ".he5")
_NAMES: dict[Kind, tuple[str, ...]] = {
    "image": ("raw", "image", "images", "data", "exported_data", "volume"),
    "labels": ("labels", "label", "neuron_ids", "masks", "mask", "gt", "segmentation", "exported_data"),
}


def open_hdf5(place: Location, kind: Kind, key: str | None, file: Any = None) -> Opened:
    """Open a dataset of a HDF5 file; nothing but metadata is read.

    Axes come from labels of dimensions, or from the axis tags of ilastik; voxel sizes from ``element_size_um``
    (ImageJ, PlantSeg) or ``resolution`` in nanometres with or without a unit (CREMI, MALA).

    Parameters
    ----------
    place : Path or Url
        The file.
    kind : {'image', 'labels'}
        Which dataset to look for where none is named.
    key : str or None
        Name of the dataset, such as ``/volumes/raw``.
    file : file object, optional
        What to read from instead of a path.

    Raises
    ------
    VolumeError
        If h5py is missing, the file is damaged, or it is not clear which dataset is meant; those that exist are listed.
    """
    if importlib.util.find_spec("h5py") is None:
        raise VolumeError(
            f"{place} is HDF5, which needs the package h5py",
            "h5py, which is not installed",
            'install it with: python -m pip install "napari-aitrain[hdf5]"; or convert the file to OME-Zarr',
        )
    import h5py

    try:
        opened = h5py.File(place if file is None else file, "r")
    except AitrainError:
        raise
    except READ_ERRORS as error:
        raise damaged(place, error) from error
    try:
        dataset = _choose(opened, place, kind, key)
        axes, voxel_size = _axes(dataset), _voxel_size(dataset)
    except BaseException:
        opened.close()
        raise
    array = Hdf5Array(dataset)
    weakref.finalize(array, opened.close)
    return Opened([(array, FINEST)], axes, voxel_size=voxel_size)


class Hdf5Array:
    """A dataset, whose file is closed with the last use of it."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self.shape: tuple[int, ...] = tuple(int(n) for n in dataset.shape)
        self.dtype: np.dtype[Any] = np.dtype(dataset.dtype)
        self.chunks: tuple[int, ...] | None = dataset.chunks

    def __getitem__(self, key: Any, /) -> Any:
        """Read by integers and slices."""
        return self._dataset[key]


def _choose(file: Any, place: Location, kind: Kind, key: str | None) -> Any:
    import h5py

    if key is not None:
        found = file.get(key) if key.strip("/") else None
        if isinstance(found, h5py.Dataset) and found.shape is not None:
            return found
    candidates = _datasets(file if key is None else file.get(key, file))
    named = [name for name in candidates if name.rpartition("/")[2].lower() in _NAMES[kind]]
    chosen = candidates if len(candidates) == 1 else named
    if len(chosen) == 1 and (key is None or key in file):
        return file[chosen[0]]
    listed = ", ".join(candidates) or "none at all"
    told = f"has no dataset {key!r}" if key is not None else f"holds {len(candidates)} datasets"
    raise VolumeError(
        f"{place} {told}, and it is not clear which one is meant" if key is None else f"{place} {told}",
        f"one of: {listed}",
        f"name the dataset after a colon, for example {place.name}:{min(candidates, default='/raw')}",
    )


def _datasets(group: Any) -> list[str]:
    """Return the names of the datasets of two axes and more, in all groups."""
    import h5py

    found: list[str] = []

    def look(_: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset) and node.shape is not None and len(node.shape) >= 2:
            found.append(node.name)

    if isinstance(group, h5py.Group):
        group.visititems(look)
    return found


def _axes(dataset: Any) -> str | None:
    tags = dataset.attrs.get("axistags")
    if isinstance(tags, (str, bytes)):
        try:
            letters = [str(axis["key"]).lower() for axis in json.loads(tags)["axes"]]
        except (ValueError, KeyError, TypeError):
            letters = []
    else:
        letters = [str(dim.label).lower()[:1] for dim in dataset.dims]
    usable = len(letters) == len(dataset.shape) and len(set(letters)) == len(letters) and {"y", "x"} <= set(letters)
    return "".join(letters) if usable and all(letters) else None


def _voxel_size(dataset: Any) -> VoxelSize | None:
    for name, unit in (("element_size_um", 1000.0), ("resolution", 1.0)):
        given = dataset.attrs.get(name)
        if given is None:
            continue
        said = dataset.attrs.get("unit", dataset.attrs.get("units"))
        named = nanometres_per(said.decode() if isinstance(said, bytes) else said) if said is not None else None
        return _three(given, unit if named is None or name == "element_size_um" else named)
    return None


def _three(given: Any, unit: float) -> VoxelSize | None:
    try:
        numbers: Sequence[float] = [float(n) * unit for n in np.asarray(given).ravel()]
    except (TypeError, ValueError):
        return None
    if len(numbers) != 3 or not all(np.isfinite(n) and n > 0 for n in numbers):
        return None
    z, y, x = numbers
    return z, y, x
