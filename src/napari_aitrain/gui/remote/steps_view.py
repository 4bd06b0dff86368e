"""A list of steps: chosen from those there are, put in order, each with its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ...inference.remote.steps import Step

_TIPS = {"up": "Do this step earlier.", "down": "Do this step later.", "remove": "Leave this step out."}
_SIGNS = {"up": "↑", "down": "↓", "remove": "×"}


class StepsView(QWidget):
    """Steps in their order.

    Parameters
    ----------
    kinds : sequence of type
        Steps that can be added.
    empty : str
        What is said where there are none.

    Signals
    -------
    valueChanged
        By a person.
    """

    valueChanged = Signal()

    def __init__(self, kinds: Sequence[type[Step]], empty: str) -> None:
        super().__init__()
        self.kinds = {str(kind.model_fields["step"].default): kind for kind in kinds}
        self.rows: list[_Row] = []
        self._list = QVBoxLayout()
        self._list.setSpacing(2)
        self._empty = QLabel(empty)
        self._empty.setWordWrap(True)
        self.adding = QComboBox()
        self.adding.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.adding.addItem("Add a step…", "")
        for name, kind in self.kinds.items():
            self.adding.addItem(kind.title, name)
        self.adding.setToolTip("Steps are done from top to bottom.")
        self.adding.setAccessibleName("Add a step")
        self.adding.activated.connect(self._on_add)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._empty)
        layout.addLayout(self._list)
        layout.addWidget(self.adding)

    def value(self) -> list[dict[str, Any]]:
        """Return the steps as plain data."""
        return [row.value() for row in self.rows]

    def setValue(self, steps: Sequence[Mapping[str, Any]]) -> None:
        """Show steps."""
        for row in self.rows:
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.rows = []
        for step in steps:
            self._append(step)
        self._show()

    def _append(self, step: Mapping[str, Any]) -> None:
        row = _Row(self.kinds[str(step["step"])], step)
        row.valueChanged.connect(self.valueChanged)
        row.pressed.connect(lambda action, row=row: self._on_pressed(row, action))
        self.rows.append(row)
        self._list.addWidget(row)

    def _on_add(self, index: int) -> None:
        name = self.adding.itemData(index)
        self.adding.setCurrentIndex(0)
        if name:
            self._append(self.kinds[name]().model_dump(mode="json"))
            self._show()
            self.valueChanged.emit()

    def _on_pressed(self, row: _Row, action: str) -> None:
        at = self.rows.index(row)
        steps = self.value()
        step = steps.pop(at)
        if action != "remove":
            steps.insert(max(0, at + (-1 if action == "up" else 1)), step)
        self.setValue(steps)
        self.valueChanged.emit()

    def _show(self) -> None:
        self._empty.setVisible(not self.rows)
        for at, row in enumerate(self.rows):
            row.buttons["up"].setEnabled(at > 0)
            row.buttons["down"].setEnabled(at < len(self.rows) - 1)


class _Row(QWidget):
    """One step with its numbers."""

    valueChanged = Signal()
    pressed = Signal(str)

    def __init__(self, kind: type[Step], step: Mapping[str, Any]) -> None:
        super().__init__()
        self.kind = kind
        self.fields: dict[str, QWidget] = {}
        self.buttons: dict[str, QToolButton] = {}
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        title = QLabel(kind.title)
        title.setToolTip((kind.__doc__ or "").strip())
        layout.addWidget(title, 1)
        for name, info in kind.model_fields.items():
            if name != "step":
                self.fields[name] = self._field(name, info.annotation, step[name], info)
                layout.addWidget(self.fields[name])
        for name, sign in _SIGNS.items():
            button = QToolButton()
            button.setText(sign)
            button.setToolTip(_TIPS[name])
            button.setAccessibleName(f"{kind.title}: {name}")
            button.clicked.connect(lambda _=False, name=name: self.pressed.emit(name))
            self.buttons[name] = button
            layout.addWidget(button)

    def value(self) -> dict[str, Any]:
        """Return the step as plain data."""
        found: dict[str, Any] = {"step": self.kind.model_fields["step"].default}
        for name, field in self.fields.items():
            found[name] = field.currentText() if isinstance(field, QComboBox) else field.value()  # type: ignore[attr-defined]
        return found

    def _field(self, name: str, annotation: Any, value: Any, info: Any) -> QWidget:
        tip = info.description or name
        field: QWidget
        if isinstance(value, str):
            field = QComboBox()
            field.addItems([str(choice) for choice in get_args(annotation)])
            field.setCurrentText(value)
            field.currentTextChanged.connect(lambda _: self.valueChanged.emit())
        elif isinstance(value, int):
            field = QSpinBox()
            low, high = _limits(info, -(10**9), 10**9)
            field.setRange(int(low), int(high))
            field.setValue(value)
            field.valueChanged.connect(lambda _: self.valueChanged.emit())
        else:
            field = QDoubleSpinBox()
            field.setDecimals(3)
            field.setRange(*_limits(info, -1e9, 1e9))
            field.setValue(value)
            field.setMaximumWidth(120)
            field.valueChanged.connect(lambda _: self.valueChanged.emit())
        field.setToolTip(tip)
        field.setAccessibleName(f"{self.kind.title}: {name}")
        return field


def _limits(info: Any, low: float, high: float) -> tuple[float, float]:
    for part in info.metadata:
        for name in ("ge", "gt"):
            low = max(low, getattr(part, name, low))
        for name in ("le", "lt"):
            high = min(high, getattr(part, name, high))
    return low, high
