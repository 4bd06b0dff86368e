"""Prediction of a volume of any size into a store, with bounded memory, to be gone on with after any interruption."""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..errors import ConfigError, OutputExistsError, StorageError
from ..evaluation.calibration import Calibration
from ..geometry import Region, Triple, align_inwards, triple
from ..models import Model
from ..nets import InferenceNetwork, choose_device, choose_precision
from ..tasks.agglomeration import AgglomeratingTask
from ..tasks.protocol import Task
from ..volumes import Volume
from ..volumes.atomic import storage_errors
from ..volumes.resample import Factors, inside_resampled
from .agglomerating import AgglomeratingStages
from .blocks import Cancelled, OnBlock, Progress, decode_block, network_block
from .halo import measure_halo, sample_piece
from .image import PreparedImage, prepare_image
from .info import INFO, OnImage, PredictionInfo, read_info, write_info
from .overlap import decode_overlap
from .predictor import Network, tile_voxels
from .stages import Stages
from .store import StoredPrediction

if TYPE_CHECKING:
    from ..nets.unet import UNet

DECODE_VOXELS = 3 * 2**22
"""Voxels that are decoded at once, overlap included; about 70 bytes each are needed."""


def predict_volume(
    model: Model,
    image: Volume,
    store: Path,
    *,
    region: Region | None = None,
    device: str = "auto",
    precision: str = "auto",
    block_shape: Sequence[int] | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    on_block: OnBlock | None = None,
    resume: bool = False,
    resample: bool = False,
    network: Callable[[], Network] | None = None,
) -> StoredPrediction:
    """Predict a volume block by block.

    Memory does not grow with the volume. Blocks are given the context that the network uses on this image (see
    `measure_halo`), so that their maps differ from those of one whole pass by at most 2/255 for 99.9 % of the voxels
    at their faces. Decoded blocks overlap, and objects are joined where pieces share more than half of their voxels
    there: objects smaller than the overlap are those of one whole pass. For tasks that agglomerate, fragments end at
    the faces of blocks, and one merge tree over all blocks joins them.

    Parameters
    ----------
    model : Model
        The trained model.
    image : Volume
        Any image that has the channels of the model.
    store : Path
        Folder to make. A finished block is never computed again.
    region : Region, optional
        What to predict, in voxels of the image; shrunk inwards to whole voxels of the prediction's magnification.
    device, precision : str
        See `choose_device` and `choose_precision`.
    block_shape : tuple of int, optional
        z, y, x extent of the blocks; chosen by memory if not given.
    progress : callable, optional
        Called with blocks done, blocks in all and the name of the stage.
    cancelled : callable, optional
        Asked before each block.
    on_block : callable, optional
        Called with the name of the stage and the region, in voxels of the prediction, that can now be read: of
        ``maps.zarr`` after *network*, of ``pieces.zarr`` after *objects*, of ``labels.zarr`` after *stitching*,
        *classes* and *fragments*.
    resume : bool
        Go on with what an interrupted prediction left in `store`.
    resample : bool
        Bring the image to the voxel size of the training, see `prepare_image`.
    network : callable, optional
        Gives the model's network when it is needed; made of the model if not given.

    Returns
    -------
    StoredPrediction

    Raises
    ------
    OutputExistsError
        If `store` exists and `resume` is False, or it is of another model, image or region.
    PredictionCancelledError
        If `cancelled` said so; the store stays, to be resumed.
    StorageError
        If the disk has too little room.
    ConfigError
        If the image has not the model's channels, or the region is outside the image.
    """
    store, task = Path(store), model.task()
    prepared = prepare_image(model, image, resample)
    where = _aligned(region, image, prepared)
    get_network = network or (lambda: make_network(model, device, precision))
    made: Network | None = None
    if (store / INFO).is_file():
        info = _go_on(store, model, prepared, where, resume)
        if info.finished:
            return StoredPrediction(store, info)
    else:
        _refuse(store)
        made = get_network()
        info = _plan(model, task, made, prepared, where, block_shape)
        if prepared.resampled is not None:
            place = image.place.part(image.region if region is None else region)
            onto = _on_image(prepared.resampled, image, region)
            info = info.model_copy(update={"resampled": onto, "place": place})
        _check_disk(store, info)
        with storage_errors(store):
            store.mkdir(parents=True, exist_ok=True)
        write_info(store, info)
    calibration = Calibration.model_validate(model.card.calibration) if model.card.calibration else None
    kind = AgglomeratingStages if task.agglomerates else Stages
    stages: Stages = kind(store, info, task, calibration, progress, cancelled, on_block)
    with storage_errors(store):
        if stages.needs_network:
            stages.compute_maps(made or get_network(), prepared)
        stages.run()
    info = info.model_copy(update={"finished": True})
    write_info(store, info)
    stages.clean_up()
    return StoredPrediction(store, info)


