"""A few real steps, to say before a training how long it takes and what it needs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import AitrainError
from ..geometry import Triple
from ..nets.device import describe_device
from .config import TrainConfig
from .cropset import CropSet
from .finish import peak_memory
from .setup import fit_batch_size, prepare


@dataclass(frozen=True)
class StepMeasurement:
    """What a few steps took.

    Parameters
    ----------
    seconds_per_step : float
        The shortest of the measured steps.
    seconds_to_start : float
        From the frozen crops to the end of the first step.
    peak_memory_bytes : int
        Of the GPU, or of this process where there is none.
    batch_size : int
        Patches per step.
    patch_shape : tuple of int
        z, y, x.
    parameters : int
        Weights of the network.
    device, precision : str
        Where and in what was computed.
    """

    seconds_per_step: float
    seconds_to_start: float
    peak_memory_bytes: int
    batch_size: int
    patch_shape: Triple
    parameters: int
    device: str
    precision: str


class MeasureCancelledError(AitrainError, RuntimeError):
    """A measurement was broken off on request."""


def measure_steps(
    config: TrainConfig, crops: CropSet, n: int = 3, cancelled: Callable[[], bool] = lambda: False
) -> StepMeasurement:
    """Take `n` + 1 real steps on frozen crops and forget what they taught.

    Parameters
    ----------
    config : TrainConfig
        The settings of the training.
    crops : CropSet
        Its frozen crops; they are only read.
    n : int
        Steps to time after the first, which also makes targets.
    cancelled : callable
        Asked before each step.

    Raises
    ------
    MeasureCancelledError
        If `cancelled` said so.
    """

    def step() -> None:
        if cancelled():
            raise MeasureCancelledError(
                "the estimate was broken off, because the worker has something else to do",
                "an idle worker",
                "ask again when the worker is idle",
            )
        setup.trainer.step(setup.sampler.batch(setup.batch_size, setup.device), 1.0)

    with tempfile.TemporaryDirectory(prefix="aitrain-measure-") as folder:
        began = time.perf_counter()
        setup = prepare(config, crops, Path(folder))
        fit_batch_size(setup)
        step()
        started = time.perf_counter() - began
        times = []
        for _ in range(n):
            began = time.perf_counter()
            step()
            times.append(time.perf_counter() - began)
        return StepMeasurement(
            seconds_per_step=min(times),
            seconds_to_start=started,
            peak_memory_bytes=peak_memory(setup.device),
            batch_size=setup.batch_size,
            patch_shape=setup.sampler.patch_shape,
            parameters=sum(p.numel() for p in setup.trainer.network.parameters()),
            device=describe_device(setup.device),
            precision=str(setup.trainer.precision).removeprefix("torch."),
        )
