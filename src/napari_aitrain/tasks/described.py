"""A task of which only the description is known: enough for forms and checks, and no code behind it."""

from __future__ import annotations

import functools
from typing import Any, ClassVar, Literal, NoReturn

from pydantic import Field, create_model

from ..errors import TaskScriptError
from ..volumes.normalisation import Scaling
from .describing import FACTS, Description, SettingDescription
from .protocol import Task, TaskSettings, VoxelSize

_TYPES: dict[str, Any] = {"bool": bool, "int": int, "float": float, "str": str, "other": Any}


class DescribedTask:
    """What other people's task says of itself; whoever asks it to work is told who can.

    Parameters
    ----------
    settings : TaskSettings, optional
        Checked as far as the description goes.
    classes : tuple of int
        Ids of the classes.
    """

    name: ClassVar[str]
    file: ClassVar[str]
    Settings: ClassVar[type[TaskSettings]]
    sliders: ClassVar[tuple[str, ...]] = ()
    described_distance: ClassVar[float | None]

    def __init__(self, settings: TaskSettings | None = None, classes: tuple[int, ...] = (0, 1)) -> None:
        self.settings = settings or self.Settings()
        self.classes = classes

    @property
    def max_distance(self) -> float | None:
        """How far apart two places of one object can be."""
        chosen: float | None = getattr(self.settings, "max_distance", self.described_distance)
        return chosen

    def planned(self, voxel_size: VoxelSize | None, dims: int) -> DescribedTask:
        """Return the task as it is."""
        return self

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_") or name not in dir(Task):
            raise AttributeError(name)
        raise TaskScriptError(
            f"the task of {self.file} is code of other people, which only a worker runs",
            "a training or a prediction that runs as a job",
            "start it as a job, or on the command line",
        )


@functools.cache
def _settings_of(file: str, settings: str) -> type[TaskSettings]:
    parts = [SettingDescription.model_validate_json(line) for line in settings.splitlines()]
    fields: dict[str, Any] = {part.name: _field(part) for part in parts}
    made: type[TaskSettings] = create_model(f"Settings of {file}", __base__=TaskSettings, **fields)
    return made


def described_task(name: str, description: Description) -> type[Task]:
    """Return the class of a task that is known by its description.

    Parameters
    ----------
    name : str
        As configs and cards name it.
    description : Description
        What it said of itself.
    """
    lines = "\n".join(part.model_dump_json() for part in description.settings)
    scaling = Scaling(description.scaling_low, description.scaling_high, description.scaling_clip)
    members = {fact: getattr(description, fact) for fact in FACTS} | {
        "name": name,
        "file": description.file,
        "Settings": _settings_of(description.file, lines),
        "scaling": scaling,
        "described_distance": description.max_distance,
    }
    made: Any = type("DescribedTask", (DescribedTask,), members)
    task: type[Task] = made
    return task


def _field(part: SettingDescription) -> tuple[Any, Any]:
    kind: Any = Literal[part.choices] if part.kind == "choice" else _TYPES[part.kind]
    limits = {key: getattr(part, key) for key in ("ge", "gt", "le", "lt") if getattr(part, key) is not None}
    extra: Any = {"basic": part.basic, "hidden": part.kind == "other"}
    told = Field(
        default=part.default, title=part.title, description=part.description, json_schema_extra=extra, **limits
    )
    return (kind | None if part.optional else kind), told
