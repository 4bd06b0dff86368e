"""A cheap fingerprint of a volume: what changes when the voxels do, from a bounded sample."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..geometry import Region, Triple
from ..location import Location, Url

_CORNER = (4, 32, 32)
_METADATA = ("zarr.json", ".zarray", ".zattrs", ".zgroup")


class _Readable(Protocol):
    @property
    def shape(self) -> Triple: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def region(self) -> Region: ...
    def read(self, region: Region) -> npt.NDArray[Any]: ...


def fingerprint_of(path: Location | None, volume: _Readable) -> str:
    """Return a hash of shape, dtype, the file's size and time, and three small pieces of the voxels.

    Parameters
    ----------
    path : Path, Url or None
        Where the volume lies; where it lies does not count, so a moved file keeps its fingerprint.
    volume : Volume
        What to read the pieces from.
    """
    digest = hashlib.sha256(repr((volume.shape, str(volume.dtype))).encode())
    for file in _files(path):
        stat = file.stat()
        digest.update(f"{stat.st_size} {stat.st_mtime_ns}".encode())
    for place in range(3):
        start = [place * max(0, n - c) // 2 for n, c in zip(volume.shape, _CORNER, strict=True)]
        corner = Region.from_shape(_CORNER, start).intersect(volume.region)
        digest.update(np.ascontiguousarray(volume.read(corner)).tobytes())
    return digest.hexdigest()[:32]


def _files(path: Location | None) -> list[Path]:
    if path is None or isinstance(path, Url):
        return []
    if path.is_file():
        return [path]
    return [path / name for name in _METADATA if (path / name).is_file()]
