"""NPY and NPZ; plain arrays only, never pickled objects."""

from __future__ import annotations

import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy_format

from ..errors import VolumeError
from ..geometry import FINEST
from .axes import Kind
from .opened import Opened, damaged

_ERRORS = (OSError, ValueError, EOFError, zipfile.BadZipFile)
_KEYS: dict[Kind, tuple[str, ...]] = {
    "image": ("images", "image", "x", "raw", "data", "arr_0"),
    "labels": ("labels", "label", "masks", "mask", "y", "gt", "arr_0"),
}
_STACKS = {"images", "labels", "masks"}


def open_npy(path: Path) -> Opened:
    """Map a NPY file into memory without reading it.

    Raises
    ------
    VolumeError
        If it is damaged or holds Python objects.
    """
    try:
        return Opened([(np.load(path, mmap_mode="r", allow_pickle=False), FINEST)])
    except _ERRORS as error:
        raise damaged(path, error) from error


def open_npz(path: Path, kind: Kind, key: str | None) -> Opened:
    """Open one array of a NPZ file; it is decompressed when first read.

    Parameters
    ----------
    path : Path
        The file.
    kind : {'image', 'labels'}
        Which array to look for.
    key : str or None
        Name of the array; None takes the only one, or the one that is named like an image or like labels.

    Raises
    ------
    VolumeError
        If it is damaged, or it is not clear which array is meant; those that exist are listed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
        chosen = _choose(path, members, kind, key)
        array = NpzArray(path, chosen)
    except _ERRORS as error:
        if isinstance(error, VolumeError):
            raise
        raise damaged(path, error) from error
    # A file of many images, as data sets come: its first axis counts images, not channels.
    return Opened([(array, FINEST)], stack=chosen in _STACKS)


def _choose(path: Path, members: list[str], kind: Kind, key: str | None) -> str:
    known = [name for name in _KEYS[kind] if name in members]
    if key in members:
        return str(key)
    if key is None and len(members) == 1:
        return members[0]
    if key is None and known:
        return known[0]
    listed = ", ".join(members) or "none at all"
    raise VolumeError(
        f"{path} has no array {key!r}" if key else f"{path} holds several arrays and none is named as {kind} are",
        f"one array, or one of the names {', '.join(_KEYS[kind])}; found: {listed}",
        f"name the array after a colon, for example {path.name}:{members[0] if members else 'image'}",
    )


class NpzArray:
    """One array of a NPZ file; the header is read at once, the voxels by the first read."""

    def __init__(self, path: Path, key: str) -> None:
        self._path, self._key, self._stamp = path, key, path.stat().st_mtime_ns
        with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as file:
            version = npy_format.read_magic(file)
            read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
            self.shape, _, self.dtype = read(file)

    def __getitem__(self, key: Any) -> Any:
        return _load(self._path, self._key, self._stamp)[key]


@lru_cache(maxsize=4)
def _load(path: Path, key: str, stamp: int) -> npt.NDArray[Any]:
    """Decompress an array; `stamp` makes a changed file be read again."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            array: npt.NDArray[Any] = archive[key]
    except _ERRORS as error:
        raise damaged(path, error) from error
    return array
