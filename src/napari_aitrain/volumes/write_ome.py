"""OME-Zarr metadata as it is written: multiscales, image-label and channel names, versions 0.5 and 0.4."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import Any, Literal

from ..geometry import Triple
from .write_placement import Placement

OmeVersion = Literal["0.5", "0.4"]
MAX_COLORS = 1024
"""Readers take ids without a colour for invisible ones, so colours are written for all ids or, if more, for none."""

_GOLDEN = 0.61803398875


def multiscales(
    version: OmeVersion, name: str, axes: str, placement: Placement, magnifications: Sequence[Triple], method: str
) -> list[dict[str, Any]]:
    """Return the ``multiscales`` of a pyramid whose levels are the arrays 0, 1, ….

    Parameters
    ----------
    version : str
        Of OME-Zarr.
    name : str
        What viewers show.
    axes : str
        One letter per axis of the arrays.
    placement : Placement
        Of the finest level.
    magnifications : sequence of tuple of int
        Of every level, relative to the finest, in z, y, x order.
    method : str
        How coarser levels were made.
    """
    datasets = []
    for number, magnification in enumerate(magnifications):
        at = placement.at(magnification)
        scale, translation = _per_axis(axes, at.scale, 1.0), _per_axis(axes, at.translation, 0.0)
        transforms: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
        if any(translation):
            transforms.append({"type": "translation", "translation": translation})
        datasets.append({"path": str(number), "coordinateTransformations": transforms})
    listed = {
        "name": name,
        "axes": [_axis(axis, placement) for axis in axes],
        "datasets": datasets,
        "type": method,
        "metadata": {"description": "Every level is made from the one before it."},
    }
    return [{"version": version, **listed} if version == "0.4" else listed]


def image_label(version: OmeVersion, max_id: int | None, source: str | None) -> dict[str, Any]:
    """Return ``image-label``: colours of the ids, and the image that they belong to.

    Parameters
    ----------
    version : str
        Of OME-Zarr.
    max_id : int or None
        The largest id; without it, or above `MAX_COLORS`, viewers choose colours.
    source : str or None
        Path of the image, relative to the labels.
    """
    label: dict[str, Any] = {"version": version} if version == "0.4" else {}
    if max_id is not None and 0 < max_id <= MAX_COLORS:
        label["colors"] = [{"label-value": i, "rgba": list(color_of(i))} for i in range(max_id + 1)]
    if source is not None:
        label["source"] = {"image": source}
    return label


def color_of(label: int) -> tuple[int, int, int, int]:
    """Return the colour of an id: hues a golden section apart, so that neighbours in number differ; 0 is transparent.

    Examples
    --------
    >>> color_of(0), color_of(1)
    ((0, 0, 0, 0), (61, 118, 255, 255))
    """
    if label == 0:
        return 0, 0, 0, 0
    red, green, blue = colorsys.hsv_to_rgb(label * _GOLDEN % 1, 0.76 if label % 2 else 0.55, 1.0 if label % 3 else 0.8)
    return round(red * 255), round(green * 255), round(blue * 255), 255


def channels(names: Sequence[str]) -> dict[str, Any]:
    """Return ``omero`` of maps in bytes, which stand for 0 … 1."""
    window = {"min": 0.0, "max": 255.0, "start": 0.0, "end": 255.0}
    return {"channels": [{"label": name, "color": "FFFFFF", "active": True, "window": window} for name in names]}


def _axis(axis: str, placement: Placement) -> dict[str, Any]:
    if axis == "c":
        return {"name": "c", "type": "channel"}
    unit = placement.units["zyx".index(axis)]
    return {"name": axis, "type": "space", **({"unit": unit} if unit else {})}


def _per_axis(axes: str, values: Sequence[float], of_channels: float) -> list[float]:
    return [of_channels if axis == "c" else float(values["zyx".index(axis)]) for axis in axes]
