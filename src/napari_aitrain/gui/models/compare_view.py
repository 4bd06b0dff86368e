"""Models beside each other, and by how much they differ from the first."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ...evaluation.side_by_side import Column, SideBySide
from ..buttons import push_button

EMPTY = (
    "Select two or more models above and press Compare. Each must have been evaluated on the same boxes, in the "
    "Evaluate dock; figures are of the boxes that all have."
)
_ROLES = {
    "": "Test, else validation",
    "test": "Test boxes",
    "validation": "Validation boxes",
    "train": "Training boxes",
}
_WORDS = {
    "f1_50": "F1", "precision": "Precision", "recall": "Recall", "ap50": "AP 0.5", "ap75": "AP 0.75", "pq": "PQ",
    "dice": "Dice", "iou": "IoU", "voi": "VOI", "voi_split": "VOI split", "voi_merge": "VOI merge", "arand": "Ad. Rand",
    "v_rand": "V_rand", "v_info": "V_info", "n_truth": "In the truth", "n_prediction": "Predicted",
}  # fmt: skip


class CompareView(QWidget):
    """A table with a column per model.

    Signals
    -------
    role_changed : str
        The role of the boxes that are looked at; empty for whichever there are.
    saved
        The table is to be written to a file.
    """

    role_changed = Signal(str)
    saved = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.roles = QComboBox()
        self.roles.setToolTip("On which boxes the models are compared.")
        for role, text in _ROLES.items():
            self.roles.addItem(text, role)
        self.as_difference = QComboBox()
        self.as_difference.addItems(["Side by side", "As difference"])
        self.as_difference.setToolTip(
            "Side by side: the figures of each model. As difference: how much higher each is than the first, with the "
            "interval (95 %) that it would lie in on other boxes of this kind."
        )
        self.save = push_button(
            "Sa&ve…", "Write figures, differences and each box as a table: a CSV file.", self.saved.emit
        )
        self.table = QTableWidget()
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setAccessibleName("Comparison")
        self.notes = QLabel(EMPTY)
        self.notes.setWordWrap(True)
        self._found: SideBySide | None = None
        top = QHBoxLayout()
        for widget in (self.roles, self.as_difference, self.save):
            top.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addLayout(top)
        layout.addWidget(self.notes)
        layout.addWidget(self.table, 1)
        self.roles.currentIndexChanged.connect(lambda: self.role_changed.emit(self.roles.currentData()))
        self.as_difference.currentIndexChanged.connect(self._fill)
        self.setValue(None)

    def value(self) -> SideBySide | None:
        """Return what is shown."""
        return self._found

    def setValue(self, found: SideBySide | None) -> None:
        """Show a comparison; None says what to do first."""
        self._found = found
        self._fill()

    def _fill(self) -> None:
        found = self._found
        for widget in (self.table, self.save):
            widget.setVisible(found is not None)
        if found is None:
            self.notes.setText(EMPTY)
            return
        count = len(found.boxes)
        self.notes.setText(" ".join([f"{count} {found.role} box{'es'[: 2 * (count != 1)]}.", *found.notes]))
        difference = bool(self.as_difference.currentIndex())
        boxes = [box.name for box in found.boxes]
        self.table.setRowCount(len(found.names) + count)
        self.table.setColumnCount(len(found.columns))
        self.table.setHorizontalHeaderLabels([column.label for column in found.columns])
        first = found.names[0]
        self.table.setVerticalHeaderLabels(
            [_WORDS.get(name, name) for name in found.names] + [f"{_WORDS.get(first, first)}, {name}" for name in boxes]
        )
        for place, column in enumerate(found.columns):
            for number, name in enumerate(found.names):
                self._put(number, place, *_figure(column, name, difference))
            for number, value in enumerate(column.each):
                apart = difference and place > 0
                text = f"{value - found.columns[0].each[number]:+.3f}" if apart else f"{value:.3f}"
                self._put(len(found.names) + number, place, text, "")
        self.table.resizeColumnsToContents()

    def _put(self, row: int, column: int, text: str, tip: str) -> None:
        item = QTableWidgetItem(text)
        item.setToolTip(tip)
        item.setTextAlignment(int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter))
        self.table.setItem(row, column, item)


def _figure(column: Column, name: str, difference: bool) -> tuple[str, str]:
    """Return what a cell says, and its tooltip."""
    figure: Any = column.figures[name]
    count = name.startswith("n_")
    apart = column.differences.get(name)
    tip = ""
    if figure.interval is not None:
        tip = f"{figure.value:.3f}, on other boxes of this kind probably {figure.interval[0]:.3f} to "
        tip += f"{figure.interval[1]:.3f}"
    if not difference or apart is None:
        return (f"{figure.value:.0f}" if count else f"{figure.value:.3f}"), tip
    if count:
        return f"{apart.value:+.0f}", tip
    sure = {True: " ▲", False: " ▼", None: ""}[apart.better]
    said = f"{apart.value:+.3f}{sure}"
    if apart.interval is not None:
        said = f"{apart.value:+.3f} ({apart.interval[0]:+.3f} … {apart.interval[1]:+.3f}){sure}"
        tip += "\n▲ surely better, ▼ surely worse than the first; without a sign it may be chance."
    return said, tip.strip()
