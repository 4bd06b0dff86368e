"""Voxel size and channel names from ImageJ and OME metadata."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import ParseError

import tifffile

from .units import VoxelSize, nanometres_per, voxel_size_of

Metadata = tuple[Sequence[str] | None, VoxelSize | None]
_log = logging.getLogger(__name__)

VOXEL_SIZE = "voxel_size_nm"
"""What the voxel size is called where neither ImageJ nor OME know the type of the voxels; in nm, z, y, x."""


def imagej_metadata(file: tifffile.TiffFile, deep: bool) -> Metadata:
    """Return channel names and voxel size as ImageJ wrote them.

    ImageJ leaves out the spacing of sections when it is 1, and inches are what it makes of a file without scale, so
    they count as unknown.

    Parameters
    ----------
    file : TiffFile
        The open file.
    deep : bool
        Whether there is a z axis.
    """
    data = file.imagej_metadata or {}
    unit = nanometres_per(data.get("unit", ""))
    channels = [str(label) for label in data.get("Labels", [])] or None
    if unit is None:
        return channels, None
    spacing: dict[str, float | None] = {
        axis: _pixel_size(file, tag, unit) for axis, tag in (("y", "YResolution"), ("x", "XResolution"))
    }
    if deep:
        spacing["z"] = float(data.get("spacing", 1.0)) * unit
    return channels, voxel_size_of(spacing)


def shaped_voxel_size(file: tifffile.TiffFile) -> VoxelSize | None:
    """Return the voxel size that `TiffTarget` writes beside ids of 64 bits; None if there is none."""
    sizes = (file.shaped_metadata or ({},))[0].get(VOXEL_SIZE)
    if not isinstance(sizes, list) or not all(isinstance(size, int | float) for size in sizes):
        return None
    return voxel_size_of(dict(zip("zyx"[-len(sizes) :], map(float, sizes), strict=False)))


def _pixel_size(file: tifffile.TiffFile, tag: str, unit: float) -> float | None:
    found = file.pages.first.tags.get(tag)
    if found is None:
        return None
    pixels, units = found.value
    return unit * units / pixels if pixels else None


def ome_metadata(xml: str, deep: bool) -> Metadata:
    """Return channel names and voxel size of the first image in OME-XML; what is not there is None.

    Parameters
    ----------
    xml : str
        The OME-XML.
    deep : bool
        Whether there is a z axis.
    """
    try:
        image = _first(tifffile.xml2dict(xml).get("OME", {}).get("Image"))
    except ParseError as error:
        _log.warning("OME metadata is not XML and is left aside: %s", error)
        return None, None
    pixels = _first(image.get("Pixels"))
    listed = pixels.get("Channel", [])
    channels = listed if isinstance(listed, list) else [listed]
    names = [str(c.get("Name") or number) for number, c in enumerate(channels)]
    spacing = {axis.lower(): _physical(pixels, axis) for axis in ("ZYX" if deep else "YX")}
    return names or None, voxel_size_of(spacing)


def _first(value: Any) -> Mapping[str, Any]:
    item = value[0] if isinstance(value, (list, tuple)) and value else value
    return item if isinstance(item, dict) else {}


def _physical(pixels: Mapping[str, Any], axis: str) -> float | None:
    size = pixels.get(f"PhysicalSize{axis}")
    unit = nanometres_per(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
    return None if size is None or unit is None else float(size) * unit
