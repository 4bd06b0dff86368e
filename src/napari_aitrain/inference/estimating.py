"""How long a prediction will take and how much disk it needs, before it begins."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ..geometry import Region, triple
from ..models import Model
from ..volumes import Volume
from .elsewhere import Elsewhere
from .grid import Grid
from .image import PreparedImage, prepare_image
from .info import PredictionInfo
from .planning import aligned, make_network, plan_prediction
from .predictor import Network, predict_array

_SAMPLE = 2**20
"""Voxels that are predicted to measure the speed."""

_STITCHING = 1.1
"""What writing and stitching add to computing and decoding."""


@dataclass(frozen=True)
class Estimate:
    """What a prediction will take.

    Parameters
    ----------
    seconds : float
        On this machine, alone; of several workers each does its share.
    bytes_needed : int
        On the disk while it runs; less is left at the end.
    voxels : int
        Of the prediction.
    network_blocks, decode_blocks : int
        Into how many blocks it is divided.
    """

    seconds: float
    bytes_needed: int
    voxels: int
    network_blocks: int
    decode_blocks: int


def bytes_needed(info: PredictionInfo) -> int:
    """Return what a prediction may need on the disk: maps as they are, and labels, which compress well."""
    faces = 2 * sum(o / b for o, b in zip(info.overlap, info.decode_block, strict=True))
    return int(math.prod(info.shape) * (info.heads + 3 + 0.5 * faces)) + 2**20


def estimate(
    model: Model,
    image: Volume,
    *,
    region: Region | None = None,
    device: str = "auto",
    precision: str = "auto",
    block_shape: Sequence[int] | None = None,
    resample: bool = False,
) -> Estimate:
    """Predict a small piece from the middle, and return what the whole will take.

    Parameters
    ----------
    model, image, region, device, precision, block_shape, resample
        As for `predict_volume`.

    Raises
    ------
    AitrainError
        As `predict_volume` does before it begins.
    """
    prepared, task = prepare_image(model, image, resample), model.task()
    where = aligned(region, image, prepared)
    network = make_network(model, device, precision)
    info = plan_prediction(model, task, network, prepared, where, block_shape)
    network_grid = Grid(info.shape, info.network_block, info.halo)
    decode_grid = Grid(info.shape, info.decode_block, triple([o // 2 for o in info.overlap]))
    computing, decoding = _seconds_per_voxel(model, network, prepared, info)
    seconds = _STITCHING * (computing * seen_voxels(network_grid) + decoding * seen_voxels(decode_grid))
    return Estimate(seconds, bytes_needed(info), math.prod(info.shape), len(network_grid), len(decode_grid))


def seen_voxels(grid: Grid) -> int:
    """Return the voxels of all blocks with their halos."""
    per_axis = []
    for n, block, halo in zip(grid.shape, grid.block, grid.halo, strict=True):
        per_axis.append(sum(min(a + block + halo, n) - max(0, a - halo) for a in range(0, n, block)))
    return math.prod(per_axis)


def _seconds_per_voxel(
    model: Model, network: Network, prepared: PreparedImage, info: PredictionInfo
) -> tuple[float, float]:
    """Return seconds per voxel for reading and the network, and for decoding."""
    task, dims = model.task(), info.dims
    side = round(_SAMPLE ** (1 / dims))
    wanted = (1, side, side) if dims == 2 else (side, side, side)
    size = triple([min(n, w) for n, w in zip(info.shape, wanted, strict=True)])
    start = [a + (n - s) // 2 for a, n, s in zip(info.start, info.shape, size, strict=True)]
    piece = Region.from_shape(size, start)
    if isinstance(network, Elsewhere) and not info.heads:
        region = Region.from_shape(info.decode_block, start).intersect(prepared.volume.region)
        began = time.perf_counter()
        network.objects(prepared.read(region))
        return 0.0, (time.perf_counter() - began) / region.size
    computing = []
    for _ in range(2):
        # The first pass through a network prepares things that later ones find ready.
        began = time.perf_counter()
        maps = predict_array(network, task.activate, prepared.read(piece), dims, overlap=(0, 0, 0))
        computing.append(time.perf_counter() - began)
    began = time.perf_counter()
    task.decode(maps, info.decode_size or info.voxel_size, dims)
    return computing[-1] / piece.size, (time.perf_counter() - began) / piece.size
