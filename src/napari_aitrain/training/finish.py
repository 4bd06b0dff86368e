"""The end of a training: choose the best weights, fit the scores, measure, and save the model."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..annotation.boxes import Role
from ..evaluation.calibration import Calibration, rescore
from ..models import DataCard, ModelCard, SourceCard, save_model
from ..nets import InferenceNetwork, build_network
from ..tasks.protocol import Example
from ..tasks.threshold import apply_threshold
from .config import TrainConfig
from .crops import Crop
from .previews import PreviewRegion
from .setup import Setup
from .validation import Validator, fit_scores

PACKAGES = ("napari-aitrain", "torch", "numpy", "scikit-image", "bioimage-cpp")
MAX_HELD_OUT, MAX_TRAIN = 2**24, 2**21
"""Voxels that are measured at the end, so that a stop does not keep anybody waiting."""
CLEARLY_BETTER = 0.02
"""Earlier weights must score this much more than the last: a few validation objects decide by chance."""


def validator(setup: Setup, crops: list[Crop], most_voxels: int = MAX_HELD_OUT) -> Validator:
    """Return a validator of whole crops, as many as make up `most_voxels`, but at least one."""
    regions: list[PreviewRegion] = []
    for crop in crops:
        region = PreviewRegion.whole_of(crop)
        if regions and region.region.size > most_voxels:
            break
        most_voxels -= region.region.size
        regions.append(region)
    return Validator(regions, setup.task, setup.dims)


def runner(setup: Setup, weights: dict[str, Tensor]) -> InferenceNetwork:
    """Return a network with these weights, ready to predict."""
    module = build_network(setup.network)
    module.load_state_dict(weights)
    return InferenceNetwork(module, setup.device, setup.trainer.precision)


def finish(setup: Setup, folder: Path, best: dict[str, Tensor] | None, seconds: float) -> dict[str, Any]:
    """Save the better of the last and the best weights as ``folder/model``.

    Validation chooses the weights, fits the scores and the threshold; test boxes are looked at once, afterwards.
    A few strokes cannot choose: with sparse validation the last weights, which are an average, stand.

    Returns
    -------
    dict
        ``model`` and the metrics per role.
    """
    crops, task = setup.crops, setup.task
    held_out = validator(setup, crops.of_role("validation"))
    weights = {k: v.clone() for k, v in setup.trainer.average.state_dict().items()}
    judged = list(held_out.predictions(runner(setup, weights)))
    painted_sparsely = any(crop.sparse for crop in crops.of_role("validation"))
    if best is not None and judged and not painted_sparsely:
        other = list(held_out.predictions(runner(setup, best)))
        if _score(setup, other) > _score(setup, judged) + CLEARLY_BETTER:
            weights, judged = best, other
    calibration, threshold = fit_scores(judged, task, setup.config.seed)
    network = runner(setup, weights)
    metrics: dict[str, Any] = {}
    if judged:
        metrics["validation"] = _shown_metrics(setup, judged, calibration, threshold)
    most: dict[Role, int] = {"train": MAX_TRAIN, "test": MAX_HELD_OUT}
    for role, voxels in most.items():
        if some := crops.of_role(role):
            shown = validator(setup, some, voxels).predictions(network)
            metrics[role] = _shown_metrics(setup, shown, calibration, threshold)
    card = _card(setup, metrics, seconds).model_copy(
        update={
            "threshold": threshold,
            "calibration": calibration.model_dump(mode="json") if calibration is not None else None,
        }
    )
    model = save_model(folder / "model", card, weights, replace=True)
    return {"model": str(model.folder), "metrics": metrics, "threshold": threshold}


def _score(setup: Setup, judged: list[Example]) -> float:
    return setup.task.metrics(judged).get("score", float("-inf"))


def _shown_metrics(
    setup: Setup, judged: Iterable[Example], calibration: Calibration | None, threshold: float
) -> dict[str, float]:
    """Measure what a person sees at the threshold."""
    rows: list[Example] = []
    for objects, truth, known in judged:
        scored = rescore(objects, calibration)
        rows.append((replace(scored, labels=apply_threshold(scored, threshold)), truth, known))
    return setup.task.metrics(rows)


def _card(setup: Setup, metrics: dict[str, Any], seconds: float) -> ModelCard:
    config, crops = setup.config, setup.crops
    return ModelCard(
        name=config.name,
        task=config.task,
        task_settings=config.task_settings,
        classes=setup.task.classes,
        dims=setup.network.dims,
        channels=crops.channels,
        network=setup.network.model_dump(mode="json"),
        normalisation=crops.normalisation.model_dump(),
        voxel_size=crops.voxel_size,
        magnification=config.sources[0].magnification,
        metrics=metrics,
        data=_data(config, setup),
        seed=config.seed,
        steps=setup.trainer.steps,
        seconds=seconds,
        packages={name: version(name) for name in PACKAGES} | {"python": platform.python_version()},
        parent=str(config.initial_model) if config.initial_model else None,
        comments=config.comments,
    )


def _data(config: TrainConfig, setup: Setup) -> DataCard:
    crops = setup.crops
    return DataCard(
        sources=tuple(
            SourceCard(image=str(s.image), labels=str(s.labels), magnification=s.magnification, boxes=s.boxes)
            for s in config.sources
        ),
        split=" ".join(crops.notes),
        voxels={role: sum(c.labelled for c in crops.of_role(role)) for role in ("train", "validation", "test")},
        objects={role: sum(c.objects for c in crops.of_role(role)) for role in ("train", "validation", "test")},
    )


def peak_memory(device: torch.device) -> int:
    """Return the most memory that was held so far, in bytes: of the GPU, or of this process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    import psutil

    info = psutil.Process().memory_info()
    return int(getattr(info, "peak_wset", info.rss))