def make_network(model: Model, device: str = "auto", precision: str = "auto") -> InferenceNetwork:
    """Return the model's network, ready to predict."""
    where = choose_device(device)
    module = cast("UNet", model.network())
    return InferenceNetwork(module, where, choose_precision(where, precision))


def model_fingerprint(model: Model) -> str:
    """Return a short text that changes with whatever shapes the maps and objects: weights, task, calibration."""
    card = model.card
    parts = (card.weights_sha256, card.task, card.task_settings, card.classes, card.network, card.calibration)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def _aligned(region: Region | None, image: Volume, prepared: PreparedImage) -> Region:
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


def _plan(
    model: Model,
    task: Task,
    network: Network,
    prepared: PreparedImage,
    where: Region,
    block_shape: Sequence[int] | None,
) -> PredictionInfo:
    card, shape = model.card, where.shape
    dims = card.dims
    multiple = network.multiple if dims == 3 else (1, *network.multiple[1:])
    field = network.receptive_field if dims == 3 else (0, *network.receptive_field[1:])
    overlap, trouble = (0, 0, 0), ""
    if task.instances:
        overlap, trouble = decode_overlap(shape, dims, task.max_distance, prepared.decode_size, DECODE_VOXELS)
    if block_shape is None:
        most = tile_voxels(network)
        halo: Triple = field
        whole = network_block(shape, field, multiple, dims, most)
        if any(w < n for w, n in zip(whole[3 - dims :], shape[3 - dims :], strict=True)):
            halo = measure_halo(network, task.activate, sample_piece(prepared, field, multiple, dims), dims)
        maps_block = network_block(shape, halo, multiple, dims, most)
        objects_block = decode_block(shape, overlap, DECODE_VOXELS)
    else:
        halo, objects_block = field, triple(block_shape)
        maps_block = triple([-(-n // m) * m for n, m in zip(objects_block, multiple, strict=True)])
    return PredictionInfo(
        model_name=card.name,
        model_fingerprint=model_fingerprint(model),
        image=str(prepared.volume.path or prepared.volume.name),
        image_fingerprint=prepared.volume.fingerprint,
        channels=prepared.volume.channels,
        task=card.task,
        instances=task.instances,
        agglomerates=task.agglomerates,
        offsets=cast(AgglomeratingTask, task).offsets if task.agglomerates else (),
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
        halo=halo,
        overlap=overlap,
        network_block=maps_block,
        decode_block=objects_block,
        threshold=card.threshold,
        notes=prepared.notes,
        warnings=(*prepared.warnings, *([trouble] if trouble else [])),
        decode_size=prepared.decode_size,
        place=prepared.volume.place.part(where),
    )


def _on_image(factors: Factors, image: Volume, region: Region | None) -> OnImage:
    whole = image.region if region is None else region
    return OnImage(factors=factors, start=whole.start, shape=whole.shape, voxel_size=image.voxel_size)


def _refuse(store: Path) -> None:
    if store.exists() and any(store.iterdir()):
        raise OutputExistsError(
            f"{store} exists and holds no prediction", "a folder that does not exist yet", "choose another name"
        )


def _go_on(store: Path, model: Model, prepared: PreparedImage, where: Region, resume: bool) -> PredictionInfo:
    info = read_info(store)
    same = (model_fingerprint(model), prepared.volume.fingerprint, where.start, where.shape)
    if (info.model_fingerprint, info.image_fingerprint, info.start, info.shape) != same:
        raise OutputExistsError(
            f"{store} holds a prediction of another model, image or region ({info.model_name}, {info.image})",
            "the model and image that the prediction was begun with",
            "choose another output, or remove that folder if it is not needed any more",
        )
    if not resume:
        raise OutputExistsError(
            f"{store} holds {'a finished' if info.finished else 'an unfinished'} prediction of this model and image",
            "an empty place, or leave to go on",
            "add --resume to go on with it, or remove that folder to begin again",
        )
    return info


def _check_disk(store: Path, info: PredictionInfo) -> None:
    # Maps as they are, and labels and output, which compress well, with a byte and a half each.
    needed = math.prod(info.shape) * (info.heads + 3) + 2**20
    there = next(p for p in (store, *store.absolute().parents) if p.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise StorageError(
            f"the prediction may need {needed / 2**30:.3g} GiB and {there} has {free / 2**30:.3g} GiB free",
            f"at least {needed / 2**30:.3g} GiB where the output goes",
            "free some space, or choose an output on another disk",
        )
