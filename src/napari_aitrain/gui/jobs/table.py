"""The table of jobs: a row each, with state, progress, time left and best score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QModelIndex, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionProgressBar,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

COLUMNS = ("Job", "State", "Progress", "Left", "Best")
_TIPS = (
    "Name of the job and of its folder.",
    "queued: waits for another job. interrupted: its worker ended without a word; Resume goes on.",
    "Share of the time or of the steps that were set; a training without an end shows its steps.",
    "Time until the end that was set.",
    "Best score on the validation boxes so far, 0 to 1; higher is better.",
)
_KEY = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class JobRow:
    """What a row shows.

    Parameters
    ----------
    key : str
        Tells the job from others.
    name, state : str
        As people read them.
    percent : int or None
        Progress where there is an end.
    progress : str
        Progress in words.
    left, best : str
        Time left and best score; empty where not known.
    tooltip : str
        More about the job, such as why it failed.
    """

    key: str
    name: str
    state: str
    percent: int | None = None
    progress: str = ""
    left: str = ""
    best: str = ""
    tooltip: str = ""


class JobTable(QTableWidget):
    """Rows of jobs, one of them selected; `valueChanged` gives its key."""

    valueChanged = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(COLUMNS), parent)
        self.setHorizontalHeaderLabels(list(COLUMNS))
        header: Any = self.horizontalHeader()
        for number, tip in enumerate(_TIPS):
            header.model().setHeaderData(number, Qt.Orientation.Horizontal, tip, Qt.ItemDataRole.ToolTipRole)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for number, width in enumerate((80, 62, 52, 46), start=1):
            self.setColumnWidth(number, width)
        rows: Any = self.verticalHeader()
        rows.setVisible(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setWordWrap(False)
        self.setItemDelegateForColumn(2, _ProgressDelegate(self))
        self.setAccessibleName("Jobs")
        self._keys: list[str] = []
        self.itemSelectionChanged.connect(self._on_selected)

    def value(self) -> str:
        """Return the key of the selected row; empty for none."""
        row = self.currentRow()
        return self._keys[row] if self.selectedItems() and row < len(self._keys) else ""

    def setValue(self, key: str) -> None:
        """Select a row by its key."""
        if key in self._keys and key != self.value():
            self.selectRow(self._keys.index(key))

    def set_rows(self, rows: list[JobRow]) -> None:
        """Show these jobs in this order; the selected one stays selected."""
        selected = self.value()
        blocked = self.blockSignals(True)
        self.setRowCount(len(rows))
        self._keys = [row.key for row in rows]
        for number, row in enumerate(rows):
            self._fill(number, row)
        self.clearSelection()
        if selected in self._keys:
            self.selectRow(self._keys.index(selected))
        self.blockSignals(blocked)
        if self.value() != selected:
            self.valueChanged.emit(self.value())

    def set_row(self, row: JobRow) -> None:
        """Show a job anew."""
        if row.key in self._keys:
            self._fill(self._keys.index(row.key), row)

    def _fill(self, number: int, row: JobRow) -> None:
        item: QTableWidgetItem | None
        texts = (row.name, row.state, row.progress, row.left, row.best)
        for column, text in enumerate(texts):
            item = self.item(number, column)
            if item is None:
                item = QTableWidgetItem()
                self.setItem(number, column, item)
            if item.text() != text:
                item.setText(text)
            item.setToolTip(row.tooltip)
            if column == 2:
                item.setData(_KEY, row.percent)

    def _on_selected(self) -> None:
        self.valueChanged.emit(self.value())


class _ProgressDelegate(QStyledItemDelegate):
    """Draws a bar where there is an end, else words."""

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint a cell."""
        percent: Any = index.data(_KEY)
        if percent is None or painter is None:
            super().paint(painter, option, index)
            return
        bar = QStyleOptionProgressBar()
        bar.rect = option.rect.adjusted(2, 4, -2, -4)
        bar.palette, bar.state = option.palette, option.state | QStyle.StateFlag.State_Horizontal
        bar.minimum, bar.maximum, bar.progress = 0, 100, int(percent)
        bar.text, bar.textVisible = f"{percent} %", True
        bar.textAlignment = Qt.AlignmentFlag.AlignCenter
        style = QApplication.style()
        assert style is not None
        style.drawControl(QStyle.ControlElement.CE_ProgressBar, bar, painter)
