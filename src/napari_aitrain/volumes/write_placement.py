"""Where written labels lie in the world: on the image that they belong to, in that image's own units."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zarr
import zarr.errors

from ..errors import AitrainError
from ..geometry import FINEST, Triple
from ..location import Location, Url, located
from .level import READ_ERRORS
from .ome import ome_attributes
from .units import VoxelSize, nanometres_per
from .zarr_files import store_at

Lengths = tuple[float, float, float]


@dataclass(frozen=True)
class Placement:
    """Length of a voxel and the middle of the first one, in z, y, x order.

    Parameters
    ----------
    scale, translation : tuple of float
        In `units`.
    units : tuple of str or None
        Per axis, as OME-Zarr spells them; None where nobody says what the numbers mean.
    """

    scale: Lengths = (1.0, 1.0, 1.0)
    translation: Lengths = (0.0, 0.0, 0.0)
    units: tuple[str | None, str | None, str | None] = (None, None, None)

    @classmethod
    def of(cls, voxel_size: VoxelSize | None) -> Placement:
        """Return the placement of a file at the origin, from its voxel size in nm."""
        return cls() if voxel_size is None else cls(voxel_size, units=("nanometer",) * 3)

    def at(self, magnification: Sequence[int], start: Sequence[int] = (0, 0, 0)) -> Placement:
        """Return the placement of a region at a magnification.

        Parameters
        ----------
        magnification : tuple of int
            In z, y, x order. The middle of a coarser voxel is that of the voxels it is made of.
        start : tuple of int
            First voxel of the region, in voxels of `magnification`.
        """
        scale, translation = [], []
        for size, origin, factor, first in zip(self.scale, self.translation, magnification, start, strict=True):
            scale.append(size * factor)
            translation.append(origin + size * (first * factor + (factor - 1) / 2))
        return Placement(_three(scale), _three(translation), self.units)

    @property
    def voxel_size(self) -> VoxelSize | None:
        """Nanometres; None where a unit is not known."""
        sizes = [(size, nanometres_per(unit)) for size, unit in zip(self.scale, self.units, strict=True)]
        return None if any(unit is None for _, unit in sizes) else _three([size * (unit or 0) for size, unit in sizes])


def placement_on(
    image: Location | str,
    voxel_size: VoxelSize | None,
    magnification: Triple = FINEST,
    start: Triple = (0, 0, 0),
) -> Placement:
    """Return where a region of an image lies, as programs that open the image show it.

    Scale, translation and units of an OME-Zarr are taken as they are. If it is another kind of file, or somebody gave
    another voxel size than it has, the voxel size counts, in nm.

    Parameters
    ----------
    image : path or URL
        The image; it need not be there any more.
    voxel_size : tuple of float or None
        Nanometres in z, y, x order, at `magnification`.
    magnification, start : tuple of int
        See `Placement.at`.
    """
    own = _read(located(image))
    finest = None if voxel_size is None else _three([v / m for v, m in zip(voxel_size, magnification, strict=True)])
    if own is None:
        own = Placement.of(finest)
    elif finest is not None and not _same(own.voxel_size, finest):
        in_voxels = [at / size for at, size in zip(own.translation, own.scale, strict=True)]
        moved = _three([at * size for at, size in zip(in_voxels, finest, strict=True)])
        own = Placement(finest, moved, ("nanometer",) * 3)
    return own.at(magnification, start)


def source_of(image: Location | str, labels: Path) -> str | None:
    """Return how labels name their image in ``image-label``: a relative path, or a URL; None if it is no OME-Zarr."""
    place = located(image)
    if _read(place) is None:
        return None
    if isinstance(place, Url):
        return str(place)
    try:
        return Path(os.path.relpath(place.absolute(), labels.absolute())).as_posix()
    except ValueError:  # Another drive of Windows.
        return place.absolute().as_posix()


def _read(place: Location) -> Placement | None:
    """Return the placement of an OME-Zarr, or of one of its levels; None if there is none."""
    if isinstance(place, Path) and not place.is_dir():
        return None
    for group, level in ((place, None), (place.parent, place.name)):
        try:
            attributes = ome_attributes(zarr.open_group(store_at(group), mode="r").attrs.asdict())
            found = _parse(attributes["multiscales"][0], level)
        except (*READ_ERRORS, TypeError, AttributeError, AitrainError, zarr.errors.BaseZarrError):
            continue
        if found is not None:
            return found
    return None


def _parse(multiscale: Mapping[str, Any], level: str | None) -> Placement | None:
    axes = [a if isinstance(a, dict) else {"name": a} for a in multiscale["axes"]]
    space = [
        i for i, axis in enumerate(axes) if axis.get("type", "space") == "space" and axis["name"] not in ("t", "c")
    ]
    space = space[-3:]
    datasets = multiscale["datasets"]
    dataset = datasets[0] if level is None else next((d for d in datasets if str(d["path"]) == level), None)
    if dataset is None:
        return None
    scale, translation = [1.0] * len(axes), [0.0] * len(axes)
    for holder in (dataset, multiscale):
        for transform in holder.get("coordinateTransformations") or []:
            if transform.get("type") == "scale":
                scale = [a * float(b) for a, b in zip(scale, transform["scale"], strict=True)]
                translation = [a * float(b) for a, b in zip(translation, transform["scale"], strict=True)]
            elif transform.get("type") == "translation":
                translation = [a + float(b) for a, b in zip(translation, transform["translation"], strict=True)]
    missing = 3 - len(space)
    units = [axes[i].get("unit") for i in space]
    return Placement(
        _three([scale[i] for i in [space[0]] * missing + space]),
        _three([0.0] * missing + [translation[i] for i in space]),
        (lambda u: (u[0], u[1], u[2]))(units[:1] * missing + units),
    )


def _same(one: VoxelSize | None, other: VoxelSize) -> bool:
    return one is not None and all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(one, other, strict=True))


def _three(values: Sequence[float]) -> Lengths:
    z, y, x = values
    return float(z), float(y), float(x)
