"""A copy of an image that is nowhere on disk, so that a worker can read it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zarr

from ..errors import StorageError
from ..geometry import tiles
from ..volumes import Volume
from ..volumes.atomic import atomic_folder, storage_errors

_CHUNK = (32, 128, 128)
_FLAT_CHUNK = (1, 512, 512)
_DIGITS = 8


def copy_path(volume: Volume, folder: Path) -> Path:
    """Return where the copy of an image lies, or would lie: its name and its voxels name it."""
    return folder / f"{_stem(volume.name)}-{volume.fingerprint[:_DIGITS]}.zarr"


def copies_of(name: str, folder: Path) -> list[Path]:
    """Return the copies of images of a name, the newest first; one that had other voxels is another copy."""
    pattern = re.compile(rf"{re.escape(_stem(name))}-[0-9a-f]{{{_DIGITS}}}\.zarr")
    found = [path for path in folder.glob("*.zarr") if pattern.fullmatch(path.name)]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def bytes_of(volume: Volume) -> int:
    """Return the size of an image in memory."""
    return volume.region.size * len(volume.channels) * volume.dtype.itemsize


def copy_image(volume: Volume, folder: Path, most: int, tell: Callable[[float], None] | None = None) -> Path:
    """Copy an image once, and return where the copy lies.

    Parameters
    ----------
    volume : Volume
        What is copied.
    folder : Path
        Exists; a copy that lies there already is taken.
    most : int
        Bytes of the largest image that is copied without being asked.
    tell : callable, optional
        Is given how much is copied, from 0 to 1; what it raises ends the copy and leaves nothing behind.

    Raises
    ------
    StorageError
        If the image is larger, or the disk is full or read-only.
    VolumeError
        If the image cannot be read.
    """
    path = copy_path(volume, folder)
    if path.exists():
        return path
    size = bytes_of(volume)
    if size > most:
        raise StorageError(
            f"{volume.name} is only in memory, and with {size / 2**30:.1f} GiB too large to be copied unasked",
            "an image that was opened from a file, or a smaller one",
            "save it with napari's File ▸ Save, open the saved file, and make the ground truth on that",
        )
    with storage_errors(path):
        folder.mkdir(parents=True, exist_ok=True)
    with atomic_folder(path) as part:
        _write(volume, part, tell)
    return path


def _stem(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:40] or "image"


def _write(volume: Volume, part: Path, tell: Callable[[float], None] | None) -> None:
    many, flat = len(volume.channels) > 1, volume.shape[0] == 1
    axes = ("c" if many else "") + ("yx" if flat else "zyx")
    chunk = tuple(min(n, c) for n, c in zip(volume.shape, _FLAT_CHUNK if flat else _CHUNK, strict=True))
    with storage_errors(part):
        group = zarr.create_group(part, zarr_format=3)
        array = group.create_array(
            "0",
            shape=_czyx((len(volume.channels), *volume.shape), many, flat),
            chunks=_czyx((1, *chunk), many, flat),
            dtype=volume.dtype,
            dimension_names=list(axes),
        )
        group.attrs["ome"] = _metadata(volume, axes)
    done = 0
    for tile in tiles(volume.region, chunk):
        values = volume.read(tile.core)
        target: tuple[Any, ...] = (slice(None), *tile.core.slices)
        with storage_errors(part):
            array[_czyx(target, many, flat)] = values.reshape(_czyx(values.shape, many, flat))
        done += tile.core.size
        if tell is not None:
            tell(done / volume.region.size)


def _czyx(four: tuple[Any, ...], many: bool, flat: bool) -> tuple[Any, ...]:
    """Leave out c and z where there is but one."""
    return (*four[:1][: int(many)], *four[2 if flat else 1 :])


def _metadata(volume: Volume, axes: str) -> dict[str, Any]:
    size = volume.voxel_size
    unit = {"unit": "nanometer"} if size else {}
    spacing = dict(zip("zyx", size or (1.0, 1.0, 1.0), strict=True))
    return {
        "version": "0.5",
        "multiscales": [
            {
                "name": volume.name,
                "axes": [
                    {"name": axis, "type": "channel"} if axis == "c" else {"name": axis, "type": "space", **unit}
                    for axis in axes
                ],
                "datasets": [
                    {
                        "path": "0",
                        "coordinateTransformations": [
                            {"type": "scale", "scale": [spacing.get(axis, 1.0) for axis in axes]}
                        ],
                    }
                ],
            }
        ],
        "omero": {"channels": [{"label": name} for name in volume.channels]},
    }
