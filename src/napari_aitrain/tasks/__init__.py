"""Tasks: one file per kind of segmentation, found by name.

Built-in tasks are imported when they are asked for; others are found by the entry point group
``napari_aitrain.tasks``, or are a Python file. Listing tasks and reading their settings does not import torch, and
other people's code is run by workers and on the command line alone: elsewhere its task is known by its description.
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
_NOT_TRAINED = {"remote-objects": "RemoteObjectsTask"}
"""Tasks of models that run elsewhere; no list offers them."""


__all__ = [
    "Objects",
    "Targets",
    "Task",
    "TaskSettings",
    "apply_threshold",
    "get_task",
    "is_foreign",
    "make_task",
    "scaled_settings",
    "settled_name",
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
        If no task has this name (a near one is named).
    ScriptNotTrustedError
        If it is a script that nobody has agreed to.
    TaskScriptError
        If other people's code does not do what it should.
    """
    if known := (_BUILT_IN | _NOT_TRAINED).get(name):
        task: type[Task] = getattr(import_module("." + name.replace("-", "_"), __package__), known)
        return task
    from .script_store import is_script

    if is_script(name):
        return _of_script(name)
    for point in _third_party():
        if point.name == name:
            return _of_package(point)
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


def is_foreign(name: str) -> bool:
    """Whether a task is other people's code: a script, or of another package."""
    from .script_store import is_script

    return name not in _BUILT_IN and (is_script(name) or name in {point.name for point in _third_party()})


def settled_name(name: str) -> str:
    """Return the name that stands for a task wherever it is used: of a script, its content instead of its place.

    Raises
    ------
    ScriptNotTrustedError, ConfigError
        If it is a script that nobody has agreed to, or that cannot be read.
    """
    from .script_store import find_script, is_script

    return find_script(name).name if is_script(name) else name


def _of_script(name: str) -> type[Task]:
    from .code import load_code, may_run_code
    from .script_store import content_of, find_script

    script = find_script(name)
    if may_run_code():
        return load_code(str(script.path), script.description.file, content_of(script))
    from .described import described_task

    return described_task(script.name, script.description)


def _of_package(point: EntryPoint) -> type[Task]:
    from .code import load_code, may_run_code

    if may_run_code():
        return load_code(point.value)
    from .described import described_task
    from .script_store import describe_entry

    return described_task(point.name, describe_entry(point))


def _explain(error: ValidationError, name: str, settings: type[TaskSettings]) -> ConfigError:
    from .script_store import shown_name

    name = shown_name(name)
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
