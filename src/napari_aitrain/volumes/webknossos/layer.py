"""A layer: its magnifications, seen from a place in the dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import AitrainError, VolumeError
from ...geometry import FINEST, Region, Triple, format_magnification, magnified_shape, to_finest, triple
from ..axes import Layout
from ..chunk_files import ZarrFiles
from ..chunked import ChunkedArray
from ..downsample import downsample_mean, downsample_mode
from ..level import LazyArray, Level
from ..place import Place
from .archive import Files, Folder
from .properties import Layer, Mag
from .wkw import WkwArray
from .zarr_store import open_array

Missing = Callable[[str], AitrainError]


@dataclass(frozen=True, eq=False)
class StoredLevel(Level):
    """A level that knows where its files lie.

    Parameters
    ----------
    folder : str
        Name of its folder among the files of the dataset.
    """

    folder: str = ""


@dataclass(frozen=True, eq=False)
class StoredLayer:
    """The magnifications of a layer that are stored.

    Parameters
    ----------
    name : str
        What errors call it.
    region : Region or None
        Its place at magnification 1, in z, y, x; None if that is known from what is stored alone.
    levels : tuple of StoredLevel
        The finest first; voxel 0 of each is the origin of the dataset.
    """

    name: str
    region: Region | None
    levels: tuple[StoredLevel, ...]

    @property
    def own_place(self) -> Place:
        """The place that the layer itself fills, at its finest magnification."""
        finest = self.levels[0]
        m = finest.magnification
        array = finest.array
        region = self.region or (array.stored if isinstance(array, WkwArray) else None)
        if self.region is not None:
            region = Region(
                triple([a // f for a, f in zip(self.region.start, m, strict=True)]),
                magnified_shape(self.region.stop, m),
            )
        region = region or Region.from_shape(finest.shape)
        return Place(region.shape, region.start, m, in_dataset=True)

    def seen_from(self, place: Place, labels: bool) -> list[tuple[LazyArray, Triple]]:
        """Return an array per magnification, relative to that of a place; the first fills it exactly.

        A stored magnification whose voxels do not lie on the corner of the place is left out: it can be computed.
        """
        arrays: list[tuple[LazyArray, Triple]] = [(View(self._base(place.magnification), place, labels), FINEST)]
        for level in self.levels:
            pairs = list(zip(level.magnification, place.magnification, strict=True))
            factor = triple([m // b for m, b in pairs])
            fits = all(m % b == 0 for m, b in pairs) and factor != FINEST
            if fits and all(o % f == 0 for o, f in zip(place.origin, factor, strict=True)):
                origin = triple([o // f for o, f in zip(place.origin, factor, strict=True)])
                part = Place(magnified_shape(place.shape, factor), origin, level.magnification)
                arrays.append((View(level, part, labels), factor))
        return arrays

    def _base(self, magnification: Triple) -> Level:
        """Return the level to make a magnification of: the coarsest that is at least as fine, else the finest."""
        finer = [
            level
            for level in self.levels
            if all(m % own == 0 for m, own in zip(magnification, level.magnification, strict=True))
        ]
        if finer:
            return finer[-1]
        level = self.levels[0]
        if any(own % m for m, own in zip(magnification, level.magnification, strict=True)):
            raise VolumeError(
                f"{self.name} begins at magnification {format_magnification(level.magnification)}, which does not"
                f" fit {format_magnification(magnification)} of the image",
                "magnifications of which one is a multiple of the other",
                "download both with magnification 1",
            )
        return level


class View:
    """An array with the axes c, z, y, x that shows a level from a place; outside of what is stored it is 0.

    Parameters
    ----------
    level : Level
        With voxel 0 at the origin of the dataset.
    place : Place
        What to show; its magnification divides that of the level or is divided by it.
    labels : bool
        Ids are never averaged.
    """

    def __init__(self, level: Level, place: Place, labels: bool) -> None:
        self._level, self._place, self._labels = level, place, labels
        self.shape: tuple[int, ...] = (level.channel_count, *place.shape)
        self.dtype = np.dtype(level.array.dtype)

    def __getitem__(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        """Read by channels, and by slices with a start and a stop along z, y and x."""
        channels, *spans = key
        region = Region(triple([span.start for span in spans]), triple([span.stop for span in spans]))
        voxels: npt.NDArray[Any] = self._read(region.shift(self._place.origin))[channels]
        return voxels

    def _read(self, region: Region) -> npt.NDArray[Any]:
        wanted, stored = self._place.magnification, self._level.magnification
        down = triple([max(1, m // s) for m, s in zip(wanted, stored, strict=True)])
        up = triple([max(1, s // m) for m, s in zip(wanted, stored, strict=True)])
        if down != FINEST:
            array = self._stored(to_finest(region, down))
            array = (downsample_mode if self._labels else downsample_mean)(array, down)
            return array.astype(self.dtype, copy=False)
        if up == FINEST:
            return self._stored(region)
        coarse = Region(
            triple([a // f for a, f in zip(region.start, up, strict=True)]), magnified_shape(region.stop, up)
        )
        array = self._stored(coarse)
        for axis, factor in enumerate(up, start=1):
            array = array.repeat(factor, axis)
        return array[:, *region.relative_to(to_finest(coarse, up).start).slices]

    def _stored(self, region: Region) -> npt.NDArray[Any]:
        inside = region.intersect(Region.from_shape(self._level.shape))
        out = np.zeros((self.shape[0], *region.shape), self.dtype)
        if not inside.empty:
            array = self._level.read(inside, range(self.shape[0]), "the layer")
            out[:, *inside.relative_to(region.start).slices] = array
        return out


def open_layer(files: Files, layer: Layer, dataset: str = "", missing: Missing | None = None) -> StoredLayer:
    """Open a layer of a dataset.

    Parameters
    ----------
    files : Files
        Where the dataset lies.
    layer : Layer
        As its metadata have it.
    dataset : str
        The folder of the dataset among the files.
    missing : callable, optional
        Makes the error for a chunk that is not stored; without it such a chunk has the fill value.

    Raises
    ------
    VolumeError
        If its format is not read, a magnification is not there, or it changes over time.
    """
    name = f"the layer {layer.name!r} of {files.name}"
    if layer.dataFormat not in ("zarr", "zarr3", "wkw"):
        raise _other_format(name, layer.dataFormat)
    if not layer.magnifications:
        raise VolumeError(f"{name} has no magnification", "at least one", "copy the dataset again")
    levels = [_open_mag(files, layer, mag, dataset, name, missing) for mag in layer.magnifications]
    if layer.boundingBox.region.empty:
        raise VolumeError(
            f"{name} has a bounding box without voxels", "at least one voxel", "upload or convert the data again"
        )
    return StoredLayer(name, layer.boundingBox.region, tuple(levels))


def _open_mag(files: Files, layer: Layer, mag: Mag, dataset: str, name: str, missing: Missing | None) -> StoredLevel:
    text = format_magnification(mag.zyx)
    for folder in mag.folders(layer.name):
        if "://" in folder:
            raise VolumeError(
                f"magnification {text} of {name} lies at {folder}",
                "voxels on this disk",
                "download the layer: open it with the WEBKNOSSOS Python library and copy the dataset",
            )
        folder = f"{dataset}/{folder}".lstrip("/")
        marks = ("header.wkw",) if layer.dataFormat == "wkw" else ("zarr.json", ".zarray")
        if any(files.get(f"{folder}/{mark}", 1 << 24, 0, 1) is not None for mark in marks):
            return open_level(files, folder, layer.dataFormat == "wkw", mag.zyx, mag.axisOrder, missing)
    raise VolumeError(
        f"magnification {text} of {name} is not there: {mag.folders(layer.name)[0]} is missing or empty",
        "every magnification that the dataset lists",
        "copy the dataset again: a copy that was broken off looks like this; or take the magnification out of"
        " datasource-properties.json",
    )


def open_level(
    files: Files,
    folder: str,
    wkw: bool,
    magnification: Triple,
    axes: Mapping[str, int] | None = None,
    missing: Missing | None = None,
) -> StoredLevel:
    """Open one magnification.

    Parameters
    ----------
    files : Files
        Where it lies.
    folder : str
        Its name there.
    wkw : bool
        WKW; zarr otherwise.
    magnification : tuple of int
        In z, y, x order.
    axes : mapping, optional
        Number of each axis of the array by name; without it they are c, x, y, z, and the last three are those of space.
    missing : callable, optional
        Makes the error for a chunk that is not stored.
    """
    if wkw:
        return StoredLevel(WkwArray(files, folder, missing), Layout("czyx"), magnification, folder)
    array = open_array(files, folder, missing)
    where = f"{folder} in {files.name}"
    if missing is None:
        place = Path(files.name) / folder if isinstance(files, Folder) else None
        cached = ChunkedArray(array, ZarrFiles(array, place))
        return StoredLevel(cached, _layout(array.shape, axes, where), magnification, folder)
    return StoredLevel(array, _layout(array.shape, axes, where), magnification, folder)


def _layout(shape: Sequence[int], order: Mapping[str, int] | None, where: str) -> Layout:
    count = len(shape)
    order = order or dict(zip("cxyz"[-min(count, 4) :], range(max(0, count - 4), count), strict=True))
    letters = dict(zip((set(range(count)) - {order.get(a, -1) for a in "cxyz"}), "abdefghij", strict=False))
    letters |= {place: axis for axis, place in order.items() if axis in "cxyz"}
    if set(range(count)) != set(letters) or not set("xyz") <= set(order):
        raise VolumeError(
            f"{where} has {count} axes, and its axisOrder is {dict(order)}",
            "the number of each axis x, y, z and c of the array",
            "mend datasource-properties.json, or convert the dataset again",
        )
    fixed = {axis: 0 for place, axis in letters.items() if axis not in "cxyz"}
    long = [place for place, axis in letters.items() if axis in fixed and shape[place] > 1]
    if long:
        raise VolumeError(
            f"{where} has {len(long)} axes beside x, y, z and channel, such as time",
            "a volume without them",
            "copy one entry of them into a dataset of its own",
        )
    return Layout("".join(letters[i] for i in range(count)), fixed)


def _other_format(name: str, found: str) -> VolumeError:
    return VolumeError(
        f"{name} is stored as {found}",
        "zarr3, zarr or wkw",
        "convert it to zarr with the WEBKNOSSOS Python library: Dataset.open(…).copy_dataset(…, data_format='zarr3');"
        " nobody keeps a reader of this format up that runs with zarr 3",
    )
