"""What a prediction is to compute, and in which blocks, before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from ..errors import ConfigError
from ..geometry import Region, Triple, align_inwards, triple
from ..models import Model, ModelCard
from ..nets import InferenceNetwork, choose_device, choose_precision
from ..nets.scaled import at_scale
from ..tasks.agglomeration import AgglomeratingTask
from ..tasks.protocol import Task
from ..volumes import Volume
from ..volumes.resample import Factors, inside_resampled
from .blocks import decode_block, network_block
from .elsewhere import Blocks, Elsewhere
from .fingerprint import model_fingerprint
from .halo import measure_halo, sample_piece
from .image import PreparedImage
from .info import OnImage, PredictionInfo
from .overlap import decode_overlap
from .predictor import Network, tile_voxels

if TYPE_CHECKING:
    from ..nets.unet import UNet

DECODE_VOXELS = 3 * 2**22
"""Voxels that are decoded at once, overlap included; about 70 bytes each are needed."""


def make_network(model: Model, device: str = "auto", precision: str = "auto") -> Network:
    """Return the model's network, ready to predict images as they are, in whatever size it sees them."""
    if model.remote:
        from .remote.network import open_network

        return at_scale(open_network(model), model.card.scale, model.card.dims)
    where = choose_device(device)
    module = cast("UNet", model.network())
    network = InferenceNetwork(module, where, choose_precision(where, precision))
    return at_scale(network, model.card.scale, model.card.dims)


def aligned(region: Region | None, image: Volume, prepared: PreparedImage) -> Region:
    """Return what to predict, in voxels of the prediction, of a region in voxels of the image.

    Raises
    ------
    ConfigError
        If it is not inside the image, or holds no voxel of the prediction.
    """
    if region is None:
        return prepared.volume.region
    aligned = (
        inside_resampled(region, prepared.resampled)
        if prepared.resampled
        else align_inwards(region, prepared.magnification)
    )
    if aligned.empty or not image.region.contains(region):
        raise ConfigError(
            f"the region {region.start} to {region.stop} (z, y, x) cannot be predicted",
            f"a region inside the shape {image.shape}, of at least one voxel at the prediction's magnification",
            "choose a larger region inside the image",
        )
    return aligned


def plan_prediction(
    model: Model,
    task: Task,
    network: Network,
    prepared: PreparedImage,
    where: Region,
    block_shape: Sequence[int] | None,
) -> PredictionInfo:
    """Choose halo, overlap and blocks for a region `where` of the prepared image."""
    card, shape = model.card, where.shape
    dims = card.dims
    multiple = network.multiple if dims == 3 else (1, *network.multiple[1:])
    blocks = network.blocks(shape) if isinstance(network, Elsewhere) else None
    if blocks is None:
        blocks = _choose_blocks(task, network, prepared, shape, multiple, dims, block_shape)
    return PredictionInfo(
        model_name=card.name,
        model_fingerprint=model_fingerprint(model),
        image=str(prepared.volume.path or prepared.volume.name),
        image_fingerprint=prepared.volume.fingerprint,
        channels=prepared.volume.channels,
        task=card.task,
        task_settings=task.settings.model_dump(mode="json"),
        instances=task.instances,
        agglomerates=task.agglomerates,
        offsets=cast(AgglomeratingTask, task).offsets if task.agglomerates else (),
        scale=card.scale,
        classes=task.classes,
        feature_names=task.feature_names,
        dims=dims,
        heads=task.heads,
        magnification=prepared.magnification,
        start=where.start,
        shape=shape,
        voxel_size=prepared.volume.voxel_size,
        low=prepared.normalisation.low,
        high=prepared.normalisation.high,
        multiple=multiple,
        halo=blocks.halo,
        overlap=blocks.overlap,
        network_block=blocks.network,
        decode_block=blocks.decode,
        threshold=card.threshold,
        notes=(*prepared.notes, *_scaled(card)),
        warnings=(*prepared.warnings, *([blocks.warning] if blocks.warning else [])),
        decode_size=prepared.decode_size,
        place=prepared.volume.place.part(where),
    )


def _choose_blocks(
    task: Task,
    network: Network,
    prepared: PreparedImage,
    shape: Triple,
    multiple: Triple,
    dims: int,
    block_shape: Sequence[int] | None,
) -> Blocks:
    field = network.receptive_field if dims == 3 else (0, *network.receptive_field[1:])
    overlap, trouble = (0, 0, 0), ""
    if task.instances:
        overlap, trouble = decode_overlap(shape, dims, task.max_distance, prepared.decode_size, DECODE_VOXELS)
    if block_shape is not None:
        maps_block = triple([-(-n // m) * m for n, m in zip(triple(block_shape), multiple, strict=True)])
        return Blocks(field, overlap, maps_block, triple(block_shape), trouble)
    most = tile_voxels(network)
    halo: Triple = field
    whole = network_block(shape, field, multiple, dims, most)
    if any(w < n for w, n in zip(whole[3 - dims :], shape[3 - dims :], strict=True)):
        halo = measure_halo(network, task.activate, sample_piece(prepared, field, multiple, dims), dims)
    maps_block = network_block(shape, halo, multiple, dims, most)
    return Blocks(halo, overlap, maps_block, decode_block(shape, overlap, DECODE_VOXELS), trouble)


def _scaled(card: ModelCard) -> Iterator[str]:
    if card.scale != 1 and card.diameter is not None:
        large = f"objects of about {card.diameter / card.scale:.3g} voxels are seen as large as the model knows them"
        yield f"The network sees the image scaled by {card.scale:.3g}: {large}."


def on_image(factors: Factors, image: Volume, region: Region | None) -> OnImage:
    """Return how the prediction of a resampled image lies on the image."""
    whole = image.region if region is None else region
    return OnImage(factors=factors, start=whole.start, shape=whole.shape, voxel_size=image.voxel_size)
