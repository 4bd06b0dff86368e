"""How much context a trained network really uses: measured, because theory's receptive field is far wider.

Luo et al. 2016 (Understanding the effective receptive field) found that what a voxel depends on falls off quickly
from its middle. A halo of the full receptive field would often cost more than the voxels that are kept.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch

from ..geometry import Region, Triple, triple
from ..tasks.protocol import FloatArray
from .image import PreparedImage
from .predictor import Activate, Network
from .tiles import round_up

TOLERANCE = 2 / 255
"""How far an activated map may be off at the rim of the halo, for 99.9 of 100 voxels."""

_QUANTILE = 0.999


def measure_halo(
    network: Network, activate: Activate, sample: FloatArray, dims: int, tolerance: float = TOLERANCE
) -> Triple:
    """Return the narrowest halo that leaves the maps as they are, within a tolerance.

    The network sees the sample with and without its first voxels along every axis; the halo ends where the two
    outputs agree from there on.

    Parameters
    ----------
    network : InferenceNetwork
        Its ``receptive_field`` is the widest halo.
    activate : callable
        A task's ``activate``.
    sample : ndarray of float32, shape (c, z, y, x)
        A normalised piece of the image. Where it is too small to judge an axis, the receptive field is returned.
    dims : {2, 3}
        With 2 the middle slice is used, and the halo in z is 0.
    tolerance : float
        Largest difference of a map in [0, 1] at the rim of the halo and beyond.

    Returns
    -------
    tuple of int
        z, y, x.
    """
    field, multiple = list(network.receptive_field), list(network.multiple)
    if dims == 2:
        sample = sample[:, sample.shape[1] // 2][:, None]
        field[0], multiple[0] = 0, 1
    space = [n // m * m for n, m in zip(sample.shape[1:], multiple, strict=True)]
    cut = [round_up(max(1, n // 8), m) if n > 4 * m else 0 for n, m in zip(space, multiple, strict=True)]
    if min(space) == 0 or not any(cut):
        return triple(field)
    whole = _maps(network, activate, sample[:, : space[0], : space[1], : space[2]], dims)
    part = _maps(network, activate, sample[:, cut[0] : space[0], cut[1] : space[1], cut[2] : space[2]], dims)
    off = (whole[:, cut[0] :, cut[1] :, cut[2] :] - part).abs().amax(dim=0).numpy()
    return triple([_reach(off, cut, axis, field[axis], tolerance) for axis in range(3)])


def sample_piece(image: PreparedImage, field: Sequence[int], multiple: Sequence[int], dims: int) -> FloatArray:
    """Return the most varied of a few pieces of an image, wide enough to measure the halo in."""
    shape = image.volume.shape
    wide = [min(n, round_up(int(2.5 * f) + m, m), 512) for n, f, m in zip(shape, field, multiple, strict=True)]
    if dims == 2:
        wide[0] = 1
    places = [[(n - w) * part // 4 for part in (1, 2, 3)] for n, w in zip(shape, wide, strict=True)]
    starts = {triple([z, y, x]) for z, (y, x) in zip(places[0] * 3, itertools.product(*places[1:]), strict=True)}
    pieces = (image.read(Region.from_shape(wide, start)) for start in sorted(starts))
    return max(pieces, key=lambda piece: float(piece.std()))


def _maps(network: Network, activate: Activate, image: FloatArray, dims: int) -> torch.Tensor:
    batch = torch.from_numpy(np.ascontiguousarray(image[:, 0] if dims == 2 else image))[None]
    with torch.inference_mode():
        maps = activate(network(batch.to(network.device)))[0].float().cpu()
    return maps[:, None] if dims == 2 else maps


def _reach(off: FloatArray, cut: Sequence[int], axis: int, field: int, tolerance: float) -> int:
    """First distance from the cut face of one axis from which on the outputs agree."""
    if not cut[axis] or field == 0:
        return field
    # Far from the faces that were cut across the other axes only this axis' own cut is seen.
    far = tuple(slice(n // 2 if a != axis and cut[a] else 0, None) for a, n in enumerate(off.shape))
    planes = np.moveaxis(off[far], axis, 0).reshape(off.shape[axis], -1)
    wrong = np.flatnonzero(np.quantile(planes, _QUANTILE, axis=1) > tolerance)
    reach = int(wrong[-1]) + 1 if len(wrong) else 0
    # Agreement only in the last few voxels of the sample is no evidence.
    return field if reach > 0.75 * off.shape[axis] else min(field, reach)
