"""The form of a training, made from `TrainConfig`: a setting that is written there appears here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from magicgui.widgets import TextEdit
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from qtpy.QtCore import QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFormLayout, QLabel, QScrollArea, QVBoxLayout, QWidget
from superqt import QCollapsible

from ...errors import ConfigError
from ...tasks import get_task, task_names
from ...training.config import TrainConfig
from ..annotate.truth import LabelClass
from .classes import ClassChoice
from .fields import FormField, choice_field, has_widget, make_field
from .starting import StartChoice

BASIC = ("name", "classes", "minutes", "start_from", "statuses", "tags", "validation_fraction", "comments")
ELSEWHERE = frozenset({"version", "task", "task_settings", "sources", "class_names"})
_LABELS = {
    "minutes": "Time (min)",
    "start_from": "Start from",
    "classes": "Classes",
    "statuses": "Boxes that are",
    "tags": "Tags",
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
_TASK_ROWS = 2
"""Rows of the basic settings before those of the task: what to find, and what that is."""


class TrainForm(QWidget):
    """Every setting of a training but its sources: basic ones first, advanced ones folded away.

    Signals
    -------
    valueChanged
        After any change, by a person or by `setValue`.
    """

    valueChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fields = {name: self._make(name, info) for name, info in TrainConfig.model_fields.items()
                        if name not in ELSEWHERE}  # fmt: skip
        self.task = self._task_field()
        self.description = QLabel()
        self.description.setWordWrap(True)
        self._task_fields: dict[str, FormField] = {}
        self._unseen: dict[str, Any] = {}
        self._given: set[str] = set()
        self.more = QCollapsible("Advanced settings")
        self.more.setToolTip("Settings that have a tested default.")
        self.more.setDuration(0)
        self._quiet = False
        self._instances = True
        self._target: QWidget = self
        self._scroller = QTimer(self)
        self._scroller.setSingleShot(True)
        self._scroller.timeout.connect(self._scroll)
        self._lay_out()
        self._show_task(self.task.value)
        self.task.widget.changed.connect(self._on_task)
        for field in self._fields.values():
            field.widget.changed.connect(self._on_change)

    def value(self) -> dict[str, Any]:
        """Return the settings as plain data, without the sources."""
        values = {name: field.value for name, field in self._fields.items()}
        if self._instances:
            values["classes"] = ()
        own = {name: field.value for name, field in self._task_fields.items()}
        defaults = {name: info.default for name, info in self._task_settings().items()}
        return {
            **values,
            "task": self.task.value,
            "task_settings": self._unseen
            | {name: value for name, value in own.items() if value != defaults[name] or name in self._given},
        }

    def setValue(self, values: Mapping[str, Any]) -> None:
        """Show these settings; those that are not named stay."""
        self._quiet = True
        try:
            if "task" in values:
                self.task.value = values["task"]
                self._show_task(values["task"])
            for name, value in values.items():
                if name in self._fields:
                    self._fields[name].value = value
            for name, value in (values.get("task_settings") or {}).items():
                if name in self._task_fields:
                    self._task_fields[name].value = value
                    self._given.add(name)
                elif name in self._task_settings():
                    self._unseen[name] = value
        finally:
            self._quiet = False
        self._show_classes()
        self.valueChanged.emit()

    def set_models(self, models: list[tuple[str, Path]]) -> None:
        """Offer these models, as (name, folder), to start from, beside what there always is."""
        self._starts.set_models(models)

    def set_automatic(self, chosen: str | None) -> None:
        """Say what the automatic start would be: the name of a model, scratch, or None for not known."""
        self._starts.set_automatic(chosen)

    def set_classes(self, options: Sequence[LabelClass], background: Collection[int]) -> None:
        """Offer these classes to choose from, where labels are classes."""
        self._classes.set_options(options, background)
        self._show_classes()

    def focus(self, name: str) -> bool:
        """Bring a setting into view; return whether there is one of that name."""
        field = self.task if name == "task" else self._fields.get(name) or self._task_fields.get(name)
        if field is None:
            return False
        folded = self._advanced.indexOf(field.widget.native) >= 0
        if folded:
            self.more.expand(animate=False)
        self._target = field.widget.native
        self._target.setFocus()
        # What was just unfolded has no place yet.
        self._scroller.start()
        return True

    def _scroll(self) -> None:
        area = self.parentWidget()
        while area is not None and not isinstance(area, QScrollArea):
            area = area.parentWidget()
        if isinstance(area, QScrollArea):
            area.ensureWidgetVisible(self._target)

    def _make(self, name: str, info: FieldInfo) -> FormField:
        label = _LABELS.get(name, name.replace("_", " ").capitalize())
        tip = info.description or ""
        if name == "device":
            return choice_field(name, _DEVICES, label, tip, info.default)
        if name == "start_from":
            self._starts = StartChoice(name, label, tip)
            return self._starts.field
        if name == "classes":
            self._classes = ClassChoice(name, label, tip)
            return FormField(name, self._classes)
        if name == "comments":
            field = FormField(name, TextEdit(name=name, label=label, tooltip=tip))
            field.widget.native.setMaximumHeight(52)
            field.widget.native.setTabChangesFocus(True)
            return field
        return make_field(name, info, label, _NONE.get(name, "automatic"))

    def _task_field(self) -> FormField:
        titles = []
        for name in task_names():
            try:
                titles.append((get_task(name).title, name))
            except ConfigError:
                continue
        info = TrainConfig.model_fields["task"]
        return choice_field("task", titles, "Find", info.description or "", info.default)

    def _task_settings(self) -> dict[str, FieldInfo]:
        model: type[BaseModel] = get_task(self.task.value).Settings
        return model.model_fields

    def _show_task(self, name: str) -> None:
        task = get_task(name)
        self.description.setText(task.description)
        self._instances = task.instances
        self._show_classes()
        for old in self._task_fields.values():
            layout = self._basic if self._basic.indexOf(old.widget.native) >= 0 else self._advanced
            layout.removeRow(old.widget.native)
        self._task_fields, self._unseen, self._given = {}, {}, set()
        rows = {True: _TASK_ROWS, False: 0}
        for key, info in self._task_settings().items():
            if not has_widget(info):
                continue
            field = make_field(key, info, info.title or key.replace("_", " ").capitalize())
            basic = _is_basic(info)
            (self._basic if basic else self._advanced).insertRow(rows[basic], _label(field), field.widget.native)
            rows[basic] += 1
            field.widget.changed.connect(partial(self._on_own, key))
            self._task_fields[key] = field

    def _show_classes(self) -> None:
        self._basic.setRowVisible(self._classes.native, not self._instances and not self._classes.empty)

    def _on_task(self, name: str) -> None:
        if not self._quiet:
            self._show_task(name)
            self._on_change()

    def _on_own(self, key: str, _value: object = None) -> None:
        # What a person chose is told even if it is the default: a check may ask whether it was thought of.
        self._given.add(key)
        self._on_change()

    def _on_change(self, _value: object = None) -> None:
        if not self._quiet:
            self.valueChanged.emit()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        self._basic, self._advanced = _form_layout(), _form_layout()
        basic = self._basic
        basic.addRow(_label(self.task), self.task.widget.native)
        basic.addRow(self.description)
        for name in BASIC:
            basic.addRow(_label(self._fields[name]), self._fields[name].widget.native)
        for name, field in self._fields.items():
            if name not in BASIC:
                self._advanced.addRow(_label(field), field.widget.native)
        folded = QWidget()
        folded.setLayout(self._advanced)
        self.more.addWidget(folded)
        layout.addLayout(basic)
        layout.addWidget(self.more)


def _is_basic(info: FieldInfo) -> bool:
    """Return whether a setting of a task says so: most have a tested default, and are folded away."""
    return isinstance(info.json_schema_extra, dict) and bool(info.json_schema_extra.get("basic"))


def _form_layout() -> QFormLayout:
    layout = QFormLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return layout


def _label(field: FormField) -> QLabel:
    label = QLabel(field.widget.label)
    label.setToolTip(field.widget.tooltip)
    label.setBuddy(field.widget.native)
    return label
