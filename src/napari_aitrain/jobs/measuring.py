"""What a training will take, measured by an idle worker and written down as JSON."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import NotReadyError, StorageError
from ..training.config import TrainConfig, read_config
from ..training.cropset import CropSet
from ..training.estimate import StepMeasurement, estimate
from ..training.readiness import check
from ..volumes.atomic import atomic_write_text
from .failure import describe
from .lines import plain


def answer(config: Path, to: Path, interrupted: Callable[[], bool]) -> None:
    """Estimate the training of a config file, and write the `Estimate`, or the error, as JSON.

    Parameters
    ----------
    config : Path
        YAML file.
    to : Path
        JSON file; it is not there before the answer is whole.
    interrupted : callable
        Whether something more urgent has come.
    """
    from ..training.measure import MeasureCancelledError, measure_steps

    def measure(settings: TrainConfig, crops: CropSet, steps: int) -> StepMeasurement:
        return measure_steps(settings, crops, steps, interrupted)

    told: dict[str, Any]
    try:
        settings = read_config(config)
        readiness = check(settings)
        if not readiness.ready:
            first = readiness.errors[0]
            raise NotReadyError(first.message, "a training set without errors", first.remedy)
        told = dict(estimate(settings, readiness, measure).as_dict())
    except MeasureCancelledError as error:
        told = {**describe(error), "error": "Cancelled"}
    except Exception as error:  # the worker's edge, as for jobs
        told = dict(describe(error))
    with contextlib.suppress(StorageError):
        atomic_write_text(to, json.dumps(plain(told)))
