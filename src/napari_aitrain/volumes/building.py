"""Put arrays and what is known of them together to a volume."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from ..errors import VolumeError
from ..geometry import Triple, format_magnification, magnified_shape
from ..location import Location
from .axes import Kind, Layout, resolve_layout
from .damage import DamageLog
from .lazy import LazyArray
from .level import Level, native_dtype
from .place import Place
from .units import VoxelSize, check_voxel_size
from .volume import Volume

_log = logging.getLogger(__name__)


def build_volume(
    arrays: Sequence[tuple[LazyArray, Triple]],
    name: str,
    path: Location | None,
    kind: Kind,
    *,
    known: str | None = None,
    asked: str | None = None,
    at: Mapping[str, int] | None = None,
    stack: bool = False,
    names: Sequence[str] | None = None,
    voxel_size: VoxelSize | None = None,
    place: Place | None = None,
    remarks: Sequence[str] = (),
    damage: DamageLog | None = None,
) -> Volume:
    """Put levels together to a volume; a level that does not fit its magnification is left out.

    Raises
    ------
    VolumeError
        If the axes, the dtype or the channel names cannot be used, or there are no voxels.
    """
    finest = arrays[0][0]
    shape = tuple(int(n) for n in finest.shape)
    dtype = native_dtype(finest.dtype)
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise VolumeError(
            f"{name} holds values of type {dtype}",
            "whole numbers of 8 to 64 bits, or floating-point numbers of 16 to 64",
            "save the real-valued intensity, for example as uint16 or float32",
        )
    if not shape:
        raise VolumeError(f"{name} holds a single number and has no axes", "an image", "give the path of an image")
    layout = resolve_layout(shape, known, asked, kind, at=at, stack=stack, name=name)
    if 0 in shape:
        raise VolumeError(f"{name} of shape {shape} holds no voxels", "at least one voxel", "save the image again")
    levels, left_out = _levels(arrays, layout, name)
    remarks = [*remarks, *left_out]
    for remark in remarks:
        _log.warning("%s", remark)
    count = levels[0].channel_count
    if names is not None and len(names) != count:
        names = None
    channels = tuple(str(n) for n in names) if names else tuple(str(i) for i in range(count))
    size = check_voxel_size(voxel_size)
    return Volume(
        name,
        path,
        kind,
        tuple(levels),
        tuple(range(count)),
        channels,
        size,
        cut_from=place,
        remarks=tuple(remarks),
        damage=damage or DamageLog(),
    )


def _levels(arrays: Sequence[tuple[LazyArray, Triple]], layout: Layout, name: str) -> tuple[list[Level], list[str]]:
    """Return the levels that fit the finest one, and what is to be said of the others."""
    base = Level(arrays[0][0], layout)
    levels, remarks = [base], []
    for array, magnification in arrays[1:]:
        level = Level(array, layout, magnification)
        wanted = magnified_shape(base.shape, magnification)
        if all(0 <= n - have <= 1 for n, have in zip(wanted, level.shape, strict=True)):
            levels.append(level)
        else:
            remarks.append(
                f"a level of {name} is left out: at magnification {format_magnification(magnification)} of"
                f" {base.shape} it should have {wanted} voxels in z, y, x, and has {level.shape}"
            )
    return levels, remarks
