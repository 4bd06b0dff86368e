"""The form of a training, made from `TrainConfig`: a setting that is written there appears here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from qtpy.QtCore import QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFormLayout, QLabel, QScrollArea, QVBoxLayout, QWidget
from superqt import QCollapsible

from ..annotate.truth import LabelClass
from .fields import FormField, has_widget, make_field
from .settings_fields import BASIC, PARTS, Part, SettingsFields
from .task_choice import SCRIPT, TaskChoice, described

_AFTER_LEFT = "validation_fraction"
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
        self._settings = SettingsFields()
        self._fields = self._settings.fields
        self.tasks = TaskChoice()
        self.task = self.tasks.field
        self.description = QLabel()
        self.description.setWordWrap(True)
        self._task_fields: dict[str, FormField] = {}
        self._part: Part | None = None
        self.left = QLabel()
        self.left.setWordWrap(True)
        self.left.setToolTip("How many boxes each of these filters leaves, from the first to the last.")
        self.left.setAccessibleName("Boxes that are left")
        self._info: dict[str, FieldInfo] = {}
        self._unseen: dict[str, Any] = {}
        self._given: set[str] = set()
        self.more = QCollapsible("Advanced settings")
        self.more.setToolTip("Settings that have a tested default.")
        self.more.setDuration(0)
        self._quiet = False
        self._instances, self._known = True, True
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
        defaults = {name: info.default for name, info in self._info.items()}
        return {
            **values,
            "task": self.tasks.name,
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
                elif name in self._info or not self._known:
                    self._unseen[name] = value
        finally:
            self._quiet = False
        self._arrange()
        self.valueChanged.emit()

    def show_part(self, part: Part | None) -> None:
        """Show the settings of one step; None shows all."""
        self._part = part
        self._arrange()

    def reload_task(self) -> None:
        """Read anew what the task says of itself, as when a script was agreed to; what was set stays."""
        values = self.value()
        self._show_task(self.tasks.name)
        self.setValue({"task_settings": values["task_settings"]})

    def set_left(self, text: str) -> None:
        """Say how many boxes the filters leave."""
        self.left.setText(text)
        self._arrange()

    def set_tags(self, offered: Mapping[str, int]) -> None:
        """Offer these tags, with the number of boxes that have each."""
        self._settings.tags.set_options(offered)
        self._arrange()

    def set_images(self, layers: Sequence[str]) -> None:
        """Offer these image layers to be predicted after the training."""
        self._settings.then.set_images(layers)

    def set_models(self, models: list[tuple[str, Path]]) -> None:
        """Offer these models, as (name, folder), to start from, beside what there always is."""
        self._settings.starts.set_models(models)

    def set_automatic(self, chosen: str | None) -> None:
        """Say what the automatic start would be: the name of a model, scratch, or None for not known."""
        self._settings.starts.set_automatic(chosen)

    def set_classes(self, options: Sequence[LabelClass], background: Collection[int]) -> None:
        """Offer these classes to choose from, where labels are classes."""
        self._settings.classes.set_options(options, background)
        self._arrange()

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

    def _show_task(self, name: str) -> None:
        task, said = described(name)
        self.tasks.note()
        self.description.setText(said)
        self._known = task is not None
        self._instances = task is None or task.instances
        self._info = {} if task is None else dict(task.Settings.model_fields)
        for old in self._task_fields.values():
            layout = self._basic if self._basic.indexOf(old.widget.native) >= 0 else self._advanced
            layout.removeRow(old.widget.native)
        self._task_fields, self._unseen, self._given = {}, {}, set()
        rows = {True: _TASK_ROWS, False: 0}
        for key, info in self._info.items():
            if not has_widget(info):
                continue
            field = make_field(key, info, info.title or key.replace("_", " ").capitalize())
            basic = _is_basic(info)
            (self._basic if basic else self._advanced).insertRow(rows[basic], _label(field), field.widget.native)
            rows[basic] += 1
            field.widget.changed.connect(partial(self._on_own, key))
            self._task_fields[key] = field
        self._arrange()

    def _arrange(self) -> None:
        """Show the rows that belong to the step and have something to choose."""
        for part, names in PARTS.items():
            for name in names:
                self._basic.setRowVisible(self._fields[name].widget.native, self._part in (None, part))
        how = self._part in (None, "how")
        own = [field.widget.native for field in self._task_fields.values()]
        for widget in (self.task.widget.native, self.description, *own):
            if self._basic.indexOf(widget) >= 0:
                self._basic.setRowVisible(widget, how)
        self.more.setVisible(how)
        what = self._part in (None, "what")
        for widget, there in (
            (self._settings.classes.native, not self._instances and not self._settings.classes.empty),
            (self._settings.tags.native, not self._settings.tags.empty),
            (self.left, bool(self.left.text())),
        ):
            self._basic.setRowVisible(widget, what and there)

    def _on_task(self, name: str) -> None:
        # Of a script is asked first; then it is this choice that changes.
        if not self._quiet and name != SCRIPT:
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
            if name == _AFTER_LEFT:
                basic.addRow(self.left)
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
