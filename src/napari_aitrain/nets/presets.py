"""Sizes of network to choose from, fitted to the voxel size and extent of the data.

The sizes were chosen by quality per second on two processor cores and on a GPU; figures are in docs/benchmarks.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ..geometry import Triple
from .config import NetworkConfig

Size = Literal["small", "medium", "wide", "large"]

_WIDTHS_2D: dict[Size, tuple[int, ...]] = {
    "small": (16, 48, 96),
    "medium": (16, 48, 96, 160),
    "wide": (32, 64, 128, 192),
    "large": (64, 128, 256, 384),
}
_WIDTHS_3D: dict[Size, tuple[int, ...]] = {
    "small": (32, 64, 96),
    "medium": (32, 64, 128),
    "wide": (48, 96, 160),
    "large": (64, 96, 128, 192),
}
_COARSEST_IN_PLANE = 2.0


def choose_network(
    size: Size,
    dims: int,
    in_channels: int,
    heads: int,
    voxel_size: Sequence[float] | None = None,
    extent: Triple | None = None,
) -> NetworkConfig:
    """Return the network of a size for data of a voxel size.

    Sections that are much farther apart than pixels are neither pooled nor convolved until the levels above have made
    the pixels about as coarse, as in nnU-Net (Isensee et al. 2021).

    Parameters
    ----------
    size : {'small', 'medium', 'wide', 'large'}
        How much work per voxel.
    dims : {2, 3}
        Slices or volumes.
    in_channels, heads : int
        Channels of image and output.
    voxel_size : sequence of float, optional
        z, y, x, in nm; taken as equal when unknown.
    extent : tuple of int, optional
        Smallest z, y, x extent of the crops: axes are not pooled below about 4 voxels.
    """
    widths = (_WIDTHS_2D if dims == 2 else _WIDTHS_3D)[size]
    if dims == 2:
        flat: Triple = (1, 2, 2)
        kernels: tuple[Triple, ...] = ((1, 3, 3),) * len(widths)
        return NetworkConfig(
            dims=2,
            in_channels=in_channels,
            heads=heads,
            stem=flat,
            widths=widths,
            pools=(flat,) * (len(widths) - 1),
            kernels=kernels,
        )
    spacing = [float(v) for v in voxel_size] if voxel_size is not None else [1.0, 1.0, 1.0]
    left = list(extent) if extent is not None else [10**6] * 3
    stem = _halve(spacing, left)
    kernels = (_kernel(spacing),)
    pools: tuple[Triple, ...] = ()
    for _ in widths[1:]:
        pools += (_halve(spacing, left),)
        kernels += (_kernel(spacing),)
    return NetworkConfig(
        dims=3, in_channels=in_channels, heads=heads, stem=stem, widths=widths, pools=pools, kernels=kernels
    )


def _halve(spacing: list[float], left: list[int]) -> Triple:
    finest = min(spacing)
    factors = [2 if s < finest * _COARSEST_IN_PLANE and n >= 8 else 1 for s, n in zip(spacing, left, strict=True)]
    for axis, factor in enumerate(factors):
        spacing[axis] *= factor
        left[axis] //= factor
    z, y, x = factors
    return z, y, x


def _kernel(spacing: list[float]) -> Triple:
    finest = min(spacing)
    z, y, x = (1 if s > finest * _COARSEST_IN_PLANE else 3 for s in spacing)
    return z, y, x
