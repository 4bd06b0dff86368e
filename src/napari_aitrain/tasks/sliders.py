"""Settings of a task that can be moved on stored maps: what a slider needs to know of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic.fields import FieldInfo

from . import make_task
from .protocol import Task, TaskSettings

_FEWEST_STEPS = 50


@dataclass(frozen=True)
class Slider:
    """A number that decoding depends on.

    Parameters
    ----------
    name : str
        Of the setting.
    title, tip : str
        What people read.
    low, high : float
        Both can be chosen.
    step : float
        Between two values.
    decimals : int
        To be shown.
    """

    name: str
    title: str
    tip: str
    low: float
    high: float
    step: float
    decimals: int


def sliders_of(task: Task | type[Task]) -> tuple[Slider, ...]:
    """Return the sliders of a task; settings without a lower and an upper limit have none.

    Examples
    --------
    >>> from napari_aitrain.tasks import get_task
    >>> [slider.name for slider in sliders_of(get_task("em-instances"))]
    ['foreground', 'split']
    """
    found = (_slider(name, task.Settings.model_fields[name]) for name in task.sliders)
    return tuple(slider for slider in found if slider is not None)


def slider_values(task: Task) -> dict[str, float]:
    """Return where the sliders of a task stand."""
    return {slider.name: float(getattr(task.settings, slider.name)) for slider in sliders_of(task)}


def with_values(task: Task, values: Mapping[str, float]) -> Task:
    """Return the task with other values of its sliders.

    Raises
    ------
    ConfigError
        If one cannot be.
    """
    settings: TaskSettings = task.settings
    return make_task(task.name, settings.model_dump() | dict(values), task.classes)


def _slider(name: str, info: FieldInfo) -> Slider | None:
    whole = info.annotation is int
    limits: dict[str, float] = {}
    for rule in info.metadata:
        for kind in ("ge", "gt", "le", "lt"):
            if getattr(rule, kind, None) is not None:
                limits[kind] = float(getattr(rule, kind))
    low, high = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
    if low is None or high is None:
        return None
    decimals = 0 if whole else max(0, math.ceil(-math.log10((high - low) / _FEWEST_STEPS)))
    step = 1.0 if whole else 10.0**-decimals
    title = info.title or name.replace("_", " ").capitalize()
    # A limit that cannot be reached itself is missed by a step.
    low, high = (low if "ge" in limits else low + step), (high if "le" in limits else high - step)
    return Slider(name, title, info.description or "", low, high, step, decimals)
