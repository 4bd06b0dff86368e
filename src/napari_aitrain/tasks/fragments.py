"""Fragments: small pieces that hardly ever reach across a membrane, from affinities by a distance-seeded watershed."""

from __future__ import annotations

from collections.abc import Sequence

import bioimage_cpp
import edt
import numpy as np
import numpy.typing as npt

from ..geometry import Triple
from .maps import outline_spacing
from .objects import maxima_of, smooth
from .protocol import BoolArray, FloatArray, LabelArray, VoxelSize

Affinities = npt.NDArray[np.float32] | npt.NDArray[np.uint8]


def near_channels(offsets: Sequence[Triple]) -> list[int]:
    """Return the channel of the nearest neighbours along z, y and x; an axis may have none."""
    found = []
    for axis in range(3):
        along = [k for k, o in enumerate(offsets) if abs(o[axis]) == 1 and sum(map(abs, o)) == 1]
        found += along[:1]
    return found


def find_fragments(
    affinities: Affinities,
    offsets: Sequence[Triple],
    voxel_size: VoxelSize | None,
    dims: int,
    background: bool = False,
) -> LabelArray:
    """Return fragments as ids ``1 … n``.

    Parameters
    ----------
    affinities : ndarray of float32 in [0, 1] or of uint8, shape (k, z, y, x)
        Whether each voxel and the one before it by each offset are of one object.
    offsets : sequence of tuple of int
        z, y, x, one per channel.
    voxel_size : tuple of float, optional
        nm, z, y, x.
    dims : {2, 3}
        With 2 every slice is divided on its own.
    background : bool
        Whether voxels that belong with none of their neighbours are left out.

    Returns
    -------
    ndarray of int32, shape (z, y, x)
    """
    inside = _inside(affinities, offsets)
    spacing = outline_spacing(voxel_size)
    mask = np.ones(inside.shape, bool) if not background else inside > 0.25
    flat = dims == 2 or inside.shape[0] == 1
    labels: LabelArray = np.zeros(inside.shape, np.int32)
    count = 0
    for index in range(inside.shape[0]) if flat else (slice(None),):
        part = _divide(inside[index], mask[index], spacing[1:] if flat else spacing)
        labels[index] = np.where(part > 0, part + np.int32(count), 0)
        count = max(count, int(labels[index].max(initial=0)))
    return labels


def _divide(inside: FloatArray, mask: BoolArray, spacing: Sequence[float]) -> LabelArray:
    clear = np.ascontiguousarray(inside > 0.5)
    distance = edt.edt(clear, anisotropy=tuple(spacing), black_border=False, parallel=1)
    distance = np.minimum(smooth(distance, spacing, 1.0), np.float32(1e6))
    seeds = maxima_of(distance, clear & mask)
    if not seeds.any():
        return seeds
    grown: LabelArray = bioimage_cpp.segmentation.watershed(
        np.ascontiguousarray(-distance - inside, np.float32), seeds, mask=np.ascontiguousarray(mask)
    )
    return grown


def _inside(affinities: Affinities, offsets: Sequence[Triple]) -> FloatArray:
    """Return the mean affinity of each voxel to its nearest neighbours, 0 … 1."""
    space = affinities.shape[1:]
    total, number = np.zeros(space, np.float32), np.zeros(space, np.uint8)
    for channel in near_channels(offsets):
        axis = int(np.argmax(np.abs(offsets[channel])))
        here = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        before = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        values = affinities[channel][here]
        for side in (here, before):
            total[side] += values
            number[side] += 1
    scale = np.float32(255 if affinities.dtype == np.uint8 else 1)
    inside: FloatArray = total / (np.maximum(number, 1) * scale)
    return inside
