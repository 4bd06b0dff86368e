"""How large a part of an image a network learns from at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..geometry import Triple
from .configs import AnyNetworkConfig

PATCH_2D = 192
PATCH_VOXELS_3D = 150_000


def patch_shape(network: AnyNetworkConfig, crops: Sequence[Triple]) -> Triple:
    """Return a patch that the crops can fill and the network can take, z, y, x.

    In 3-D it has about the same extent along every axis in voxels of the network's coarsest level.
    """
    multiple = network.multiple
    largest = [max(crop[axis] for crop in crops) for axis in range(3)]
    if network.dims == 2:
        sizes: list[float] = [1, PATCH_2D, PATCH_2D]
    else:
        unit = (PATCH_VOXELS_3D / math.prod(multiple)) ** (1 / 3)
        sizes = [unit * m for m in multiple]
    fitted = []
    for size, most, step in zip(sizes, largest, multiple, strict=True):
        wanted = min(size, math.ceil(most / step) * step)
        fitted.append(max(step, round(wanted / step) * step))
    return fitted[0], fitted[1], fitted[2]
