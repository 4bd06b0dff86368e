"""A compact U-Net whose work per voxel is small: space-to-depth stem, anisotropy-aware levels.

The plan follows Ronneberger et al. 2015 (U-Net). A space-to-depth stem (Sajjadi et al. 2018) lets every convolution
run at a fraction of the voxels; the head gives several outputs per coarse voxel and rearranges them (Shi et al. 2016,
pixel shuffle), so no detail of the output is lost to interpolation.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .config import NetworkConfig
from .network import Network


class ConvBlock(nn.Module):
    """Two convolutions, each with batch norm and ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, ...]) -> None:
        super().__init__()
        conv, norm = (nn.Conv2d, nn.BatchNorm2d) if len(kernel) == 2 else (nn.Conv3d, nn.BatchNorm3d)
        padding = tuple(k // 2 for k in kernel)
        self.conv1 = conv(inputs, outputs, kernel, padding=padding, bias=False)  # type: ignore[arg-type]
        self.norm1 = norm(outputs)
        self.conv2 = conv(outputs, outputs, kernel, padding=padding, bias=False)  # type: ignore[arg-type]
        self.norm2 = norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return an array of the same spatial shape."""
        x = functional.relu_(self.norm1(self.conv1(x)))
        return functional.relu_(self.norm2(self.conv2(x)))


class UNet(Network):
    """The network of a `NetworkConfig`: (b, in_channels, *space) to raw output (b, heads, *space)."""

    config: NetworkConfig

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.memory_format = torch.channels_last if config.dims == 2 else torch.channels_last_3d
        axes = range(3 - config.dims, 3)
        self.stem: tuple[int, ...] = tuple(config.stem[a] for a in axes)
        self.pools: tuple[tuple[int, ...], ...] = tuple(tuple(p[a] for a in axes) for p in config.pools)
        kernels: tuple[tuple[int, ...], ...] = tuple(tuple(k[a] for a in axes) for k in config.kernels)
        widths = config.widths
        factor = math.prod(self.stem)
        self.down = nn.ModuleList(
            ConvBlock(a, b, k)
            for a, b, k in zip((config.in_channels * factor, *widths[:-1]), widths, kernels, strict=True)
        )
        self.up = nn.ModuleList(
            ConvBlock(widths[level] + widths[level + 1], widths[level], kernels[level])
            for level in range(len(widths) - 1)
        )
        conv = nn.Conv2d if config.dims == 2 else nn.Conv3d
        self.head = conv(widths[0], config.heads * factor, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return raw output; each extent of `x` must be divisible by ``config.multiple``."""
        return depth_to_space(self.head(self._levels(x)[0]), self.stem)

    def features(self, batch: Tensor) -> Tensor:
        """Return the features of the finest level, which the output is made of, and those of the coarsest."""
        fine, coarse = self._levels(batch)
        return torch.cat([fine, functional.interpolate(coarse, fine.shape[2:], mode="nearest")], dim=1)

    def _levels(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features of the finest level on the way up, and of the coarsest."""
        x = space_to_depth(x, self.stem)
        skips = []
        for level, block in enumerate(self.down):
            if level:
                x = self._pool(x, self.pools[level - 1])
            x = block(x)
            skips.append(x)
        for level in reversed(range(len(self.up))):
            scale = [float(p) for p in self.pools[level]]
            x = functional.interpolate(x, scale_factor=scale, mode="nearest")
            x = self.up[level](torch.cat([skips[level], x], dim=1))
        return x, skips[-1]

    @property
    def encoder(self) -> nn.Module:
        """The way down."""
        return self.down

    def frozen(self, precision: torch.dtype) -> nn.Module:
        """Return a copy whose norms are folded into its convolutions."""
        module = copy.deepcopy(self).eval()
        for part in module.modules():
            if isinstance(part, ConvBlock):
                part.conv1 = fuse_conv_bn_eval(part.conv1, part.norm1)
                part.conv2 = fuse_conv_bn_eval(part.conv2, part.norm2)
                part.norm1 = part.norm2 = nn.Identity()  # type: ignore[assignment]
        return module.to(precision)

    def _pool(self, x: Tensor, pool: tuple[int, ...]) -> Tensor:
        if len(pool) == 2:
            return functional.max_pool2d(x, pool)
        return functional.max_pool3d(x, pool)


def space_to_depth(x: Tensor, factor: tuple[int, ...]) -> Tensor:
    """Fold blocks of voxels into channels: (b, c, *space) to (b, c·∏factor, *space/factor)."""
    if all(f == 1 for f in factor):
        return x
    if len(factor) == 2 and factor[0] == factor[1]:
        return functional.pixel_unshuffle(x, factor[0])
    b, c, d, h, w = x.shape
    fd, fh, fw = factor
    x = x.reshape(b, c, d // fd, fd, h // fh, fh, w // fw, fw)
    return x.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(b, c * fd * fh * fw, d // fd, h // fh, w // fw)


def depth_to_space(x: Tensor, factor: tuple[int, ...]) -> Tensor:
    """Undo `space_to_depth`."""
    if all(f == 1 for f in factor):
        return x
    if len(factor) == 2 and factor[0] == factor[1]:
        return functional.pixel_shuffle(x, factor[0])
    b, c, d, h, w = x.shape
    fd, fh, fw = factor
    x = x.reshape(b, c // (fd * fh * fw), fd, fh, fw, d, h, w)
    return x.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(b, c // (fd * fh * fw), d * fd, h * fh, w * fw)
