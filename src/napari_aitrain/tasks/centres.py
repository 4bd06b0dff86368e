"""The direction to the centre of each object: what a network is also asked for, to learn better what it is used for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .protocol import FloatArray, LabelArray

if TYPE_CHECKING:
    import torch

_LEAST_SLOPE = 0.05
"""Below this, per voxel, there is no direction: at the centre itself."""


def nearness(labels: LabelArray, spacing: Sequence[float]) -> FloatArray:
    """Return minus the distance to the centre of each object: the voxel of it that is nearest to its centroid.

    Parameters
    ----------
    labels : ndarray of int32, 2-D or 3-D
        0 is background, where the result is 0.
    spacing : sequence of float
        Per axis of `labels`.
    """
    near = np.zeros(labels.shape, np.float32)
    flat = np.flatnonzero(labels)
    if not len(flat):
        return near
    ids = labels.ravel()[flat]
    at = np.stack([axis * step for axis, step in zip(np.unravel_index(flat, labels.shape), spacing, strict=True)])
    count = np.maximum(np.bincount(ids), 1)
    centroid = np.stack([np.bincount(ids, axis) / count for axis in at])
    from_centroid = np.square(at - centroid[:, ids]).sum(0)
    order = np.lexsort((from_centroid, ids))
    first = order[np.concatenate([[True], np.diff(ids[order]) > 0])]
    centre = np.zeros_like(centroid)
    centre[:, ids[first]] = at[:, first]
    near.ravel()[flat] = -np.sqrt(np.square(at - centre[:, ids]).sum(0))
    return near


def directions(ids: torch.Tensor, near: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Return unit vectors that point to where `near` rises, within each object; 0 in the background.

    Made from scalars, which stay valid when a patch is turned, scaled or bent, while vectors would not.

    Parameters
    ----------
    ids : Tensor, shape (b, *space)
        Numbers of objects, 0 for background.
    near : Tensor, shape (b, *space)
        See `nearness`.
    known : Tensor of bool, shape (b, *space)
        What other voxels hold plays no part.

    Returns
    -------
    Tensor, shape (b, axes, *space)
    """
    import torch

    ids = ids * known
    slopes = torch.zeros((len(ids), ids.ndim - 1, *ids.shape[1:]), dtype=near.dtype, device=near.device)
    for axis in range(1, ids.ndim):
        size = ids.shape[axis] - 1
        low, high = ids.narrow(axis, 0, size), ids.narrow(axis, 1, size)
        rise = torch.where((low == high) & (low > 0), near.diff(dim=axis), 0)
        slope = slopes[:, axis - 1]
        slope.narrow(axis, 0, size).add_(rise)
        slope.narrow(axis, 1, size).add_(rise)
    length = slopes.norm(dim=1, keepdim=True)
    found: torch.Tensor = slopes / length.clamp_min(_LEAST_SLOPE) * (length > _LEAST_SLOPE)
    return found


def direction_loss(output: torch.Tensor, ids: torch.Tensor, near: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the mean squared error of the directions, mostly inside objects.

    Parameters
    ----------
    output : Tensor, shape (b, axes, *space)
        What the network gives, in the order of the axes.
    ids, near : Tensor, shape (b, *space)
        As in `directions`.
    weight : Tensor, shape (b, *space)

    Notes
    -----
    Directions turn round from one voxel to the next where objects touch, as the flows of Cellpose do (Stringer et al.
    2021). As targets beside the maps that are decoded they serve as well as decoded flows; see docs/benchmarks.md.
    """
    from .losses import weighted_mean

    error = (output - directions(ids, near, weight > 0)).square().sum(1)
    return weighted_mean(error, weight * (0.1 + (ids > 0).float()))
