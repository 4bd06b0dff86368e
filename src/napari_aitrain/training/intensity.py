"""Changes of intensity that microscopes make; targets stay as they are.

Images are (n, c, *space), normalised so that most values lie in 0 … 1. Every function takes one parameter per sample
and returns a new tensor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def per_sample(values: Tensor, like: Tensor) -> Tensor:
    """Return one number per sample, shaped to broadcast over `like`."""
    return values.view(-1, *([1] * (like.ndim - 1)))


def tone(image: Tensor, gamma: Tensor, contrast: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
    """Bend the range of each channel by `gamma`, stretch it about its mean, then scale and shift the mean."""
    flat = image.flatten(2)
    low, high = flat.aminmax(dim=2, keepdim=True)
    span = (high - low).clamp_min(1e-6)
    bent = ((flat - low) / span).pow_(gamma.view(-1, 1, 1)).mul_(span).add_(low)
    mean = bent.mean(dim=2, keepdim=True)
    stretch = contrast.view(-1, 1, 1)
    shift = mean * (gain.view(-1, 1, 1) - stretch) + offset.view(-1, 1, 1)
    return bent.mul_(stretch).add_(shift).view_as(image)


def blur(image: Tensor, sigma: Tensor, axes: Sequence[int], largest: float) -> Tensor:
    """Smooth with a Gaussian of its own `sigma` (voxels) per sample, along spatial `axes` (0 is the first).

    The Gaussians are cut off where `largest`, at least every sigma, is.
    """
    radius = min(max(1, math.ceil(2.5 * largest)), min(image.shape[2 + a] for a in axes) - 1)
    if radius < 1:
        return image
    taps = torch.arange(-radius, radius + 1, device=image.device)
    kernel = torch.exp(-0.5 * (taps / sigma.clamp_min(1e-3).view(-1, 1)) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    for axis in (2 + a for a in axes):
        size = image.shape[axis]
        index = torch.arange(-radius, size + radius, device=image.device).clamp(0, size - 1)
        padded = image.index_select(axis, index)
        image = per_sample(kernel[:, 0], image) * padded.narrow(axis, 0, size)
        for k in range(1, 2 * radius + 1):
            image.addcmul_(per_sample(kernel[:, k], image), padded.narrow(axis, k, size))
    return image


def coarsen(image: Tensor, factor: int, axes: Sequence[int]) -> Tensor:
    """Average over `factor` voxels along spatial `axes` and interpolate back to the same shape."""
    shape = [n // factor if a in axes and n >= 2 * factor else n for a, n in enumerate(image.shape[2:])]
    small = functional.interpolate(image, shape, mode="area")
    mode = "bilinear" if image.ndim == 4 else "trilinear"
    return functional.interpolate(small, image.shape[2:], mode=mode, align_corners=False)


def noise(image: Tensor, sigma: Tensor, shot: Tensor, normal: Tensor) -> Tensor:
    """Add noise: of constant `sigma`, or growing with the root of the signal where `shot` is True."""
    scale = torch.where(per_sample(shot, image), image.clamp_min(0).sqrt_(), 1.0)
    return image + scale.mul_(per_sample(sigma, image)).mul_(normal)


def sections(image: Tensor, gain: Tensor, offset: Tensor, missing: Tensor) -> Tensor:
    """Vary sections of a stack as serial sectioning does.

    Parameters
    ----------
    image : Tensor, shape (n, c, z, y, x)
        Stacks.
    gain, offset : Tensor, shape (n, z)
        Contrast and brightness of each section.
    missing : Tensor of bool, shape (n, z)
        Sections that are lost: they become flat, of a brightness that `offset` varies.
    """
    n, z = gain.shape
    view = (n, 1, z, 1, 1)
    varied = image * gain.view(view) + offset.view(view)
    return torch.where(missing.view(view), 0.5 + 4 * offset.view(view), varied)
