"""Zarr v2 and v3: arrays, groups and OME-Zarr images with their labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import zarr
import zarr.errors
from zarr.storage import LocalStore

from ..errors import AitrainError, VolumeError
from ..geometry import FINEST, Triple
from ..location import Location, Url
from .axes import Kind
from .level import READ_ERRORS
from .ome import Multiscale, ome_attributes, parse_multiscale
from .opened import Opened, damaged, magnification_of
from .read_store import ReadStore
from .remote import open_store
from .server_errors import missing, transport_errors
from .units import magnified

MARKS = ("zarr.json", ".zarray", ".zgroup")
_NAMES: dict[Kind, tuple[str, ...]] = {
    "image": ("image", "images", "raw", "data"),
    "labels": ("labels", "label", "masks", "mask", "gt"),
}


def is_zarr(path: Path) -> bool:
    """Whether a folder is a zarr array or group."""
    return any((path / mark).is_file() for mark in MARKS)


def open_zarr(place: Location, kind: Kind) -> Opened:
    """Open a zarr array, a group with one array, or an OME-Zarr image.

    With ``kind="labels"`` an OME-Zarr image gives the labels stored in it.

    Raises
    ------
    VolumeError
        If the metadata is damaged, or it is not clear which array is meant; those that exist are listed. Of a server:
        if it does not answer, refuses, or there is nothing.
    """
    store = store_at(place)
    try:
        node = zarr.open(store, mode="r")
    except AitrainError:
        raise
    except FileNotFoundError as error:
        raise (store.refused or missing(place) if isinstance(place, Url) else damaged(place, error)) from error
    except (*READ_ERRORS, TypeError, zarr.errors.BaseZarrError) as error:
        raise damaged(place, error) from error
    if isinstance(node, zarr.Array):
        return _open_level(place) or _open_array(node)
    return _open_group(node, place, kind)


def store_at(place: Location) -> ReadStore:
    """Return a store to read from a folder or an address."""
    if isinstance(place, Url):
        return open_store(place)
    return ReadStore(LocalStore(place, read_only=True), place)


def _open_level(place: Location) -> Opened | None:
    """Open an array that is a level of the OME-Zarr image around it, whose metadata say what its axes are."""
    if place.parent == place or (isinstance(place, Path) and not is_zarr(place.parent)):
        return None
    try:
        group = zarr.open_group(store_at(place.parent), mode="r")
    except (*READ_ERRORS, TypeError, AitrainError, zarr.errors.BaseZarrError):
        return None
    attributes = ome_attributes(group.attrs.asdict())
    if "multiscales" not in attributes:
        return None
    around = _open_multiscale(group, parse_multiscale(attributes, str(place.parent)), place.parent)
    for array, magnification in around.arrays:
        if isinstance(array, zarr.Array) and array.basename == place.name:
            return replace(around, arrays=[(array, FINEST)], voxel_size=magnified(around.voxel_size, magnification))
    return None


def _open_array(array: zarr.Array[Any]) -> Opened:
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    letters = [str(name).lower()[:1] for name in names] if isinstance(names, (list, tuple)) and all(names) else []
    known = "".join(letters) if len(letters) == array.ndim and {"y", "x"} <= set(letters) else None
    return Opened([(array, FINEST)], known)


def _open_group(group: zarr.Group, path: Location, kind: Kind) -> Opened:
    attributes = ome_attributes(group.attrs.asdict())
    if kind == "labels" and "image-label" not in attributes and "labels" in group:
        inner = group["labels"]
        if isinstance(inner, zarr.Group):
            return _only_member(inner, path / "labels", kind)
    if "multiscales" in attributes:
        return _open_multiscale(group, parse_multiscale(attributes, str(path)), path)
    if "plate" in attributes or "well" in attributes:
        raise VolumeError(
            f"{path} is a plate of many images",
            "one image",
            f"give the path of one field of view, such as {path.name}/A/1/0",
        )
    return _only_member(group, path, kind)


def _only_member(group: zarr.Group, path: Location, kind: Kind) -> Opened:
    problems: tuple[type[Exception], ...] = (*READ_ERRORS, *transport_errors())
    try:
        members = dict(group.members())
    except problems as error:
        raise VolumeError(
            f"{path} is a group without OME-Zarr metadata, and what it holds cannot be listed: {error}",
            "an array, or an OME-Zarr image",
            "give the address of the array inside",
        ) from error
    # Bio-Formats puts its images into groups named by number, beside one for its own metadata.
    members.pop("OME", None)
    named = [name for name in _NAMES[kind] if name in members]
    if len(members) != 1 and not named:
        listed = ", ".join(sorted(members)) or "nothing"
        raise VolumeError(
            f"{path} holds {len(members)} arrays or groups, and it is not clear which one is meant",
            f"one, or one named {', '.join(_NAMES[kind])}; found: {listed}",
            f"give the path of one of them, such as {path / min(members, default='0')}",
        )
    name = named[0] if named else next(iter(members))
    node = members[name]
    return _open_array(node) if isinstance(node, zarr.Array) else _open_group(node, path / name, kind)


def _open_multiscale(group: zarr.Group, multiscale: Multiscale, path: Location) -> Opened:
    arrays: list[tuple[zarr.Array[Any], Triple]] = []
    remarks: list[str] = []
    for name, magnification in zip(multiscale.paths, multiscale.magnifications, strict=True):
        try:
            array = group[name]
        except AitrainError:
            raise
        except (*READ_ERRORS, zarr.errors.BaseZarrError) as error:
            raise damaged(path / name, error) from error
        if not isinstance(array, zarr.Array) or array.ndim != len(multiscale.axes):
            raise VolumeError(
                f"{path / name} is not an array with the axes {multiscale.axes}",
                "the arrays that its OME-Zarr metadata lists",
                "save the image again with the program that made it",
            )
        if magnification == FINEST and arrays:
            magnification = magnification_of(_extents(array, multiscale), _extents(arrays[0][0], multiscale))
        if magnification is not None:
            arrays.append((array, magnification))
        else:
            remarks.append(f"level {name} of {path.name} is left out: its scale is no whole multiple of the finest")
    return Opened(
        arrays,
        multiscale.axes,
        channels=multiscale.channels,
        voxel_size=multiscale.voxel_size,
        remarks=tuple(remarks),
    )


def _extents(array: zarr.Array[Any], multiscale: Multiscale) -> list[int]:
    return [array.shape[multiscale.axes.index(a)] if a in multiscale.axes else 1 for a in "zyx"]
