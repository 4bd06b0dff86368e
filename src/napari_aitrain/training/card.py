"""What a training writes on the card of its model."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

from ..models import DataCard, ModelCard
from ..models.card import ScriptCard
from ..tasks.script_store import find_script, is_script
from .config import TrainConfig
from .setup import Setup
from .used import source_cards

PACKAGES = ("napari-aitrain", "torch", "numpy", "scipy", "scikit-learn", "bioimage-cpp")


def make_card(setup: Setup, metrics: dict[str, Any], seconds: float) -> ModelCard:
    """Return the card of the model that a training has made, without its scores."""
    config, crops, task = setup.config, setup.crops, setup.task
    names = {} if task.instances else {n: config.class_names[n] for n in task.classes if n in config.class_names}
    return ModelCard(
        name=config.name,
        task=config.task,
        task_settings=task.settings.model_dump(mode="json"),
        script=_script(config.task),
        classes=task.classes,
        class_names=names,
        dims=setup.network.dims,
        channels=crops.channels,
        network=setup.network.model_dump(mode="json"),
        normalisation=crops.normalisation.model_dump(),
        voxel_size=crops.voxel_size,
        magnification=config.sources[0].magnification,
        diameter=None if crops.diameter is None else crops.diameter * crops.scale,
        scale=crops.scale,
        metrics=metrics,
        data=_data(config, setup),
        seed=config.seed,
        steps=setup.trainer.steps,
        seconds=seconds,
        packages={name: version(name) for name in PACKAGES} | {"python": platform.python_version()},
        parent=None if setup.parent is None else crops.start_from or config.start_from,
        comments=config.comments,
    )


def _script(task: str) -> ScriptCard | None:
    if not is_script(task):
        return None
    script = find_script(task)
    return ScriptCard(title=script.title, sha256=script.sha256)


def _data(config: TrainConfig, setup: Setup) -> DataCard:
    crops = setup.crops
    return DataCard(
        classes=() if setup.task.instances else config.classes,
        sources=source_cards(config, crops),
        split=" ".join(crops.notes),
        voxels={role: sum(c.labelled for c in crops.of_role(role)) for role in ("train", "validation", "test")},
        objects={role: sum(c.objects for c in crops.of_role(role)) for role in ("train", "validation", "test")},
        images=crops.images,
        warnings=crops.warnings,
    )
