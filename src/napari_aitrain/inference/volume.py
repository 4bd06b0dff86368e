"""Prediction of a volume of any size into a store, with bounded memory, to be gone on with after any interruption."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from ..errors import OutputExistsError, StorageError
from ..evaluation.calibration import Calibration
from ..geometry import Region
from ..models import Model
from ..tasks.protocol import Task
from ..volumes import Volume
from ..volumes.atomic import storage_errors
from ..volumes.output_lock import OutputLock
from .agglomerating import AgglomeratingStages
from .blocks import Cancelled, OnBlock, Progress
from .cluster import crew_of
from .estimating import bytes_needed
from .filled import read_filled
from .fingerprint import model_fingerprint
from .image import PreparedImage, prepare_image
from .info import INFO, FailedBlock, PredictionInfo, read_info, write_info
from .manifest import Manifest
from .planning import aligned, make_network, on_image, plan_prediction
from .predictor import Network
from .stages import Stages
from .store import StoredPrediction
from .work import Crew, Failure, Threads, Work
from .worker import Assignment

__all__ = ["make_network", "model_fingerprint", "predict_volume"]

MANIFEST = "blocks.jsonl"
_CHANGED, _FILLED = "The image changed while it was predicted", "0 was read in the place of"


def predict_volume(
    model: Model,
    image: Volume,
    store: Path,
    *,
    region: Region | None = None,
    device: str = "auto",
    precision: str = "auto",
    block_shape: Sequence[int] | None = None,
    near: Sequence[float] | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    source: Callable[[], Volume] | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    on_block: OnBlock | None = None,
    on_failure: Callable[[FailedBlock], None] | None = None,
    resume: bool = False,
    resample: bool = False,
    network: Callable[[], Network] | None = None,
) -> StoredPrediction:
    """Predict a volume block by block.

    Memory does not grow with the volume. Blocks are given the context that the network uses on this image (see
    `measure_halo`), so that their maps differ from those of one whole pass by at most 2/255 for 99.9 % of the voxels
    at their faces. Decoded blocks overlap, and objects are joined where pieces share more than half of their voxels
    there: objects smaller than the overlap are those of one whole pass. For tasks that agglomerate, fragments end at
    the faces of blocks, and one merge tree over all blocks joins them. The result does not depend on the order of the
    blocks or on who computes them.

    A block that fails is tried three times. Then the others are finished without it, and `PredictionInfo.failed`
    names it; with `resume` it is tried again, and what depends on it is made anew.

    Parameters
    ----------
    model : Model
        The trained model; for objects of another size see `Model.of_diameter` and `sizing.estimate_scale`.
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
    near : tuple of float, optional
        z, y, x, in voxels of the image: the blocks nearest to it are made first.
    scheduler : str, optional
        Who computes: this process if not given, else see `cluster.crew_of`.
    workers : int, optional
        For the schedulers ``local`` and ``threads``: how many.
    source : callable, optional
        Opens the image once more, in another process; the image itself is sent if not given.
    progress : callable, optional
        Called with blocks done, blocks in all and the name of the stage. Stages that do not need all of each other go
        on at the same time.
    cancelled : callable, optional
        Asked before each block.
    on_block : callable, optional
        Called with the name of the stage and the region, in voxels of the prediction, that can now be read: of
        ``maps.zarr`` after *network*, of ``pieces.zarr`` after *objects* and *fragments*, of ``labels.zarr`` after
        *stitching* and *classes*.
    on_failure : callable, optional
        Called with each block that failed three times.
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
        If `store` exists and `resume` is False, it is of another model, image or region, or another process writes it.
    PredictionCancelledError
        If `cancelled` said so; the store stays, to be resumed.
    StorageError
        If the disk has too little room.
    ConfigError
        If the image has not the model's channels, the region is outside the image, or the scheduler is not known.
    """
    store, task = Path(store), model.task()
    prepared = prepare_image(model, image, resample)
    where = aligned(region, image, prepared)
    made: list[Network] = []

    def get_network() -> Network:
        if not made:
            made.append(network() if network is not None else make_network(model, device, precision))
        return made[0]

    with storage_errors(store):
        store.parent.mkdir(parents=True, exist_ok=True)
    with OutputLock(store):
        if (store / INFO).is_file():
            info = _go_on(store, model, prepared, where, resume)
            if info.finished and not info.failed:
                return StoredPrediction(store, info)
        else:
            _refuse(store)
            info = plan_prediction(model, task, get_network(), prepared, where, block_shape)
            if prepared.resampled is not None:
                place = image.place.part(image.region if region is None else region)
                onto = on_image(prepared.resampled, image, region)
                info = info.model_copy(update={"resampled": onto, "place": place})
            _check_disk(store, info)
            with storage_errors(store):
                store.mkdir(parents=True, exist_ok=True)
            write_info(store, info)
        stages = make_stages(store, info, task, model, get_network, prepared)
        assignment = Assignment(
            store, model.folder, source or image, device, precision, resample, scale=model.card.scale
        )
        with storage_errors(store), _crew(scheduler, assignment, stages, workers) as crew:
            failures = _run(stages, crew, _inside(near, prepared, where), progress, cancelled, on_block, on_failure)
        info = _finished(store, info, failures, prepared)
        write_info(store, info)
        if not failures:
            stages.clean_up()
    return StoredPrediction(store, info)


def make_stages(
    store: Path,
    info: PredictionInfo,
    task: Task,
    model: Model,
    network: Callable[[], Network],
    image: PreparedImage,
    alone: bool = True,
) -> Stages:
    """Return the stages of a prediction by a model; see `Stages`."""
    calibration = Calibration.model_validate(model.card.calibration) if model.card.calibration else None
    kind: type[Stages] = AgglomeratingStages if task.agglomerates else Stages
    if task.architecture == "remote":
        from .remote.stages import RemoteStages

        kind = RemoteStages
    # While one request is computed elsewhere, the next can be on its way.
    return kind(store, info, task, calibration, network, image, alone and not model.remote)


def _crew(
    scheduler: str | None, assignment: Assignment, stages: Stages, workers: int | None
) -> AbstractContextManager[Crew]:
    return Threads(stages) if scheduler is None else crew_of(scheduler, assignment, stages, workers)


def _run(
    stages: Stages,
    crew: Crew,
    near: Sequence[float] | None,
    progress: Progress | None,
    cancelled: Cancelled | None,
    on_block: OnBlock | None,
    on_failure: Callable[[FailedBlock], None] | None,
) -> list[Failure]:
    stages.prepare()
    manifest = Manifest(stages.store / MANIFEST, stages.sizes)
    told = None if on_failure is None else lambda failure: on_failure(_failed(failure))
    work = Work(stages, crew, manifest, progress, cancelled, on_block, told)
    work.run(stages.phases(near))
    return work.failures


def _inside(near: Sequence[float] | None, prepared: PreparedImage, where: Region) -> tuple[float, ...] | None:
    """Return a place of the image in voxels of the prediction."""
    if near is None:
        return None
    factors = prepared.resampled or prepared.magnification
    return tuple(at / f - start for at, f, start in zip(near, factors, where.start, strict=True))


def _finished(
    store: Path, info: PredictionInfo, failures: Sequence[Failure], prepared: PreparedImage
) -> PredictionInfo:
    failed = tuple(map(_failed, failures))
    warnings = [text for text in info.warnings if not text.startswith((_CHANGED, _FILLED))]
    if changed := prepared.volume.changed():
        warnings.append(f"{_CHANGED} ({changed}): blocks may not fit each other; predict it again once it is complete.")
    if filled := read_filled(store):
        warnings.append(f"{_FILLED} {len(filled)} damaged chunks, of which the first is {filled[0]}.")
    return info.model_copy(update={"finished": True, "failed": failed, "warnings": tuple(warnings)})


def _failed(one: Failure) -> FailedBlock:
    return FailedBlock(stage=one.block.stage, start=one.region.start, stop=one.region.stop, error=_said(one.error))


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


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
    needed = bytes_needed(info)
    there = next(p for p in (store, *store.absolute().parents) if p.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise StorageError(
            f"the prediction may need {needed / 2**30:.3g} GiB and {there} has {free / 2**30:.3g} GiB free",
            f"at least {needed / 2**30:.3g} GiB where the output goes",
            "free some space, or choose an output on another disk",
        )
