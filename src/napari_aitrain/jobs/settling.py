"""What is checked before a job is written, and what its config then says."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from ..annotation.policy import alone
from ..errors import ConfigError
from ..models import find_model, load_model
from ..tasks import make_task, settled_name
from ..training.config import AUTO, SCRATCH, TrainConfig
from ..training.plan import Plan, plan_crops
from ..training.using import check_use
from ..volumes import open_volume
from ..volumes.outputs import holds_images, pair_outputs
from .evaluate_config import EvaluateConfig, absolute_evaluation
from .predict_config import PredictConfig, absolute


def check_settings(config: TrainConfig) -> None:
    """Check what can be checked without torch and without reading images.

    Raises
    ------
    ConfigError
        If the task, one of its settings or the device is not known.
    ModelError
        If the model to go on from cannot be opened.
    """
    make_task(config.task, config.task_settings)
    _check_device(config.device)
    if config.start_from not in (AUTO, SCRATCH):
        find_model(config.start_from)


def _check_device(device: str) -> None:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise ConfigError(f"device {device!r} is not known", "auto, cpu, cuda, cuda:N or mps", "use --device auto")


def settled_training(config: TrainConfig, plan: Plan | None = None) -> tuple[TrainConfig, Plan]:
    """Return the config of a training, with its policy and the task that is meant, and its plan.

    Parameters
    ----------
    config : TrainConfig
        What is to be trained.
    plan : Plan, optional
        What `plan_crops` made of it, if that is known already.

    Raises
    ------
    AitrainError
        Whatever stands against the start.
    """
    check_settings(config)
    plan = plan_crops(config) if plan is None else plan
    plan.raise_errors()
    check_use(config)
    task = settled_name(config.task)
    return config.model_copy(update={"policy": alone(plan.policy), "task": task}), replace(plan, task=task)


def settled_prediction(config: PredictConfig, outputs: Path) -> PredictConfig:
    """Return the config of a prediction with absolute paths.

    Parameters
    ----------
    config : PredictConfig
        What is to be predicted with which model.
    outputs : Path
        Where the labels of the images of a folder go, if the config does not say it.

    Raises
    ------
    AitrainError
        If the model or the image cannot be opened, or the device is not known.
    """
    _check_device(config.device)
    config = absolute(config)
    load_model(config.model)
    if holds_images(config.image):
        out = config.out or outputs
        list(pair_outputs(config.image, out))
        return config.model_copy(update={"out": out})
    open_volume(config.image, channels=config.channels, axes=config.axes, voxel_size=config.voxel_size, at=config.at)
    return config


def settled_evaluation(config: EvaluateConfig) -> EvaluateConfig:
    """Return the config of an evaluation with absolute paths.

    Raises
    ------
    AitrainError
        If the model cannot be opened, the device is not known, or there are no sources.
    """
    _check_device(config.device)
    config = absolute_evaluation(config)
    load_model(config.model)
    if not config.sources:
        raise ConfigError(
            "there is nothing to evaluate on",
            "images with ground truth",
            "name some, or a training whose boxes are to be taken",
        )
    return config
