"""Train and use at once: the prediction that follows a training, as a job of its own."""

from __future__ import annotations

from pathlib import Path

from ..errors import AitrainError
from ..training.config import TrainConfig
from ..training.using import opened_like
from ..volumes.outputs import holds_images
from .events import last
from .folder import OUTPUTS, JobFolder
from .predict_config import PredictConfig
from .queue import set_turn


def follow_with_use(job: JobFolder, config: TrainConfig, *, stopped: bool) -> JobFolder | None:
    """Write the prediction that follows a training which has ended; None where none is wanted.

    Parameters
    ----------
    job : JobFolder
        The training; it has a model.
    config : TrainConfig
        Its settings.
    stopped : bool
        Whether a person has ended it. Where no end was set that is how it ends, and else a change of mind.

    Raises
    ------
    AitrainError
        If it cannot be written, or the image cannot be opened any more.
    """
    image = config.then_predict
    if image is None or (stopped and (config.minutes is not None or config.steps is not None)):
        return None
    folder = _free(job.path)
    out = config.then_out
    if out is None and holds_images(image):
        out = folder / OUTPUTS
    asked = PredictConfig(
        name=f"{config.name} on {image.stem}", model=job.model, image=image, out=out, device=config.device,
        precision=config.precision, threads=config.threads, **opened_like(config, image),
    )  # fmt: skip
    use = JobFolder.create_prediction(asked, folder)
    # Whoever waits has waited for both.
    set_turn(use, 0.0)
    return use


def use_of(job: JobFolder) -> JobFolder | None:
    """Return the prediction that followed a training, if there is one."""
    done = last(job.events(), "done")
    told = None if done is None else done.data.get("then")
    if not isinstance(told, str):
        return None
    try:
        return JobFolder.open(Path(told))
    except AitrainError:
        return None


def _free(training: Path) -> Path:
    folder, number = training.with_name(f"{training.name}-use"), 1
    while folder.exists():
        number += 1
        folder = training.with_name(f"{training.name}-use-{number}")
    return folder
