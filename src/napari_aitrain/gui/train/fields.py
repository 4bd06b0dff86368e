"""From a field of a pydantic model to a magicgui widget, and between their values."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, FileEdit, FloatSpinBox, LineEdit, Select, SpinBox, Widget, create_widget
from pydantic.fields import FieldInfo

_WIDE = 1_000_000_000


@dataclass
class FormField:
    """A setting in a form.

    Parameters
    ----------
    name : str
        Of the setting.
    widget : Widget
        Shows its value.
    read, write : callable
        From the widget's value to the setting's, and back.
    """

    name: str
    widget: Any
    read: Callable[[Any], Any] = lambda value: value
    write: Callable[[Any], Any] = lambda value: value

    @property
    def value(self) -> Any:
        """The setting as it is in the form."""
        return self.read(self.widget.value)

    @value.setter
    def value(self, value: Any) -> None:
        self.widget.value = self.write(value)


def has_widget(info: FieldInfo) -> bool:
    """Return whether a person can set this in a form; rows of numbers are for config files."""
    if isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get("hidden"):
        return False
    kind, _ = _without_none(info.annotation)
    return not (get_origin(kind) is tuple and get_origin(get_args(kind)[0]) is tuple)


def make_field(name: str, info: FieldInfo, label: str, none: str = "automatic") -> FormField:
    """Make the widget that fits a setting's type; its description becomes the tooltip.

    Parameters
    ----------
    name : str
        Of the setting.
    info : FieldInfo
        Its type, limits, default and description.
    label : str
        What people read.
    none : str
        What is shown where the setting has no value.
    """
    kind, optional = _without_none(info.annotation)
    shared: dict[str, Any] = {"name": name, "label": label, "tooltip": info.description or ""}
    if kind in (int, float):
        field = _number(name, kind, optional, info, shared, none)
    elif kind is Path:
        field = FormField(
            name, FileEdit(mode=FileDialogMode.EXISTING_DIRECTORY, nullable=True, **shared), _path, lambda value: value
        )
    elif get_origin(kind) is tuple and get_origin(get_args(kind)[0]) is Literal:
        choices = get_args(get_args(kind)[0])
        field = FormField(name, Select(choices=choices, **shared), tuple, list)
        line = field.widget.native.fontMetrics().lineSpacing()
        field.widget.native.setFixedHeight(line * len(choices) + 10)
    elif get_origin(kind) is tuple:
        field = FormField(name, LineEdit(**shared), _words(kind, optional), _joined)
        field.widget.native.setPlaceholderText(none if optional else "")
    elif get_origin(kind) is Literal:
        field = FormField(name, ComboBox(choices=get_args(kind), **shared))
    elif kind is str and optional:
        field = FormField(name, LineEdit(**shared), lambda value: value.strip() or None, lambda value: value or "")
        field.widget.native.setPlaceholderText(none)
    else:
        field = FormField(name, create_widget(annotation=kind, options={"tooltip": shared["tooltip"]}, name=name))
        field.widget.label = label
    default = info.get_default(call_default_factory=True)
    if not info.is_required():
        field.value = default
    field.widget.native.setAccessibleName(label)
    return field


def choice_field(name: str, choices: list[tuple[str, Any]], label: str, tooltip: str, default: Any) -> FormField:
    """Make a field with named choices; a value that is none of them becomes one more."""
    box = ComboBox(name=name, label=label, tooltip=tooltip, choices=choices)

    def write(value: Any) -> Any:
        if value not in box.choices:
            box.choices = [*choices, (str(value), value)]
        return value

    field = FormField(name, box, write=write)
    field.value = default
    box.native.setAccessibleName(label)
    return field


def _number(name: str, kind: type, optional: bool, info: FieldInfo, shared: dict[str, Any], none: str) -> FormField:
    low, high = _limits(info, kind)
    # Qt shows a text of one's own for the lowest value: one step below the lowest that is allowed stands for none.
    step = 1 if kind is int else _step(info, high)
    least = (low - step if low > 0 else 0) if optional else low
    # Of whole numbers magicgui's box knows no text of one's own.
    make: Any = SpinBox if kind is int and not optional else FloatSpinBox
    extra = {} if make is SpinBox else {"step": step}
    widget = make(min=max(0, least), max=high, value=max(0, least), **extra, **shared)
    if make is FloatSpinBox:
        widget.native.setDecimals(0 if kind is int else 6 if step < 0.001 else 2)
    if not optional:
        return FormField(name, widget)
    widget.native.setSpecialValueText(none)
    floor = widget.min
    return FormField(
        name,
        widget,
        lambda value: None if value <= floor else kind(value),
        lambda value: floor if value is None else value,
    )


def _limits(info: FieldInfo, kind: type) -> tuple[Any, Any]:
    low: Any = 0
    high: Any = _WIDE
    for rule in info.metadata:
        low = getattr(rule, "ge", None) if getattr(rule, "ge", None) is not None else low
        high = getattr(rule, "le", None) if getattr(rule, "le", None) is not None else high
        if getattr(rule, "gt", None) is not None:
            low = rule.gt + 1 if kind is int else rule.gt
        if getattr(rule, "lt", None) is not None:
            high = rule.lt - 1 if kind is int else rule.lt
    return low, high


def _step(info: FieldInfo, high: float) -> float:
    default = info.default
    if info.description and "learning rate" in info.description.casefold():
        return 0.0001
    if high <= 1 or (isinstance(default, float) and 0 < default < 1):
        return 0.05
    # Such as lengths in nm.
    return 10.0 if (isinstance(default, float) and default >= 100) or "nm" in (info.title or "") else 0.5


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        if len(kinds) < len(get_args(annotation)):
            return (kinds[0] if len(kinds) == 1 else Union[tuple(kinds)]), True  # noqa: UP007
    return annotation, False


def _path(value: Any) -> Path | None:
    return None if value is None or str(value) in ("", ".") else Path(value)


def _words(kind: Any, optional: bool) -> Callable[[str], tuple[Any, ...] | None]:
    part = get_args(kind)[0]

    def read(text: str) -> tuple[Any, ...] | None:
        words = [word.strip() for word in text.replace(";", ",").split(",") if word.strip()]
        if not words and optional:
            return None
        if part in (int, float):
            return tuple(_as_number(word) for word in words)
        return tuple(words)

    return read


def _as_number(word: str) -> Any:
    try:
        number = float(word)
    except ValueError:
        return word
    return int(number) if number.is_integer() else number


def _joined(value: Any) -> str:
    return "" if value is None else ", ".join(str(part) for part in value)


def as_widget(fields: list[FormField]) -> list[Widget]:
    """Return the widgets of fields."""
    return [field.widget for field in fields]
