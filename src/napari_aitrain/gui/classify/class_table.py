"""The list of classes or attributes: key, colour, name, how many are marked, and how many were found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ..buttons import push_button

_KEY, _NAME, _MARKED, _FOUND = range(4)
_EDITABLE = Qt.ItemFlag.ItemIsEditable
_ROWS_SHOWN = 6


@dataclass(frozen=True)
class ClassRow:
    """One line.

    Parameters
    ----------
    id : int
        Of the class.
    name, color : str
        What people call it, and ``#rrggbb``.
    marked : int
        Objects that a person gave it.
    found : str
        Objects that the classifier gave it; empty before there is one.
    """

    id: int
    name: str
    color: str
    marked: int = 0
    found: str = ""


class ClassTable(QWidget):
    """Classes, with buttons to add and remove one.

    Signals
    -------
    chosen : int
        Id of the class that clicks give.
    renamed, recoloured : int, str
        Id, and its new name or colour.
    add_pressed
        Another class.
    remove_pressed : int
        Id of the class.
    """

    chosen = Signal(int)
    renamed = Signal(int, str)
    recoloured = Signal(int, str)
    add_pressed = Signal()
    remove_pressed = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[ClassRow] = []
        self.table = QTableWidget(0, 4)
        self.table.setHorizontalHeaderLabels(["Key", "Name", "Marked", "Found"])
        across: Any = self.table.horizontalHeader()
        across.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        across.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        down: Any = self.table.verticalHeader()
        down.setVisible(False)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setTabKeyNavigation(False)
        self.table.setAccessibleName("Classes")
        self.table.setToolTip(
            "The class that clicks give. Double-click a name to change it, a key to choose its colour. Marked: by you; "
            "found: by the classifier."
        )
        self.add = push_button("A&dd", "Add a class.", self.add_pressed.emit)
        self.remove = push_button(
            "&Remove", "Remove the chosen class and its marks.", lambda: self.remove_pressed.emit(self.current)
        )
        buttons = QHBoxLayout()
        buttons.addWidget(self.add)
        buttons.addWidget(self.remove)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)
        layout.addLayout(buttons)
        self.table.currentCellChanged.connect(self._on_current)
        self.table.itemChanged.connect(self._on_edit)
        self.table.cellDoubleClicked.connect(self._on_double)

    @property
    def current(self) -> int:
        """Id of the chosen class; 0 for none."""
        place = self.table.currentRow()
        return self._rows[place].id if 0 <= place < len(self._rows) else 0

    def set_rows(self, rows: Sequence[ClassRow], current: int) -> None:
        """Show classes, one of which is chosen."""
        self.table.blockSignals(True)
        if list(rows) != self._rows:
            self._rows = list(rows)
            self.table.setRowCount(len(rows))
            for place, row in enumerate(rows):
                self._set_row(place, row)
            line = self.table.rowHeight(0) if rows else 24
            header: Any = self.table.horizontalHeader()
            self.table.setFixedHeight(header.sizeHint().height() + line * min(_ROWS_SHOWN, max(2, len(rows))) + 4)
        self.table.setCurrentCell(next((i for i, row in enumerate(self._rows) if row.id == current), -1), _NAME)
        self.table.blockSignals(False)
        self.remove.setEnabled(bool(self.current))

    def _set_row(self, place: int, row: ClassRow) -> None:
        swatch = QPixmap(12, 12)
        swatch.fill(QColor(row.color))
        texts = (str(place + 1) if place < 9 else "", row.name, f"{row.marked:,}", row.found)
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            if column != _NAME:
                item.setFlags(item.flags() & ~_EDITABLE)
            if column == _KEY:
                item.setIcon(QIcon(swatch))
            if column in (_MARKED, _FOUND):
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.table.setItem(place, column, item)

    def _on_current(self, place: int, *_: int) -> None:
        self.remove.setEnabled(bool(self.current))
        if 0 <= place < len(self._rows):
            self.chosen.emit(self._rows[place].id)

    def _on_edit(self, item: QTableWidgetItem) -> None:
        row = self._rows[item.row()]
        if item.column() == _NAME and (name := item.text().strip()) != row.name:
            self.renamed.emit(row.id, name or row.name)

    def _on_double(self, place: int, column: int) -> None:
        row = self._rows[place]
        if column != _KEY:
            return
        colour = QColorDialog.getColor(QColor(row.color), self, f"Colour of {row.name}")
        if colour.isValid():
            self.recoloured.emit(row.id, colour.name())
