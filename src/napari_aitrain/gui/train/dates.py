"""A day that a setting may have: a tick, and a date."""

from __future__ import annotations

from datetime import date

from psygnal import Signal
from qtpy.QtCore import QDate
from qtpy.QtWidgets import QCheckBox, QDateEdit, QHBoxLayout, QWidget


class DateChoice:
    """The widget of a setting that is a day or nothing, as `FormField` wants it.

    Parameters
    ----------
    name, label, tooltip : str
        As for widgets of magicgui.

    Signals
    -------
    changed : date or None
        After a change of a person's, or a new value.
    """

    changed = Signal(object)

    def __init__(self, name: str, label: str, tooltip: str) -> None:
        self.name, self.label, self.tooltip = name, label, tooltip
        self.native = QWidget()
        self.native.setToolTip(tooltip)
        self.tick = QCheckBox()
        self.tick.setToolTip(f"{tooltip} Without the tick the date does not matter.")
        self.day = QDateEdit(QDate.currentDate())
        self.day.setDisplayFormat("yyyy-MM-dd")
        self.day.setToolTip(tooltip)
        self.day.setEnabled(False)
        self.native.setFocusProxy(self.tick)
        layout = QHBoxLayout(self.native)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tick)
        layout.addWidget(self.day, 1)
        self.tick.toggled.connect(self.day.setEnabled)
        self.tick.toggled.connect(self._on_change)
        self.day.dateChanged.connect(self._on_change)
        for widget, called in ((self.tick, f"{label}: limit it"), (self.day, label)):
            widget.setAccessibleName(called)

    @property
    def value(self) -> date | None:
        """The day; None for no limit."""
        day = self.day.date()
        return date(day.year(), day.month(), day.day()) if self.tick.isChecked() else None

    @value.setter
    def value(self, value: date | str | None) -> None:
        before = self.value
        day = date.fromisoformat(value) if isinstance(value, str) else value
        blocked = [widget.blockSignals(True) for widget in (self.tick, self.day)]
        if day is not None:
            self.day.setDate(QDate(day.year, day.month, day.day))
        self.tick.setChecked(day is not None)
        self.day.setEnabled(day is not None)
        for widget, was in zip((self.tick, self.day), blocked, strict=True):
            widget.blockSignals(was)
        if self.value != before:
            self.changed.emit(self.value)

    def _on_change(self, _value: object) -> None:
        self.changed.emit(self.value)
