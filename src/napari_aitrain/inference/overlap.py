"""How much neighbouring decoded blocks overlap, so that objects in it are seen whole."""

from __future__ import annotations

import math

from ..geometry import Triple, triple
from ..volumes.units import VoxelSize

_USUAL: dict[int, Triple] = {2: (0, 96, 96), 3: (32, 48, 48)}
_MARGIN = 16
"""Voxels of the finest axis beside the largest object."""


def decode_overlap(
    shape: Triple, dims: int, max_distance: float | None, voxel_size: VoxelSize | None, most_voxels: int
) -> tuple[Triple, str]:
    """Return how many voxels decoded blocks share, and a warning where that is too little for the largest objects.

    Parameters
    ----------
    shape : tuple of int
        z, y, x extent of what is predicted.
    dims : {2, 3}
        With 2, slices share nothing.
    max_distance : float, optional
        Diameter of the largest objects in nm.
    voxel_size : tuple of float, optional
        nm, z, y, x.
    most_voxels : int
        That are decoded at once, overlap included.

    Returns
    -------
    overlap : tuple of int
        z, y, x.
    warning : str
        Empty where all is well.
    """
    if max_distance is None or voxel_size is None:
        return _within(_USUAL[dims], shape), ""
    length = max_distance + _MARGIN * min(voxel_size)
    wanted = _within(_voxels(length, voxel_size, dims), shape)
    overlap = wanted
    while math.prod(_block(overlap, shape, dims)) > most_voxels:
        length *= 0.9
        overlap = _within(_voxels(length, voxel_size, dims), shape)
    if overlap == wanted:
        return overlap, ""
    return overlap, (
        f"Objects longer than about {length:.3g} nm may be divided where blocks meet, because whole objects of "
        f"{max_distance:g} nm do not fit into the memory for one block; train at a coarser magnification for them."
    )


def _voxels(length: float, voxel_size: VoxelSize, dims: int) -> Triple:
    z, y, x = (math.ceil(length / size) for size in voxel_size)
    return (0, y, x) if dims == 2 else (z, y, x)


def _within(wanted: Triple, shape: Triple) -> Triple:
    return triple([min(w, n) for w, n in zip(wanted, shape, strict=True)])


def _block(overlap: Triple, shape: Triple, dims: int) -> Triple:
    """Return the smallest block that is worth its overlap: twice as long, or the whole axis."""
    block = [min(n, 2 * o) if o else n for o, n in zip(overlap, shape, strict=True)]
    return triple([1 if dims == 2 else block[0], *block[1:]])
