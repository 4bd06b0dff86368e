"""Tasks: one file per kind of segmentation, found by name.

Built-in tasks are imported when they are asked for; others are found by the entry point group
``napari_aitrain.tasks``. Listing tasks and reading their settings does not import torch.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError

from ..errors import ConfigError
from .protocol import Objects, Targets, Task, TaskSettings
from .threshold import apply_threshold

ENTRY_POINT_GROUP = "napari_aitrain.tasks"
_BUILT_IN = {
    "instances": "InstancesTask",
    "semantic": "SemanticTask",
    "neurons": "NeuronsTask",
    "em-instances": "EmInstancesTask",
    "cellpose": "CellposeTask",
}

__all__ = [
    "Objects",
    "Targets",
    "Task",
    "TaskSettings",
    "apply_threshold",
    "get_task",
    "make_task",
    "scaled_settings",
    "task_names",
]


def task_names() -> list[str]:
    """Return the names of all tasks: the built-in ones first, then those of installed packages."""
    others = sorted({point.name for point in _third_party()} - set(_BUILT_IN))
    return [*_BUILT_IN, *others]


def get_task(name: str) -> type[Task]:
    """Return the class of a task.

    Raises
    ------
    ConfigError
        If no task has this name (a near one is named), or its package cannot be imported.
    """
    if name in _BUILT_IN:
        task: type[Task] = getattr(import_module("." + name.replace("-", "_"), __package__), _BUILT_IN[name])
        return task
    for point in _third_party():
        if point.name == name:
            return _load(point)
    names = task_names()
    nearest = difflib.get_close_matches(name, names, n=1)
    known = "choose instances for objects, semantic for classes, neurons for dense neuropil, cellpose for its network"
    remedy = f"did you mean {nearest[0]!r}?" if nearest else known
    raise ConfigError(f"task {name!r} is not known", "one of " + ", ".join(names), remedy)


def scaled_settings(name: str, settings: Mapping[str, Any], scale: float) -> dict[str, Any]:
    """Return the settings of a task for a network that sees images scaled, where they hold lengths that this changes.

    Raises
    ------
    ConfigError
        If there is no such task.
    """
    known = get_task(name).Settings.model_fields
    return {**settings, "scale": scale} if "scale" in known else dict(settings)


def make_task(name: str, settings: Mapping[str, Any] | None = None, classes: Sequence[int] = (0, 1)) -> Task:
    """Make a task from plain data, as it stands in a config or on a model card.

    Parameters
    ----------
    name : str
        One of `task_names`.
    settings : mapping, optional
        The task's own settings; what is missing has its default.
    classes : sequence of int
        Ids of the classes in the ground truth, background first.

    Raises
    ------
    ConfigError
        If the task is unknown, or a setting is unknown (the nearest is named) or has a value it cannot have.
    """
    task = get_task(name)
    try:
        checked = task.Settings.model_validate(dict(settings or {}))
    except ValidationError as error:
        raise _explain(error, name, task.Settings) from error
    make: Any = task
    made: Task = make(checked, tuple(int(c) for c in classes))
    return made


def _third_party() -> list[EntryPoint]:
    return list(entry_points(group=ENTRY_POINT_GROUP))


def _load(point: EntryPoint) -> type[Task]:
    try:
        task: type[Task] = point.load()
    except (ImportError, AttributeError) as error:
        package = point.dist.name if point.dist is not None else point.value
        raise ConfigError(
            f"task {point.name!r} cannot be loaded from {package}: {error}",
            f"a class at {point.value}",
            f"update or remove {package}",
        ) from error
    return task


def _explain(error: ValidationError, name: str, settings: type[TaskSettings]) -> ConfigError:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    known = list(settings.model_fields)
    if first["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
        remedy = f"did you mean {nearest[0]!r}?" if nearest else "remove it"
        return ConfigError(f"task {name}: unknown setting {key!r}", "one of " + ", ".join(known), remedy)
    field = settings.model_fields.get(key)
    expected = (field.description if field else None) or "an allowed value"
    return ConfigError(f"task {name}: {key} is {first['input']!r}: {first['msg']}", expected, f"change {key}")
