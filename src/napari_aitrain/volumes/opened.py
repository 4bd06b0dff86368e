"""What every reader gives: lazy arrays and what the file says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import VolumeError
from ..geometry import Triple
from .level import LazyArray
from .place import Place
from .units import VoxelSize


@dataclass(frozen=True, eq=False)
class Opened:
    """The content of a file, not yet interpreted.

    Parameters
    ----------
    arrays : sequence of (array, magnification)
        The finest first; magnifications in z, y, x order.
    axes : str or None
        One letter per axis, if the file says so.
    stack : bool
        The array is a stack of 2-D images, if the file says so.
    channels : sequence of str or None
        Names of the channels, if the file says so.
    voxel_size : tuple of float or None
        Nanometres in z, y, x order, if the file says so.
    alpha : bool
        The last channel is opacity.
    place : Place or None
        Where it lies in its dataset, if the file says so.
    remarks : tuple of str
        What people should know, such as that a level is left out.
    """

    arrays: Sequence[tuple[LazyArray, Triple]]
    axes: str | None = None
    stack: bool = False
    channels: Sequence[str] | None = None
    voxel_size: VoxelSize | None = None
    alpha: bool = False
    place: Place | None = None
    remarks: tuple[str, ...] = ()


def damaged(path: object, error: Exception) -> VolumeError:
    """Return the error for a file that its reader cannot make sense of."""
    return VolumeError(
        f"{path} cannot be read: {str(error) or type(error).__name__}",
        "a complete, undamaged file of the kind that its ending says",
        "copy the file again from where it came from, or open it in the program that made it and save it again",
    )


def magnification_of(finest: Sequence[float], coarse: Sequence[float]) -> Triple | None:
    """Return the whole-number ratio coarse / finest per axis, or None if it is far from whole numbers."""
    ratios = [c / f if f > 0 else 0.0 for f, c in zip(finest, coarse, strict=True)]
    whole = [round(r) for r in ratios]
    if min(whole) < 1 or any(abs(r - w) > 0.05 * w for r, w in zip(ratios, whole, strict=True)):
        return None
    return whole[0], whole[1], whole[2]
