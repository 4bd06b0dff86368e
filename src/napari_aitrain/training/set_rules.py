"""Rules for a training set as a whole: whether its images can be learned from together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..annotation.findings import Finding, error, warning
from ..volumes.units import VoxelSize
from .dims import FEW_SLICES

if TYPE_CHECKING:
    from .plan import PlannedCrop

TOLERANCE = 1.1
"""Voxel sizes that differ by less than a tenth count as the same."""


def check_consistency(crops: Sequence[PlannedCrop], dims: int) -> list[Finding]:
    """Check that the images of a training set have channels, voxel sizes and dimensions in common.

    Parameters
    ----------
    crops : sequence of PlannedCrop
        The boxes of all sources.
    dims : {2, 3}
        Whether training goes slice by slice.
    """
    return [*_check_axes(crops), *_check_channels(crops), *_check_voxel_sizes(crops), *_check_dims(crops, dims)]


def _check_axes(crops: Sequence[PlannedCrop]) -> Iterator[Finding]:
    for image in dict.fromkeys(crop.image for crop in crops):
        z, y, x = image.shape
        if min(y, x) == 1:
            yield error(
                "image-thin",
                f"{image.name} is one voxel thick: x {x}, y {y}, z {z}.",
                "If the axes are in another order, set axes for its source, for example to yxz.",
                image.name,
            )
        elif image.axes_guessed and z > min(y, x):
            yield warning(
                "axes-guessed",
                f"{image.name} does not name its axes; it is taken for {z} slices of x {x}, y {y}.",
                "If the axes are in another order, set axes for its source, for example to yxz.",
                image.name,
            )


def _check_channels(crops: Sequence[PlannedCrop]) -> Iterator[Finding]:
    counts: dict[int, str] = {}
    for crop in crops:
        counts.setdefault(len(crop.image.channels), crop.image.name)
    if len(counts) > 1:
        yield error(
            "mixed-channels",
            "Images differ in their channels: " + ", ".join(f"{name} has {n}" for n, name in sorted(counts.items())),
            "Choose the same number of channels for every source.",
        )
        return
    names = dict.fromkeys(crop.image.channels for crop in crops)
    if len({tuple(sorted(channels)) for channels in names}) == 1 and len(names) > 1:
        yield warning(
            "channel-order",
            "Images have the same channels in another order: " + "; ".join(", ".join(n) for n in names),
            "Name the channels of each source in one order.",
        )


def _check_voxel_sizes(crops: Sequence[PlannedCrop]) -> Iterator[Finding]:
    sizes: dict[VoxelSize | None, str] = {}
    for crop in crops:
        sizes.setdefault(crop.image.voxel_size, crop.image.name)
    known = [size for size in sizes if size is not None]
    spread = [max(axis) / min(axis) for axis in zip(*known, strict=True)]
    if any(ratio > TOLERANCE for ratio in spread):
        yield warning(
            "mixed-voxel-sizes",
            "Images differ in voxel size (z, y, x): " + "; ".join(f"{n}: {_nm(s)}" for s, n in sizes.items() if s),
            "Choose magnifications that bring them close, or train one model for each.",
        )
    elif known and None in sizes:
        yield warning(
            "unknown-voxel-size",
            f"The voxel size of {sizes[None]} is not known, that of {sizes[known[0]]} is {_nm(known[0])}.",
            "Give the voxel size of every source.",
        )


def _check_dims(crops: Sequence[PlannedCrop], dims: int) -> Iterator[Finding]:
    flat = [crop.name for crop in crops if crop.region.shape[0] == 1]
    if dims == 2 and flat and len(flat) < len(crops) and any(_is_deep(crop) for crop in crops):
        yield warning(
            "mixed-dims",
            f"{len(flat)} of {len(crops)} boxes have a single slice, others are volumes; all are taken slice by slice.",
            "For a 3-D model use boxes of several slices alone.",
            flat[0],
        )


def _is_deep(crop: PlannedCrop) -> bool:
    return crop.depth.slices >= FEW_SLICES and crop.depth.continued >= 0.5


def _nm(size: VoxelSize) -> str:
    return " × ".join(f"{value:g}" for value in size) + " nm"
