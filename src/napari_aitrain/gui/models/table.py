"""The table of models: a row each, several of which can be selected."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from ...tasks.script_store import shown_name
from .listing import Listed

COLUMNS = ("Model", "Valid.", "Test", "Tags", "Task", "Boxes", "Created")
_TIPS = (
    "Name and version. ● is the one that the name alone means, for the command line and for trainings that go on "
    "from it: the active version, or else the newest that is not archived.",
    "Score on validation boxes at the end of its training, 1 at best; higher is better. Of neurons it is minus the "
    "variation of information, 0 at best.",
    "The same on test boxes; the honest one, if nothing was chosen by it.",
    "Words to find it by.",
    "What it finds: instances are separate objects, semantic is a class for every voxel.",
    "How many boxes it was trained, validated and tested with.",
    "When its training ended, or when it was imported.",
)
_WIDTHS = (140, 0, 0, 88, 74, 46, 82)
"""Of columns in pixels at first; 0 is always as wide as its figures, which are bold where the version is active."""
_KEY = Qt.ItemDataRole.UserRole


class ModelTable(QTableWidget):
    """Rows of models; `valueChanged` gives the folders of those that are selected."""

    valueChanged = Signal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(COLUMNS), parent)
        self.setHorizontalHeaderLabels(list(COLUMNS))
        header: Any = self.horizontalHeader()
        for number, (tip, width) in enumerate(zip(_TIPS, _WIDTHS, strict=True)):
            header.model().setHeaderData(number, Qt.Orientation.Horizontal, tip, Qt.ItemDataRole.ToolTipRole)
            if width:
                self.setColumnWidth(number, width)
            mode = QHeaderView.ResizeMode.Interactive if width else QHeaderView.ResizeMode.ResizeToContents
            header.setSectionResizeMode(number, mode)
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        rows: Any = self.verticalHeader()
        rows.setVisible(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setWordWrap(False)
        self.setAccessibleName("Models")
        self.setMinimumHeight(110)
        self._rows: list[Listed] = []
        self.itemSelectionChanged.connect(lambda: self.valueChanged.emit(self.value()))

    def value(self) -> list[Path]:
        """Return the folders of the selected models, from above."""
        numbers = sorted({index.row() for index in self.selectedIndexes()})
        return [self._rows[number].folder for number in numbers if number < len(self._rows)]

    def setValue(self, folders: Sequence[Path]) -> None:
        """Select models by their folders."""
        blocked = self.blockSignals(True)
        self.clearSelection()
        selection: Any = self.selectionModel()
        flags = selection.SelectionFlag.Select | selection.SelectionFlag.Rows
        for number, row in enumerate(self._rows):
            if row.folder in folders:
                selection.select(self.model().index(number, 0), flags)  # type: ignore[union-attr]
        self.blockSignals(blocked)
        self.valueChanged.emit(self.value())

    def set_rows(self, rows: Sequence[Listed]) -> None:
        """Show these models in this order; selected ones stay selected."""
        selected = self.value()
        blocked = self.blockSignals(True)
        self._rows = list(rows)
        self.setRowCount(len(rows))
        for number, row in enumerate(rows):
            for column, text in enumerate(_texts(row)):
                item = self.item(number, column)
                if item is None:
                    item = QTableWidgetItem()
                    self.setItem(number, column, item)
                item.setText(text)
                item.setToolTip(_tip(row))
                font = item.font()
                font.setBold(row.active)
                font.setItalic(row.archived)
                item.setFont(font)
        self.blockSignals(blocked)
        self.setValue(selected)


def _texts(row: Listed) -> tuple[str, ...]:
    mark = "● " if row.active else ""
    where = {"store": "", "job": " (training)", "starter": " (starter)"}[row.origin]
    task = "damaged" if row.card is None else ("remote, " if row.remote else "") + shown_name(row.card.task)
    made = "" if row.card is None else f"{row.card.created.astimezone():%Y-%m-%d}"
    boxes = str(row.boxes or "")
    tags = ", ".join((*row.tags, *(("archived",) if row.archived else ())))
    return f"{mark}{row.label}{where}", _score(row, "validation"), _score(row, "test"), tags, task, boxes, made


def _score(row: Listed, role: str) -> str:
    value = row.score(role)
    return "" if value is None else f"{value:.3f}"


def _tip(row: Listed) -> str:
    return row.trouble or "\n".join(part for part in (row.label, str(row.folder), row.comments) if part)
