"""OME-Zarr metadata: pyramid, axes, scale, units and channel names, versions 0.1 to 0.5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import VolumeError
from ..geometry import FINEST, Triple
from .opened import magnification_of
from .units import VoxelSize, nanometres_per, voxel_size_of


@dataclass(frozen=True)
class Multiscale:
    """What OME-Zarr metadata says of one image.

    Parameters
    ----------
    paths : tuple of str
        Arrays of the pyramid inside the group, the finest first.
    axes : str
        One letter per axis.
    magnifications : tuple
        Downsampling per array in z, y, x order; None where the scales are no whole multiples.
    voxel_size : tuple of float or None
        Nanometres in z, y, x order.
    channels : tuple of str or None
        Names of the channels.
    """

    paths: tuple[str, ...]
    axes: str
    magnifications: tuple[Triple | None, ...]
    voxel_size: VoxelSize | None
    channels: tuple[str, ...] | None


def ome_attributes(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the OME part of a group's attributes, which version 0.5 moved under ``ome``."""
    inner = attributes.get("ome")
    return inner if isinstance(inner, dict) else attributes


def parse_multiscale(attributes: Mapping[str, Any], where: str) -> Multiscale:
    """Read the first multiscale of a group.

    Parameters
    ----------
    attributes : mapping
        As `ome_attributes` gives them.
    where : str
        What an error names.

    Raises
    ------
    VolumeError
        If the metadata lacks what the format asks for.
    """
    try:
        return _parse(attributes)
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
        raise VolumeError(
            f"the OME-Zarr metadata of {where} is not complete: {type(error).__name__} {error}",
            "multiscales with axes and datasets, as OME-Zarr 0.4 and 0.5 ask for",
            "save it again with the program that made it, or give the path of the array inside, such as 0",
        ) from error


def _parse(attributes: Mapping[str, Any]) -> Multiscale:
    multiscale = attributes["multiscales"][0]
    listed = multiscale.get("axes", ["t", "c", "z", "y", "x"])
    named = [axis if isinstance(axis, dict) else {"name": axis} for axis in listed]
    axes = _letters(named)
    datasets = multiscale["datasets"]
    outer = _scale(multiscale, axes)
    scales = [[a * b for a, b in zip(_scale(dataset, axes), outer, strict=True)] for dataset in datasets]
    magnifications = [FINEST, *(magnification_of(scales[0], scale) for scale in scales[1:])]
    spacing: dict[str, float | None] = {}
    for axis, letter in zip(named, axes, strict=True):
        if letter in "zyx":
            unit = nanometres_per(axis.get("unit", ""))
            spacing[letter] = None if unit is None else scales[0]["zyx".index(letter)] * unit
    channels = [str(c.get("label") or i) for i, c in enumerate((attributes.get("omero") or {}).get("channels") or [])]
    return Multiscale(
        tuple(str(dataset["path"]) for dataset in datasets),
        axes,
        tuple(magnifications),
        voxel_size_of(spacing),
        tuple(channels) or None,
    )


def _letters(named: list[dict[str, Any]]) -> str:
    """Return one letter per axis; axes of space that have other names are z, y, x in their order."""
    space = [i for i, a in enumerate(named) if a.get("type", "space" if a["name"].lower() in "zyx" else "") == "space"]
    letters = [{"time": "t", "channel": "c"}.get(a.get("type", ""), str(a["name"]).lower()[:1]) for a in named]
    if {letters[i] for i in space} != set("zyx"[-len(space) :]):
        for letter, i in zip("zyx"[-len(space) :], space, strict=True):
            letters[i] = letter
    return "".join(letters)


def _scale(holder: Mapping[str, Any], axes: str) -> list[float]:
    for transform in holder.get("coordinateTransformations") or []:
        if transform.get("type") == "scale":
            values = dict(zip(axes, (float(v) for v in transform["scale"]), strict=True))
            return [values.get(axis, 1.0) for axis in "zyx"]
    return [1.0, 1.0, 1.0]
