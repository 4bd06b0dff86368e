"""What a training will take: time, memory and disk, from a few real steps on a piece of the training set."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import NotReadyError
from ..geometry import Region, Triple
from ..tasks import make_task
from .config import TrainConfig
from .crops import crop_bytes, freeze_plan
from .cropset import CropSet
from .labelled import scan_labels
from .plan import Plan, PlannedCrop
from .readiness import Readiness

PIECE: Triple = (24, 384, 384)
STEPS = 3
COPIES_OF_WEIGHTS = 8
"""Weights, their average and two moments of the optimiser, in the best and in the latest checkpoint."""


class StepMeasurement(Protocol):
    """What a few real steps showed."""

    @property
    def seconds_per_step(self) -> float:
        """Wall time of one step."""
        ...

    @property
    def peak_memory_bytes(self) -> int:
        """Most memory that the process, or the GPU, held."""
        ...

    @property
    def parameters(self) -> int:
        """Weights of the network."""
        ...

    @property
    def device(self) -> str:
        """Where it was computed."""
        ...

    @property
    def precision(self) -> str:
        """``float32`` or ``bfloat16``."""
        ...


Measure = Callable[[TrainConfig, CropSet, int], StepMeasurement]


@dataclass(frozen=True)
class Estimate:
    """What a training will take.

    Parameters
    ----------
    seconds_to_first_preview : float
        From the start: copying the boxes, making targets, building the network and a few steps.
    seconds_per_step : float
        Wall time of one step.
    peak_memory_bytes : int
        Most memory that the measured steps held, on the device.
    disk_bytes : int
        Frozen crops, cached targets and checkpoints.
    device, precision : str
        Where and how it was measured.
    """

    seconds_to_first_preview: float
    seconds_per_step: float
    peak_memory_bytes: int
    disk_bytes: int
    device: str
    precision: str

    def as_dict(self) -> Mapping[str, Any]:
        """Return the figures as plain data, for ``--json``."""
        return asdict(self)


def estimate(config: TrainConfig, readiness: Readiness, measure: Measure) -> Estimate:
    """Take a few real steps on a piece of the training set and scale what depends on its size.

    Parameters
    ----------
    config : TrainConfig
        What is to be trained.
    readiness : Readiness
        What `check` found for it; it must be ready.
    measure : callable
        ``measure(config, crops, steps)`` takes real steps; `loop.measure_steps` does.

    Raises
    ------
    NotReadyError
        If the training cannot start.
    """
    plan = readiness.plan
    if plan is None or not readiness.ready:
        raise NotReadyError(
            "there is nothing to measure: the training set has errors",
            "a training set without errors",
            "mend the errors first",
        )
    piece = _piece(plan)
    with tempfile.TemporaryDirectory(prefix="aitrain-", ignore_cleanup_errors=True) as place:
        began = time.perf_counter()
        crops = freeze_plan(piece, Path(place))
        copied = time.perf_counter()
        maps = _make_targets(config, crops)
        prepared = time.perf_counter()
        steps = measure(config, crops, STEPS)
        done = time.perf_counter()
    voxels = sum(crop.region.size for crop in plan.crops)
    share = voxels / sum(crop.region.size for crop in piece.crops)
    train = sum(crop.region.size for crop in plan.of_role("train"))
    targets = (prepared - copied) * train / piece.crops[0].region.size
    disk = sum(crop_bytes(crop, crop.image.dtype) for crop in plan.crops)
    return Estimate(
        seconds_to_first_preview=(copied - began) * share + targets + (done - prepared),
        seconds_per_step=steps.seconds_per_step,
        peak_memory_bytes=steps.peak_memory_bytes,
        disk_bytes=disk + maps * 2 * train + COPIES_OF_WEIGHTS * 4 * steps.parameters,
        device=str(steps.device),
        precision=str(steps.precision),
    )


def _make_targets(config: TrainConfig, crops: CropSet) -> int:
    """Make the targets of the training piece, to be timed; return the number of maps with the weight."""
    crop = crops.of_role("train")[0]
    labels = np.asarray(crop.labels)
    task = make_task(config.task, config.task_settings, crops.classes).planned(crop.voxel_size, crops.dims)
    return len(task.prepare(labels, labels >= 0, crop.voxel_size, crops.dims).values) + 1


def _piece(plan: Plan) -> Plan:
    """Return a plan of bounded size: the best labelled training crop and a validation crop, both trimmed."""
    train = max(plan.of_role("train"), key=lambda crop: crop.labelled.painted)
    validation = max(plan.of_role("validation"), key=lambda crop: crop.labelled.painted)
    return replace(plan, crops=(_trim(train), _trim(validation)))


def _trim(crop: PlannedCrop) -> PlannedCrop:
    start = [
        first + _window(profile.sum(axis=0), size)
        for first, profile, size in zip(crop.region.start, crop.labelled.profiles, PIECE, strict=True)
    ]
    region = Region.from_shape(PIECE, start).intersect(crop.region)
    background = crop.image.source.background_id
    labelled = scan_labels(crop.image.open_labels(), region, crop.sparse, background, chosen=crop.image.chosen)
    return replace(crop, region=region, labelled=labelled)


def _window(profile: npt.NDArray[np.int64], size: int) -> int:
    """Return where a window of `size` holds most of a profile."""
    if len(profile) <= size:
        return 0
    upto = np.concatenate([[0], np.cumsum(profile)])
    return int(np.argmax(upto[size:] - upto[:-size]))
