"""The list of classes, or of what is painted where objects are numbered: a view without knowledge."""

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
from .box_table import ROW

_COLOUR, _NAME, _COUNT = range(3)
_EDITABLE = Qt.ItemFlag.ItemIsEditable


@dataclass(frozen=True)
class ClassRow:
    """One line of the list.

    Parameters
    ----------
    id : int
        What is painted.
    name : str
        What people call it.
    color : str
        As ``#rrggbb``.
    count : str
        How much of it there is, with its unit.
    fixed : bool
        Whether name, colour and being there cannot be changed.
    """

    id: int
    name: str
    color: str
    count: str = ""
    fixed: bool = False


class ClassView(QWidget):
    """Classes with colours and counts, and the brushes.

    Signals
    -------
    chosen : int
        The id to paint with.
    renamed, recoloured : int, str
        Id, and its new name or colour.
    add_asked, next_asked, background_asked
        The buttons.
    remove_asked : int
        Id of the class.
    """

    chosen = Signal(int)
    renamed = Signal(int, str)
    recoloured = Signal(int, str)
    remove_asked = Signal(int)
    add_asked = Signal()
    next_asked = Signal()
    background_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[ClassRow] = []
        self.table = QTableWidget(0, 3)
        self.table.setHorizontalHeaderLabels(["Id", "Name", "Painted"])
        across: Any = self.table.horizontalHeader()
        across.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        across.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        down: Any = self.table.verticalHeader()
        down.setVisible(False)
        down.setDefaultSectionSize(ROW)
        across.setHighlightSections(False)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setTabKeyNavigation(False)
        self.table.setAccessibleName("Classes")
        self.table.setToolTip(
            "Choose what napari's brush paints. Double-click a name to change it, an id to change its colour."
        )
        self.next = push_button("Ne&xt object", "Paint with an id that no object has yet.")
        self.background = push_button(
            "&Background brush",
            "Mark what is certainly nothing: in sparse boxes, unlabelled voxels (clear) are not learned from, "
            "background (grey) is.",
        )
        self.add = push_button("Add class", "Add a class with the next free number and colour.")
        self.remove = push_button("&Remove", "Remove the selected class.")
        buttons = QHBoxLayout()
        for button in (self.next, self.add, self.remove, self.background):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)
        layout.addLayout(buttons)
        self.table.currentCellChanged.connect(self._on_current)
        self.table.itemChanged.connect(self._on_edit)
        self.table.cellDoubleClicked.connect(self._on_double)
        self.next.clicked.connect(self.next_asked)
        self.add.clicked.connect(self.add_asked)
        self.background.clicked.connect(self.background_asked)
        self.remove.clicked.connect(lambda: self.remove_asked.emit(self._current))

    def set_mode(self, mode: str | None) -> None:
        """Show the buttons of a mode; None when there is no ground truth."""
        self.setVisible(mode is not None)
        # Objects have two lines, classes have as many as there are.
        self.table.setFixedHeight(30 + ROW * (3 if mode == "classes" else 2))
        self.next.setVisible(mode == "instances")
        for button in (self.add, self.remove):
            button.setVisible(mode == "classes")

    def set_rows(self, rows: Sequence[ClassRow], current: int) -> None:
        """Show these rows, with the one of an id selected."""
        self.table.blockSignals(True)
        if list(rows) != self._rows:
            self._rows = list(rows)
            self.table.setRowCount(len(rows))
            for number, row in enumerate(rows):
                self._set_row(number, row)
        place = next((i for i, row in enumerate(self._rows) if row.id == current), -1)
        if place < 0:
            self.table.clearSelection()
        self.table.setCurrentCell(place, _NAME)
        self.table.blockSignals(False)
        self.remove.setEnabled(place >= 0 and not self._rows[place].fixed)

    @property
    def rows(self) -> list[ClassRow]:
        """What is shown."""
        return self._rows

    @property
    def _current(self) -> int:
        place = self.table.currentRow()
        return self._rows[place].id if 0 <= place < len(self._rows) else 0

    def _set_row(self, place: int, row: ClassRow) -> None:
        swatch = QPixmap(12, 12)
        swatch.fill(QColor(row.color))
        for column, text in ((_COLOUR, str(row.id) if row.id > 0 else "2…"), (_NAME, row.name), (_COUNT, row.count)):
            item = QTableWidgetItem(text)
            if column != _NAME or row.fixed:
                item.setFlags(item.flags() & ~_EDITABLE)
            if column == _COLOUR:
                item.setIcon(QIcon(swatch))
            if row.id < 0:
                item.setToolTip("Every number from 2 on is an object of its own.")
            self.table.setItem(place, column, item)

    def _on_current(self, place: int, *_: int) -> None:
        if 0 <= place < len(self._rows):
            self.chosen.emit(self._rows[place].id)

    def _on_edit(self, item: QTableWidgetItem) -> None:
        if item.column() == _NAME and (name := item.text().strip()) != self._rows[item.row()].name:
            self.renamed.emit(self._rows[item.row()].id, name)

    def _on_double(self, place: int, column: int) -> None:
        row = self._rows[place]
        if column != _COLOUR or row.fixed:
            return
        colour = QColorDialog.getColor(QColor(row.color), self, f"Colour of {row.name}")
        if colour.isValid():
            self.recoloured.emit(row.id, colour.name())
