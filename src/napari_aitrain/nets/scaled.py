"""A network that sees its image in another size, and answers in the size of the image."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Protocol, TypeVar, cast

import torch
from torch import Tensor
from torch.nn import functional

from ..geometry import Triple, triple

TOLERANCE = 0.04
"""An axis may be scaled by so much more or less than asked for, so that tiles begin on voxels of the network."""

Factors = tuple[float, float, float]


class Inner(Protocol):
    """What is asked of the network that is scaled."""

    device: torch.device

    @property
    def receptive_field(self) -> Triple:
        """Half width of what an output voxel depends on."""
        ...

    @property
    def multiple(self) -> Triple:
        """What the extents of an input must divide by."""
        ...

    def __call__(self, batch: Tensor) -> Tensor:
        """Return raw float32 output for a float32 batch."""
        ...


def whole_steps(scale: float, multiple: Sequence[int]) -> tuple[Triple, Triple]:
    """Return after how many voxels of the image, and of the network, both grids begin anew.

    A tile that begins at a multiple of the first sees what one pass over the whole image would.

    Parameters
    ----------
    scale : float
        Voxels of the network per voxel of the image.
    multiple : sequence of int
        What the network's extents must divide by, per axis; 0 where an axis is not scaled.

    Examples
    --------
    >>> whole_steps(0.52, (0, 16, 16))
    ((1, 31, 31), (1, 16, 16))
    """
    pairs = [(1, 1) if m == 0 else _steps(scale, m) for m in multiple]
    return triple([image for image, _ in pairs]), triple([network for _, network in pairs])


def _steps(scale: float, multiple: int) -> tuple[int, int]:
    network = multiple
    while True:
        image = max(1, round(network / scale))
        if abs(network / image / scale - 1) <= TOLERANCE:
            return image, network
        network += multiple


def exact_scales(scale: float, multiple: Triple, dims: int) -> Factors:
    """Return by how much each axis is scaled, z, y, x: as asked for, up to `TOLERANCE`; 1 along z in 2-D."""
    if scale == 1:
        return 1.0, 1.0, 1.0
    image, network = whole_steps(scale, (0, *multiple[1:]) if dims == 2 else multiple)
    z, y, x = (n / i for i, n in zip(image, network, strict=True))
    return z, y, x


def rescale(values: Tensor, shape: Sequence[int]) -> Tensor:
    """Bring an array to another shape: linearly, over the mean of what falls together where it shrinks.

    Parameters
    ----------
    values : Tensor of float32, shape (b, c, y, x) or (b, c, z, y, x)
        Corners stay corners.
    shape : sequence of int
        Of the spatial axes.
    """
    if tuple(values.shape[2:]) == tuple(shape):
        return values
    if values.ndim == 4:
        return _smooth(values, shape)
    b, c, depth = values.shape[:3]
    plane = _smooth(values.reshape(b, c * depth, *values.shape[3:]), shape[1:])
    if depth == shape[0]:
        return plane.reshape(b, c, *shape)
    return _smooth(plane.reshape(b, c, depth, -1), (shape[0], math.prod(shape[1:]))).reshape(b, c, *shape)


def _smooth(values: Tensor, shape: Sequence[int]) -> Tensor:
    return functional.interpolate(values, tuple(shape), mode="bilinear", align_corners=False, antialias=True)


def at_scale(inner: Inner, scale: float, dims: int) -> Inner:
    """Return a network that sees its image scaled, or the same where there is nothing to scale."""
    return inner if scale == 1 else ScaledNetwork(inner, scale, dims)


class ScaledNetwork:
    """Scales what a network sees, and its output back, so that tiles, halos and seams are in voxels of the image.

    Parameters
    ----------
    inner : InferenceNetwork
        The network.
    scale : float
        Voxels of the network per voxel of the image; along single axes it differs by up to `TOLERANCE`.
    dims : {2, 3}
        With 2 only y and x are scaled.
    """

    def __init__(self, inner: Inner, scale: float, dims: int) -> None:
        self.inner, self.scale, self.device = inner, scale, inner.device
        multiple = (0, *inner.multiple[1:]) if dims == 2 else inner.multiple
        self.multiple, self._network_steps = whole_steps(scale, multiple)
        self.scales = exact_scales(scale, inner.multiple, dims)

    @property
    def receptive_field(self) -> Triple:
        """Half width in voxels of the image, z, y, x; with what scaling there and back looks at."""
        return triple(
            [
                reach if scale == 1 else math.ceil((reach + max(1, scale)) / scale + max(1, 1 / scale)) + 1
                for reach, scale in zip(self.inner.receptive_field, self.scales, strict=True)
            ]
        )

    def for_voxels(self, voxel_size: Sequence[float] | None) -> ScaledNetwork:
        """Return this network for images of a voxel size; see `InferenceNetwork.for_voxels`."""
        other = copy.copy(self)
        other.inner = for_voxels(self.inner, voxel_size)
        return other

    @torch.inference_mode()
    def __call__(self, batch: Tensor) -> Tensor:
        """Predict a batch as `InferenceNetwork` does, of extents that `multiple` divides."""
        shape = tuple(batch.shape[2:])
        output = self.inner(self._as_seen(batch))
        if self.device.type == "mps":
            return rescale(output.cpu(), shape).to(self.device)
        return rescale(output, shape)

    def features(self, batch: Tensor) -> Tensor:
        """Return what the network makes of a batch before its last step; see `Network.features`.

        Raises
        ------
        NotImplementedError
            If its insides are not known.
        """
        see = getattr(self.inner, "features", None)
        if see is None:
            raise NotImplementedError
        found: Tensor = see(self._as_seen(batch))
        return found

    def _as_seen(self, batch: Tensor) -> Tensor:
        """Return a batch in the size in which the network sees it."""
        # Apple's GPUs lack the smooth way of shrinking.
        near = batch.cpu() if self.device.type == "mps" else batch.to(self.device)
        axes = range(5 - batch.ndim, 3)
        shape = [n // self.multiple[a] * self._network_steps[a] for n, a in zip(batch.shape[2:], axes, strict=True)]
        return rescale(near, shape)


N = TypeVar("N")


def for_voxels(network: N, voxel_size: Sequence[float] | None) -> N:
    """Return a network for images of a voxel size, z, y, x; most are the same for all."""
    others = getattr(network, "for_voxels", None)
    return network if others is None else cast(N, others(voxel_size))
