"""What a training or a prediction will take, measured by an idle worker and written down as JSON."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import NotReadyError, StorageError
from ..models import load_model
from ..training.config import TrainConfig
from ..training.config_file import read_config
from ..training.cropset import CropSet
from ..training.estimate import StepMeasurement, estimate
from ..training.readiness import check
from ..volumes.atomic import atomic_write_text
from .failure import describe
from .lines import plain
from .predict_config import KIND, read_predict_config, read_yaml


def answer(config: Path, to: Path, interrupted: Callable[[], bool]) -> None:
    """Estimate the training or prediction of a config file, and write the `Estimate`, or the error, as JSON.

    Parameters
    ----------
    config : Path
        YAML file.
    to : Path
        JSON file; it is not there before the answer is whole.
    interrupted : callable
        Whether something more urgent has come.
    """
    from ..training.measure import MeasureCancelledError

    told: dict[str, Any]
    try:
        data = read_yaml(config)
        predicts = isinstance(data, dict) and data.get("kind") == KIND
        told = _prediction(config) if predicts else _training(config, interrupted)
    except MeasureCancelledError as error:
        told = {**describe(error), "error": "Cancelled"}
    except Exception as error:  # the worker's edge, as for jobs
        told = dict(describe(error))
    with contextlib.suppress(StorageError):
        atomic_write_text(to, json.dumps(plain(told)))


def _training(config: Path, interrupted: Callable[[], bool]) -> dict[str, Any]:
    from ..training.measure import measure_steps

    def measure(settings: TrainConfig, crops: CropSet, steps: int) -> StepMeasurement:
        return measure_steps(settings, crops, steps, interrupted)

    settings = read_config(config)
    readiness = check(settings)
    if not readiness.ready:
        first = readiness.errors[0]
        raise NotReadyError(first.message, "a training set without errors", first.remedy)
    return dict(estimate(settings, readiness, measure).as_dict())


def _prediction(path: Path) -> dict[str, Any]:
    from ..inference.estimating import estimate as estimate_prediction
    from ..inference.run import open_for

    config = read_predict_config(path)
    model = load_model(config.model)
    image = open_for(config.image, len(model.card.channels), config.channels, config.axes, config.voxel_size, config.at)
    if isinstance(config.diameter, float):
        model = model.of_diameter(config.diameter)
    return asdict(
        estimate_prediction(
            model, image, region=config.region, device=config.device, precision=config.precision,
            resample=config.resample,
        )
    )  # fmt: skip
