"""Tables of the Evaluate dock: figures by role, and objects that are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

_KEY = Qt.ItemDataRole.UserRole
Cell = tuple[str, str]
"""What is shown, and its tooltip."""


class FigureTable(QTableWidget):
    """A row per figure, a column per role."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(0, 0, parent)
        self.setAccessibleName(name)
        self.setToolTip("Figures of train, validation and test boxes, with the interval that 95 of 100 other sets of "
                        "boxes would fall into.")  # fmt: skip
        _plain(self)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def set_rows(self, columns: Sequence[str], rows: Sequence[tuple[Cell, Sequence[Cell]]]) -> None:
        """Show these rows: each with a name, and a cell per column."""
        self.clear()
        self.setColumnCount(1 + len(columns))
        self.setRowCount(len(rows))
        self.setHorizontalHeaderLabels(["", *columns])
        for number, (name, cells) in enumerate(rows):
            for column, (text, tip) in enumerate((name, *cells)):
                item = _item(text, tip)
                if column:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(number, column, item)
        header: Any = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.resizeRowsToContents()
        height = header.sizeHint().height() + sum(self.rowHeight(row) for row in range(len(rows))) + 4
        self.setFixedHeight(height)


class ErrorTable(QTableWidget):
    """Objects that are wrong, the worst first; a click or Enter goes to one.

    Signals
    -------
    chosen : int
        The place of an object in the list.
    """

    chosen = Signal(int)
    COLUMNS = ("What", "Box", "Wrong", "Score")
    _TIPS = (
        "missed: not found. false: not in the ground truth. merged: one for several. split: several for one.",
        "The box that it lies in.",
        "How many voxels are wrong by it; the list is sorted by this.",
        "How sure the model was, 0 to 1.",
    )

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(self.COLUMNS), parent)
        self.setAccessibleName("Objects that are wrong")
        self.setToolTip("Objects that are wrong, the worst first. Click one, or walk with the arrow keys, to see it.")
        self.setHorizontalHeaderLabels(list(self.COLUMNS))
        _plain(self)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header: Any = self.horizontalHeader()
        for number, tip in enumerate(self._TIPS):
            header.model().setHeaderData(number, Qt.Orientation.Horizontal, tip, Qt.ItemDataRole.ToolTipRole)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.setMinimumHeight(150)
        self.itemSelectionChanged.connect(self._on_selected)

    def set_rows(self, rows: Sequence[tuple[int, Sequence[str], str]]) -> None:
        """Show these objects: each with a number of its own, a text per column, and a tooltip."""
        blocked = self.blockSignals(True)
        self.clearContents()
        self.setRowCount(len(rows))
        for at, (number, texts, tip) in enumerate(rows):
            for column, text in enumerate(texts):
                item = _item(text, tip)
                item.setData(_KEY, number)
                self.setItem(at, column, item)
        self.clearSelection()
        self.setCurrentCell(-1, -1)
        self.blockSignals(blocked)

    def _on_selected(self) -> None:
        items = self.selectedItems()
        if items:
            self.chosen.emit(int(items[0].data(_KEY)))


def _plain(table: QTableWidget) -> None:
    rows: Any = table.verticalHeader()
    rows.setVisible(False)
    rows.setDefaultSectionSize(22)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setTabKeyNavigation(False)
    table.setWordWrap(False)
    table.setTextElideMode(Qt.TextElideMode.ElideRight)


def _item(text: str, tip: str) -> QTableWidgetItem:
    item = QTableWidgetItem(text)
    item.setToolTip(tip)
    return item
