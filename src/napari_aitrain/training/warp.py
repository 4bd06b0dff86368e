"""Geometric transforms of a batch: image and targets move together, in one sampling pass."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def centre_crop(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Return the view of `shape` in the middle of the trailing axes."""
    for axis, size in zip(range(-len(shape), 0), shape, strict=True):
        x = x.narrow(axis, (x.shape[axis] - size) // 2, size)
    return x


def turn(x: Tensor, order: Sequence[int], flips: Sequence[bool]) -> Tensor:
    """Permute and flip the spatial axes of one sample, shape (c, *space)."""
    x = x.permute(0, *(axis + 1 for axis in order))
    axes = [axis + 1 for axis, flip in enumerate(flips) if flip]
    return x.flip(axes) if axes else x


def sampling_grid(matrix: Tensor, bend: Tensor | None, in_shape: Sequence[int], out_shape: Sequence[int]) -> Tensor:
    """Return where each output voxel is read, as `torch.nn.functional.grid_sample` takes it.

    Parameters
    ----------
    matrix : Tensor, shape (n, d, d)
        From offsets to the centre of the output to offsets to the centre of the input, in voxels, z, y, x order.
    bend : Tensor, shape broadcastable to (n, d, *out_shape), optional
        Displacement in voxels of the input, added to the affine part.
    in_shape, out_shape : tuple of int
        Extents of the input and of the output.

    Returns
    -------
    Tensor, shape (n, *out_shape, d)
        Normalised to [-1, 1] over the input, in x, y, z order.
    """
    dims = len(out_shape)
    columns = []
    for row in range(dims):
        position = torch.zeros((len(matrix), *([1] * dims)), device=matrix.device)
        for axis, size in enumerate(out_shape):
            offset = torch.arange(size, device=matrix.device) - (size - 1) / 2
            along = [-1 if a == axis else 1 for a in range(dims)]
            position = position + matrix[:, row, axis].view(-1, *([1] * dims)) * offset.view(along)
        if bend is not None:
            position = position + bend[:, row]
        columns.append((position * (2 / in_shape[row])).expand(len(matrix), *out_shape))
    return torch.stack(columns[::-1], dim=-1)


def resample(
    image: Tensor, values: Tensor, weight: Tensor, nearest: Sequence[bool], grid: Tensor, everywhere: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Read image, targets and weight at a grid.

    Soft maps are interpolated among labelled voxels only, so that what stands in unlabelled voxels reaches no
    target. An output voxel weighs nothing where less than half of what it is made of is labelled, or where it lies
    outside the input; the image is mirrored there. Beside class maps the weight is read without interpolation, too.

    Parameters
    ----------
    image, values, weight : Tensor, shapes (n, c, *space), (n, k, *space), (n, 1, *space)
        Weight is 0 where a voxel is unlabelled.
    nearest : sequence of bool, length k
        Maps that hold class numbers, read without interpolation.
    grid : Tensor
        From `sampling_grid`.
    everywhere : int
        How many of the last maps are soft and hold in unlabelled voxels, too; they become 0 outside the input.

    Returns
    -------
    tuple of Tensor
        Image, values and weight of the grid's shape.
    """
    targets = len(nearest) - everywhere
    classes = [i for i in range(targets) if nearest[i]]
    soft = [i for i in range(targets) if not nearest[i]]
    known = weight > 0
    dense = bool(known.all())
    channels = [image, values[:, targets:]]
    if soft:
        maps = values[:, soft] if len(soft) < len(nearest) else values
        channels += [maps, weight] if dense else [torch.where(known, maps, 0.0), weight, known.to(image.dtype)]
    smooth = functional.grid_sample(torch.cat(channels, 1), grid, "bilinear", "reflection", align_corners=False)
    new_image, free, sampled = smooth.tensor_split((image.shape[1], image.shape[1] + everywhere), 1)
    new_values = torch.empty((len(values), len(nearest), *smooth.shape[2:]), device=values.device)
    keep = inside = _inside(grid, image.shape[2:])
    new_values[:, targets:] = torch.where(inside, free, 0.0)
    if soft:
        if not dense:
            share = sampled[:, -1:]
            keep = keep & (share > 0.5)
            sampled = sampled[:, :-1] / share.clamp_min(0.5)
        new_values[:, soft], new_weight = sampled[:, :-1], sampled[:, -1:]
    if classes:
        packed = torch.cat([values[:, classes], weight], 1)
        exact = functional.grid_sample(packed, grid, "nearest", "zeros", align_corners=False)
        new_values[:, classes], new_weight = exact[:, :-1], exact[:, -1:]
        keep = keep & (new_weight > 0)
    return new_image, new_values, torch.where(keep, new_weight, 0.0)


def _inside(grid: Tensor, in_shape: Sequence[int]) -> Tensor:
    """Return where the grid lies within the centres of the outermost voxels, shape (n, 1, *space)."""
    limit = torch.tensor([1 - 1 / size + 1e-5 for size in reversed(in_shape)], device=grid.device)
    return (grid.abs() <= limit).all(-1).unsqueeze(1)
