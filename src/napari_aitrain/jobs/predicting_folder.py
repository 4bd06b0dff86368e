"""Running a prediction job on a folder of images: one after the other, and on from where it was broken off."""

from __future__ import annotations

from collections.abc import Callable

from ..inference import PredictionCancelledError
from ..inference.run import predict
from ..location import Location
from ..nets.device import choose_device, choose_precision, describe_device
from .folder import JobFolder
from .inbox import Message
from .predict_config import PredictConfig
from .steering import Steering


def run_folder(
    job: JobFolder, config: PredictConfig, emit: Callable[..., None], control: Callable[[], list[Message]]
) -> None:
    """Predict every image of a folder into the job's folder of outputs; parameters are those of `run_prediction`.

    Raises
    ------
    AitrainError
        If an image cannot be predicted; those before it are there, and a resume goes on with it.
    """
    assert config.out is not None
    running = Steering(emit, control, job.events())
    number, images = 0, 1

    def begin(at: int, count: int, image: Location) -> None:
        nonlocal number, images
        number, images = at, count
        emit("log", message=f"Image {at + 1} of {count}: {image.name}")
        tell(0.0)

    def tell(share: float) -> None:
        fraction = round((number + share) / images, 6)
        emit("progress", done=number, total=images, stage="images", fraction=fraction, seconds=running.seconds)

    emit("state", state="running")
    try:
        found = predict(
            config.model, config.image, config.out, threshold=config.threshold, resume=True, device=config.device,
            precision=config.precision, channels=config.channels, axes=config.axes, voxel_size=config.voxel_size,
            resample=config.resample, diameter=config.diameter, scheduler=config.scheduler, workers=config.workers,
            progress=lambda done, total, _stage: tell(0.9 * done / max(1, total)), cancelled=running.cancelled,
            on_image=begin,
        )  # fmt: skip
    except PredictionCancelledError:
        return
    for one in found:
        for text in (*one.warnings, *(f"{block.start} could not be predicted: {block.error}" for block in one.failed)):
            emit("warning", message=f"{one.image.name}: {text}")
    number = images
    tell(0.0)
    device = choose_device(config.device)
    precision = str(choose_precision(device, config.precision)).removeprefix("torch.")
    emit("done", seconds=running.seconds, prediction=str(config.out), out=config.out,
         device=describe_device(device), precision=precision)  # fmt: skip
