"""What a network is made of, as plain data: its config, reach and cost."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ..geometry import Triple


class NetworkConfig(BaseModel):
    """Everything that is needed to build a U-Net again.

    Parameters
    ----------
    dims : {2, 3}
        Whether the network sees slices or volumes.
    in_channels, heads : int
        Channels of the image and of the output.
    stem : tuple of int
        Space-to-depth factor in z, y, x order; 1 in z when ``dims`` is 2.
    widths : tuple of int
        Channels per level, from fine to coarse.
    pools : tuple of tuple of int
        Downsampling between levels in z, y, x order; one fewer than `widths`.
    kernels : tuple of tuple of int
        Kernel extent per level in z, y, x order.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Literal["unet"] = "unet"
    dims: Literal[2, 3]
    in_channels: int
    heads: int
    stem: Triple
    widths: tuple[int, ...]
    pools: tuple[Triple, ...]
    kernels: tuple[Triple, ...]

    def takes_channels(self, count: int) -> bool:
        """Whether images of so many channels can be given as they are."""
        return count == self.in_channels

    @property
    def multiple(self) -> Triple:
        """What the z, y, x extents of an input must be divisible by."""
        z, y, x = (math.prod(p[axis] for p in self.pools) * self.stem[axis] for axis in range(3))
        return z, y, x

    @property
    def held(self) -> float:
        """Numbers that one pass holds per voxel, by the widest level."""
        return (sum(self.widths[:2]) + 2 * self.widths[0]) / math.prod(self.stem)

    def most_voxels(self, device: str) -> int | None:
        """Return how many voxels should be computed at once, where memory is not what limits them."""
        return None

    @property
    def receptive_field(self) -> Triple:
        """Half width in voxels, in z, y, x order, of what one output voxel depends on."""
        reach = []
        for axis in range(3):
            scale, total = self.stem[axis], self.stem[axis] - 1
            for level, kernel in enumerate(self.kernels):
                last = level == len(self.kernels) - 1
                total += (kernel[axis] // 2) * scale * (2 if last else 4)
                if not last:
                    scale *= self.pools[level][axis]
                    total += scale - scale // self.pools[level][axis]
            reach.append(total)
        z, y, x = reach
        return z, y, x


def count_flops(config: NetworkConfig, shape: Triple) -> int:
    """Return the floating-point operations of one forward pass over a z, y, x shape, convolutions only."""
    voxels = math.prod(shape) / math.prod(config.stem)
    total, inputs = 0.0, config.in_channels * math.prod(config.stem)
    per_level = []
    for level, (width, kernel) in enumerate(zip(config.widths, config.kernels, strict=True)):
        if level:
            voxels /= math.prod(config.pools[level - 1])
        k = math.prod(kernel)
        total += 2 * voxels * k * (inputs * width + width * width)
        per_level.append((voxels, k))
        inputs = width
    for level in range(len(config.widths) - 1):
        v, k = per_level[level]
        w, below = config.widths[level], config.widths[level + 1]
        total += 2 * v * k * ((w + below) * w + w * w)
    total += 2 * per_level[0][0] * config.widths[0] * config.heads * math.prod(config.stem)
    return int(total)
