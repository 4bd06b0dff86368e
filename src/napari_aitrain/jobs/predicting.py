"""Running a prediction job in the worker: progress, blocks, pause, stop, and going on after any interruption."""

from __future__ import annotations

import functools
from collections.abc import Callable

from ..geometry import Region
from ..inference import PredictionCancelledError, StoredPrediction, export, predict_volume
from ..inference.info import INFO, FailedBlock, read_info
from ..inference.planning import make_network
from ..inference.predictor import Network
from ..inference.run import open_for
from ..inference.sizing import sized
from ..inference.store import LABELS, MAPS, RAW
from ..models import load_model
from ..nets.device import choose_device, choose_precision, describe_device
from ..volumes.atomic import storage_errors
from ..volumes.outputs import holds_images
from .folder import JobFolder
from .inbox import Message
from .predict_config import PredictConfig
from .predicting_folder import run_folder
from .steering import Steering

ARRAYS = {"network": MAPS, "answers": RAW, "objects": RAW, "fragments": RAW, "stitching": LABELS, "classes": LABELS}
_SHARES = {
    "network": 0.7, "objects": 0.2, "faces": 0.03, "merging": 0.01, "stitching": 0.06, "classes": 0.3,
    "answers": 0.9, "fragments": 0.15, "contacts": 0.07, "agglomeration": 0.02,
}  # fmt: skip
"""Which part of the whole a stage is; those of one task add up to 1."""


def run_prediction(
    job: JobFolder, config: PredictConfig, emit: Callable[..., None], control: Callable[[], list[Message]]
) -> None:
    """Predict what a job asks for, or go on with it.

    Parameters
    ----------
    job : JobFolder
        The result is its stored prediction; of a folder of images, the folder of outputs.
    config : PredictConfig
        The job's settings.
    emit, control : callable
        As for `training.loop.run_training`. Events are state, log, warning, ``progress`` (done, total, stage,
        fraction, seconds), ``block`` (stage, array, start, stop: what can be read of which array of the store, in
        voxels of the prediction), ``failed-block`` (stage, start, stop, error) and done.

    Raises
    ------
    AitrainError
        If it cannot be run.
    """
    if holds_images(config.image):
        run_folder(job, config, emit, control)
        return
    running = _Running(job, emit, control)
    model = load_model(config.model)
    source = functools.partial(
        open_for, config.image, len(model.card.channels), config.channels, config.axes, config.voxel_size, config.at
    )
    emit("state", state="running")
    image, begun = source(), read_info(job.prediction) if (job.prediction / INFO).is_file() else None

    def network() -> Network:
        return make_network(model.of_scale(1.0), config.device, config.precision)

    try:
        stored = predict_volume(
            sized(model, image, config.diameter, network, config.resample, begun), image, job.prediction,
            region=config.region, device=config.device, precision=config.precision,
            progress=running.progress, cancelled=running.cancelled, on_block=running.block,
            on_failure=running.failure, resume=True, resample=config.resample, near=config.near,
            scheduler=config.scheduler, workers=config.workers, source=source,
        )  # fmt: skip
    except PredictionCancelledError:
        return
    for text in stored.info.notes:
        emit("log", message=text)
    for text in stored.info.warnings:
        emit("warning", message=text)
    for block in stored.info.failed:
        said = f"{block.start} to {block.stop} (z, y, x) could not be predicted and is background: {block.error}"
        emit("warning", message=said)
    if config.out is not None:
        _export(stored, config)
    device = choose_device(config.device)
    precision = str(choose_precision(device, config.precision)).removeprefix("torch.")
    emit("done", seconds=running.seconds, prediction=str(job.prediction), out=config.out,
         device=describe_device(device), precision=precision)  # fmt: skip


def _export(stored: StoredPrediction, config: PredictConfig) -> None:
    assert config.out is not None
    with storage_errors(config.out):
        config.out.parent.mkdir(parents=True, exist_ok=True)
    threshold = stored.info.threshold if config.threshold is None else config.threshold
    if not (config.out.exists() and stored.wrote(config.out) and stored.written_at(config.out) == threshold):
        export(stored, config.out, threshold)


class _Running:
    """What a running prediction tells, and what it hears."""

    def __init__(self, job: JobFolder, emit: Callable[..., None], control: Callable[[], list[Message]]) -> None:
        self._emit = emit
        self._steering = Steering(emit, control, job.events())
        self.cancelled = self._steering.cancelled
        self._parts: dict[str, float] = {}

    @property
    def seconds(self) -> float:
        """Seconds of prediction so far, over all runs of the job; pauses do not count."""
        return self._steering.seconds

    def progress(self, done: int, total: int, stage: str) -> None:
        """Tell how far it has come."""
        self._parts[stage] = done / max(1, total)
        fraction = min(1.0, round(sum(_SHARES[name] * part for name, part in self._parts.items()), 6))
        self._emit("progress", done=done, total=total, stage=stage, fraction=fraction, seconds=self.seconds)

    def block(self, stage: str, region: Region) -> None:
        """Tell what can be read; some stages write nothing that people look at."""
        if stage in ARRAYS:
            self._emit("block", stage=stage, array=ARRAYS[stage], start=region.start, stop=region.stop)

    def failure(self, block: FailedBlock) -> None:
        """Tell of a block that could not be predicted."""
        self._emit("failed-block", stage=block.stage, start=block.start, stop=block.stop, error=block.error)
