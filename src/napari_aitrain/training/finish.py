"""The end of a training: choose the best weights, fit the scores, measure, and save the model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..annotation.boxes import Role
from ..evaluation.calibration import Calibration, rescore
from ..inference.predictor import Network
from ..models import save_model
from ..nets import build_network
from ..tasks import make_task
from ..tasks.protocol import Example, FloatArray, Task
from ..tasks.script_store import SCRIPT_COPY, content_of, find_script, is_script
from ..tasks.threshold import apply_threshold
from .card import make_card
from .class_learning import fit_classes
from .crops import Crop
from .previews import PreviewRegion
from .setup import Setup
from .validation import Validator, fit_scores

MAX_HELD_OUT, MAX_TRAIN = 2**24, 2**21
"""Voxels that are measured at the end, so that a stop does not keep anybody waiting."""
CLEARLY_BETTER, SETTINGS_BETTER, OBJECTS_MARGIN = 0.02, 0.01, 2.0
"""Earlier weights, or other settings, must score this much more: a few validation objects decide by chance. For
settings the last, divided by the number of objects, is added."""


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


def runner(setup: Setup, weights: dict[str, Tensor]) -> Network:
    """Return a network with these weights, ready to predict."""
    module = build_network(setup.network)
    module.load_state_dict(weights)
    return setup.runner(module)


def finish(setup: Setup, folder: Path, best: dict[str, Tensor] | None, seconds: float) -> dict[str, Any]:
    """Save the better of the last and the best weights as ``folder/model``.

    Validation chooses the weights and the settings of decoding, and fits the scores and the threshold; test boxes are
    looked at once, afterwards.
    A few strokes cannot choose: with sparse validation the last weights, which are an average, stand.

    Returns
    -------
    dict
        ``model``, the metrics per role, and what to tell of classes of objects.
    """
    crops = setup.crops
    held_out = validator(setup, crops.of_role("validation"))
    weights = {k: v.clone() for k, v in setup.trainer.average.state_dict().items()}
    maps = list(held_out.maps(runner(setup, weights)))
    painted_sparsely = any(crop.sparse for crop in crops.of_role("validation"))
    if best is not None and maps and not painted_sparsely:
        other = list(held_out.maps(runner(setup, best)))
        if _score(held_out, other) > _score(held_out, maps) + CLEARLY_BETTER:
            weights, maps = best, other
    if maps and not painted_sparsely:
        setup.task = _best_settings(setup, held_out, maps)
    task = setup.task
    judged = list(replace(held_out, task=task).decoded(maps))
    parent = None if setup.parent is None else setup.parent.card
    calibration, threshold = fit_scores(judged, task, setup.config.seed, parent)
    network = runner(setup, weights)
    metrics: dict[str, Any] = {}
    if judged:
        metrics["validation"] = _shown_metrics(setup, judged, calibration, threshold)
    most: dict[Role, int] = {"train": MAX_TRAIN, "test": MAX_HELD_OUT}
    for role, voxels in most.items():
        if some := crops.of_role(role):
            shown = validator(setup, some, voxels).predictions(network)
            metrics[role] = _shown_metrics(setup, shown, calibration, threshold)
    card = make_card(setup, metrics, seconds).model_copy(
        update={
            "threshold": threshold,
            "calibration": calibration.model_dump(mode="json") if calibration is not None else None,
        }
    )
    script = find_script(card.task) if is_script(card.task) else None
    files = {} if script is None else {SCRIPT_COPY: content_of(script)}
    model = save_model(folder / "model", card, weights, replace=True, files=files)
    told = fit_classes(setup, folder, model, network)
    return {"model": str(model.folder), "metrics": metrics, "threshold": threshold, "told": told}


def _score(held_out: Validator, maps: Sequence[FloatArray]) -> float:
    return held_out.task.metrics(held_out.decoded(maps)).get("score", float("-inf"))


def _best_settings(setup: Setup, held_out: Validator, maps: Sequence[FloatArray]) -> Task:
    """Return the task with the settings of decoding that serve validation best, unless a person chose them."""
    best, score = setup.task, _score(held_out, maps)
    objects = sum(len(np.unique(region.labels())) for region in held_out.regions)
    margin = SETTINGS_BETTER + OBJECTS_MARGIN / max(1, objects)
    for changed in setup.task.alternatives:
        if changed.keys() & setup.config.task_settings.keys():
            continue
        task = make_task(setup.config.task, {**setup.task.settings.model_dump(), **changed}, setup.task.classes)
        other = _score(replace(held_out, task=task), maps)
        if other > score + margin:
            best, score = task, other
    return best


def _shown_metrics(
    setup: Setup, judged: Iterable[Example], calibration: Calibration | None, threshold: float
) -> dict[str, float]:
    """Measure what a person sees at the threshold."""
    rows: list[Example] = []
    for objects, truth, known in judged:
        scored = rescore(objects, calibration)
        rows.append((replace(scored, labels=apply_threshold(scored, threshold), merges=None), truth, known))
    return setup.task.metrics(rows)


def peak_memory(device: torch.device) -> int:
    """Return the most memory that was held so far, in bytes: of the GPU, or of this process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    import psutil

    info = psutil.Process().memory_info()
    return int(getattr(info, "peak_wset", info.rss))
