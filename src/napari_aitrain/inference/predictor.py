"""Network output for an array in memory: tiles in batches, preallocated buffers, seams faded across a narrow band."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from ..errors import DeviceError
from ..geometry import Triple
from ..nets import InferenceNetwork
from ..nets.scaled import ScaledNetwork
from ..tasks.protocol import FloatArray
from .elsewhere import Elsewhere
from .tiles import AxisTiling, padded_shape, tile_by_shape, tile_to_fit

Activate = Callable[[torch.Tensor], torch.Tensor]
MapArray = npt.NDArray[Any]

CPU_TILE_BYTES = 5 * 2**26
GPU_TILE_BYTES = 2**30
"""Activations of one pass through the network; more is no faster, less costs more in halos."""

_LEAST_VOXELS = 2**16


class Network(Protocol):
    """What is asked of a `nets.InferenceNetwork`."""

    device: torch.device

    @property
    def receptive_field(self) -> Triple:
        """Half width of what an output voxel depends on."""
        ...

    @property
    def multiple(self) -> Triple:
        """What the extents of an input must divide by."""
        ...

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """Return raw float32 output for a float32 batch."""
        ...


def predict_array(
    network: Network,
    activate: Activate,
    image: FloatArray,
    dims: int,
    *,
    tile_shape: Sequence[int] | None = None,
    overlap: Sequence[int] | None = None,
    dtype: npt.DTypeLike = np.float32,
    watch: Callable[[int, int], None] | None = None,
) -> MapArray:
    """Run the network over an array and return its activated maps.

    Tiles overlap by twice the halo. Output in the halo is dropped, and tiles fade into each other linearly across
    the 4 voxels around the middle of the overlap. With the default halo every voxel that is kept has seen all the
    context that the network can use, so tiles give what one pass over the whole array gives, up to the rounding
    of float32 sums (and of bfloat16 where the network computes in it).

    Parameters
    ----------
    network : InferenceNetwork
        Called with (b, c, y, x) or (b, c, z, y, x).
    activate : callable
        A task's ``activate``.
    image : ndarray of float32, shape (c, z, y, x)
        Normalised. Padded by reflection at its ends to what the network can take.
    dims : {2, 3}
        With 2 every slice is an item of a batch.
    tile_shape : tuple of int, optional
        z, y, x extent of a tile with its halo; chosen by memory if not given.
    overlap : tuple of int, optional
        Halo in z, y, x order; the network's receptive field if not given.
    dtype : dtype
        float32, or uint8 for maps × 255, rounded.
    watch : callable, optional
        Called with tiles done and tiles in all before each pass through the network; may raise to end it.

    Returns
    -------
    ndarray, shape (heads, z, y, x)
        Activated maps.

    Raises
    ------
    DeviceError
        If the device has too little memory even for small tiles.
    """
    space = image.shape[1:]
    halo, multiple = list(network.receptive_field if overlap is None else overlap), list(network.multiple)
    if dims == 2:
        halo[0], multiple[0] = 0, 1
    padding = [(0, p - n) for n, p in zip(space, padded_shape(space, multiple), strict=True)]
    if any(after for _, after in padding):
        image = np.pad(image, [(0, 0), *padding], mode="reflect")
    shape = (1, *space[1:]) if dims == 2 else space
    most = tile_voxels(network)
    while True:
        if tile_shape is None:
            tiling = tile_to_fit(shape, halo, multiple, most)
        else:
            tiling = tile_by_shape(shape, tile_shape, halo, multiple)
        try:
            return _Run(network, activate, image, space, tiling, dims, most, watch).maps(np.dtype(dtype))
        except torch.cuda.OutOfMemoryError as error:
            if most < _LEAST_VOXELS or tile_shape is not None:
                raise DeviceError(
                    f"{network.device} has too little memory for a tile of {tuple(a.tile for a in tiling)} voxels",
                    "more free memory on the device",
                    "close other programs that use the GPU, or use --device cpu",
                ) from error
        most //= 4
        torch.cuda.empty_cache()


def to_bytes(maps: torch.Tensor) -> torch.Tensor:
    """Round maps in [0, 1] to bytes; overwrites `maps`."""
    return maps.mul_(255).add_(0.5).clamp_(0, 255).to(torch.uint8)


def tile_voxels(network: Network) -> int:
    """Return how many voxels one pass through the network may hold, by the memory of its widest level."""
    most = CPU_TILE_BYTES if network.device.type == "cpu" else GPU_TILE_BYTES
    if isinstance(network, ScaledNetwork):
        return max(_LEAST_VOXELS, int(tile_voxels(network.inner) / math.prod(network.scales)))
    if isinstance(network, Elsewhere):
        return network.most_voxels
    if not isinstance(network, InferenceNetwork):
        return most // 80
    fitting = max(_LEAST_VOXELS, int(most / (network.config.held * network.precision.itemsize)))
    return min(fitting, network.config.most_voxels(network.device.type) or fitting)


class _Run:
    """One pass over an array."""

    def __init__(
        self,
        network: Network,
        activate: Activate,
        image: FloatArray,
        space: Sequence[int],
        tiling: tuple[AxisTiling, AxisTiling, AxisTiling],
        dims: int,
        most_voxels: int,
        watch: Callable[[int, int], None] | None = None,
    ) -> None:
        self.network, self.activate, self.image, self.dims = network, activate, image, dims
        self.most_voxels, self.watch = most_voxels, watch
        self.space, self.tiling = tuple(space), tiling
        tile = tuple(a.tile for a in tiling)
        self.item_shape = tile[1:] if dims == 2 else tile
        self.single = dims == 3 and all(len(a.starts) == 1 for a in tiling)
        self.whole_slices = dims == 2 and all(len(a.starts) == 1 for a in tiling[1:])

    def maps(self, dtype: np.dtype[Any]) -> MapArray:
        """Compute everything."""
        result: torch.Tensor | None = None
        direct = self.single or self.whole_slices
        as_bytes = dtype == np.uint8
        with torch.inference_mode():
            for items, output in self._batches():
                if result is None:
                    kind = torch.uint8 if direct and as_bytes else torch.float32
                    result = torch.zeros((output.shape[1], *self.space), dtype=kind)
                if direct:
                    self._place(result, items, to_bytes(output) if as_bytes else output)
                else:
                    for item, values in zip(items, output, strict=True):
                        self._blend(result, item, values)
            assert result is not None
            if as_bytes and not direct:
                result = to_bytes(result)
        return np.asarray(result.numpy())

    def _items(self) -> list[Triple]:
        """Return the numbers of the tiles per axis; with 2-D networks the first is the slice."""
        z, y, x = (range(len(a.starts)) for a in self.tiling)
        return list(itertools.product(range(self.space[0]) if self.dims == 2 else z, y, x))

    def _batches(self) -> Iterator[tuple[list[Triple], torch.Tensor]]:
        items = self._items()
        most = max(1, self.most_voxels // math.prod(self.item_shape))
        count = -(-len(items) // most)
        size = -(-len(items) // count)
        buffer = torch.empty((size, self.image.shape[0], *self.item_shape), dtype=torch.float32)
        filled = buffer.numpy()
        for first in range(0, len(items), size):
            if self.watch is not None:
                self.watch(first, len(items))
            batch = items[first : first + size]
            for slot, item in enumerate(batch):
                filled[slot] = self._input(item)
            yield batch, self.activate(self.network(buffer[: len(batch)].to(self.network.device)))

    def _input(self, item: Triple) -> FloatArray:
        z, y, x = (
            slice(a.starts[i], a.starts[i] + a.tile) if axis or self.dims == 3 else slice(i, i + 1)
            for axis, (a, i) in enumerate(zip(self.tiling, item, strict=True))
        )
        view = self.image[:, z, y, x]
        return view[:, 0] if self.dims == 2 else view

    def _place(self, result: torch.Tensor, items: list[Triple], output: torch.Tensor) -> None:
        """Copy whole slices, or the one tile there is, cutting off the padding."""
        z, y, x = self.space
        if self.single:
            result.copy_(output[0, :, :z, :y, :x])
        else:
            result[:, items[0][0] : items[-1][0] + 1].copy_(output[..., :y, :x].movedim(0, 1))

    def _blend(self, result: torch.Tensor, item: Triple, values: torch.Tensor) -> None:
        """Add the weighted output of one tile."""
        if self.dims == 2:
            values = values[:, None]
        inside, target = [], []
        weights = []
        for axis in range(3):
            if axis == 0 and self.dims == 2:
                inside.append(slice(0, 1))
                target.append(slice(item[0], item[0] + 1))
                continue
            tiling, index = self.tiling[axis], item[axis]
            start, stop = tiling.answer(index)
            weight = tiling.weights(index)
            stop = min(stop, self.space[axis])
            inside.append(slice(start - tiling.starts[index], stop - tiling.starts[index]))
            target.append(slice(start, stop))
            if len(tiling.starts) > 1:
                weights.append((axis, weight[: stop - start]))
        part = values[:, inside[0], inside[1], inside[2]]
        for axis, weight in weights:
            shape = [1, 1, 1, 1]
            shape[axis + 1] = -1
            part = part * torch.from_numpy(weight).to(part.device).reshape(shape)
        result[:, target[0], target[1], target[2]] += part.to(result.device)
