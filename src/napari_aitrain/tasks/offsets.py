"""Offsets of affinities: which neighbours a network is asked about, near and far, in voxels."""

from __future__ import annotations

from collections.abc import Sequence

from ..geometry import Triple
from .protocol import VoxelSize

FAR_NM = (30.0, 90.0)
"""How far the far neighbours are, in nm."""
FAR_VOXELS = (3, 9)
"""How far they are in voxels where the voxel size is unknown."""


def choose_offsets(voxel_size: VoxelSize | None, dims: int) -> tuple[Triple, ...]:
    """Return offsets to the next voxel and to far ones along each axis.

    Far neighbours ask more of a network than the next voxel does: it must see objects, not only borders (Lee et al.
    2017). They are chosen in nm, so that they reach as far along every axis, whatever the voxels.

    Parameters
    ----------
    voxel_size : tuple of float or None
        nm, z, y, x order; None takes `FAR_VOXELS` along every axis.
    dims : {2, 3}
        With 2 in-plane offsets only.

    Returns
    -------
    tuple of tuple of int
        z, y, x order, each along one axis, none twice; those to the next voxel first.

    Examples
    --------
    >>> choose_offsets((50.0, 4.0, 4.0), 3)
    ((1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 8, 0), (0, 0, 8), (2, 0, 0), (0, 22, 0), (0, 0, 22))
    """
    axes = range(3 - dims, 3)
    offsets = [_along(axis, 1) for axis in axes]
    for far_nm, far_voxels in zip(FAR_NM, FAR_VOXELS, strict=True):
        for axis in axes:
            steps = far_voxels if voxel_size is None else max(1, round(far_nm / voxel_size[axis]))
            offset = _along(axis, steps)
            if offset not in offsets:
                offsets.append(offset)
    return tuple(offsets)


def pair_of(offset: Sequence[int]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the indices of all voxels that have a partner at an offset before them, and of these partners."""
    return tuple(slice(n, None) for n in offset), tuple(slice(None, -n or None) for n in offset)


def _along(axis: int, steps: int) -> Triple:
    z, y, x = (steps if a == axis else 0 for a in range(3))
    return z, y, x
