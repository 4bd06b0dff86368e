"""The fields of the form of a training, made from `TrainConfig`, and the step that each belongs to."""

from __future__ import annotations

from datetime import date
from typing import Literal, get_args

from magicgui.widgets import TextEdit
from pydantic.fields import FieldInfo

from ...training.config import TrainConfig
from .classes import ClassChoice
from .dates import DateChoice
from .fields import FormField, choice_field, make_field
from .starting import StartChoice
from .tags import TagChoice
from .then import ThenChoice

Part = Literal["what", "how", "check"]
PARTS: dict[Part, tuple[str, ...]] = {
    "how": ("name", "minutes", "network", "start_from", "comments"),
    "what": ("classes", "statuses", "tags", "changed_since", "changed_until", "validation_fraction"),
    "check": ("then_predict",),
}
"""The basic settings, by the step that they belong to, in the order of the page."""
BASIC = tuple(name for names in PARTS.values() for name in names)
ELSEWHERE = frozenset({"version", "task", "task_settings", "sources", "class_names", "policy", "then_out"})

_LABELS = {
    "minutes": "Time (min)",
    "start_from": "Start from",
    "classes": "Classes",
    "statuses": "Boxes that are",
    "tags": "With the tags",
    "changed_since": "Changed since",
    "changed_until": "Changed until",
    "network": "Network",
    "then_predict": "Then predict",
    "validation_fraction": "Validation share",
    "dims": "Dimensions",
    "preview_interval": "Predict every (s)",
    "checkpoint_interval": "Checkpoint every (s)",
    "patch_shape": "Patch z, y, x (voxels)",
    "batch_size": "Patches per step",
    "threads": "Threads",
    "steps": "Steps",
}
_NONE = {
    "minutes": "until I stop",
    "steps": "until I stop",
    "tags": "all",
    "learning_rate": "tested default",
    "threads": "all cores but one",
}
_DEVICES = [("automatic", "auto"), ("processor", "cpu"), ("CUDA GPU", "cuda"), ("Apple GPU", "mps")]


class SettingsFields:
    """A field for every setting but those of the task and the sources.

    Attributes
    ----------
    fields : dict of str to FormField
        By the name of the setting, in the order of the config.
    starts, classes, tags, then
        Those whose choices depend on what there is.
    """

    def __init__(self) -> None:
        info = TrainConfig.model_fields
        self.fields = {name: self._make(name, one) for name, one in info.items() if name not in ELSEWHERE}

    def _make(self, name: str, info: FieldInfo) -> FormField:
        label = _LABELS.get(name, name.replace("_", " ").capitalize())
        tip = info.description or ""
        if name == "device":
            return choice_field(name, _DEVICES, label, tip, info.default)
        if name == "start_from":
            self.starts = StartChoice(name, label, tip)
            return self.starts.field
        if name == "classes":
            self.classes = ClassChoice(name, label, tip)
            return FormField(name, self.classes)
        if name == "tags":
            self.tags = TagChoice(name, label, tip)
            return FormField(name, self.tags)
        if name == "then_predict":
            self.then = ThenChoice(name, label, tip)
            return FormField(name, self.then)
        if date in get_args(info.annotation):
            return FormField(name, DateChoice(name, label, tip))
        if name == "comments":
            field = FormField(name, TextEdit(name=name, label=label, tooltip=tip))
            field.widget.native.setMaximumHeight(52)
            field.widget.native.setTabChangesFocus(True)
            return field
        return make_field(name, info, label, _NONE.get(name, "automatic"))
