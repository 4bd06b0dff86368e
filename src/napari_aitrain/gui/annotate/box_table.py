"""The table of boxes: a view that knows rows, and tells of edits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QTableView,
    QWidget,
)

from .box_keys import action_of
from .rows import BoxRow

_WIDEST, _LOWEST = 150, 104
ROW = 22
"""Height of a row in tables of this dock, in pixels; napari's are a third higher."""
_DENSITY = {None: "as source", False: "dense", True: "sparse"}
_DENSITY_TIP = (
    "Dense: every object in the box is painted, and 0 is background. Sparse: only some voxels are painted, and 0 means"
    " unlabelled. As source: dense, unless the training source says otherwise."
)


@dataclass(frozen=True)
class _Column:
    field: str
    title: str
    tip: str
    choices: tuple[str, ...] = ()
    editable: bool = True


_COLUMNS = (
    _Column("findings", "", "Whether the rules for boxes find anything; hover over the sign to read it.", (), False),
    _Column("name", "Name", "What you call the box."),
    _Column(
        "role",
        "Role",
        "Train: the model learns from it. Validation: used to choose the best model. Test: looked at once, at the end.",
        ("train", "validation", "test"),
    ),
    _Column(
        "status",
        "Status",
        "How far the annotation of the box is. Rejected boxes are never used.",
        ("in progress", "done", "reviewed", "rejected"),
    ),
    _Column("objects", "Objects", "Different objects (or classes) painted in the box, background left out.", (), False),
    _Column("size", "Size x·y·z (voxels)", "Extent in voxels of the image.", (), False),
    _Column("micrometres", "Size x·y·z (µm)", "The same in micrometres, where the image's unit is known.", (), False),
    _Column("sparse", "0 means", _DENSITY_TIP, tuple(_DENSITY.values())),
    _Column("tags", "Tags", "Free words, separated by commas, to choose boxes by when training."),
)


class BoxModel(QAbstractTableModel):
    """Rows as napari's Qt shows them; `edited` tells what a person typed."""

    edited = Signal(str, str, object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.rows: list[BoxRow] = []

    def set_rows(self, rows: Sequence[BoxRow]) -> None:
        """Show these rows; the selection stays where the boxes are the same ones."""
        same = [row.id for row in rows] == [row.id for row in self.rows]
        if same:
            self.rows = list(rows)
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(_COLUMNS) - 1))
            return
        self.beginResetModel()
        self.rows = list(rows)
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008, D102
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008, D102
        return 0 if parent.isValid() else len(_COLUMNS)

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:  # noqa: D102
        if orientation != Qt.Orientation.Horizontal:
            return section + 1 if role == Qt.ItemDataRole.DisplayRole else None
        texts: dict[Any, str] = {
            Qt.ItemDataRole.DisplayRole: _COLUMNS[section].title,
            Qt.ItemDataRole.ToolTipRole: _COLUMNS[section].tip,
        }
        return texts.get(role)

    def flags(self, index: QModelIndex) -> Any:  # noqa: D102
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return flags | Qt.ItemFlag.ItemIsEditable if _COLUMNS[index.column()].editable else flags

    def data(self, index: QModelIndex, role: int = 0) -> Any:  # noqa: D102
        column, row = _COLUMNS[index.column()], self.rows[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return text_of(row, column.field)
        if role == Qt.ItemDataRole.DecorationRole and column.field == "findings":
            return self._icon(row)
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tip(row) if column.field == "findings" or not column.tip else column.tip
        if role == Qt.ItemDataRole.AccessibleTextRole and column.field == "findings":
            return _tip(row)
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = 0) -> bool:  # noqa: D102
        column, row = _COLUMNS[index.column()], self.rows[index.row()]
        if role != Qt.ItemDataRole.EditRole or text_of(row, column.field) == value:
            return False
        self.edited.emit(row.id, column.field, parsed(column.field, str(value)))
        return True

    def _icon(self, row: BoxRow) -> Any:
        if not row.findings:
            return None
        serious = any(finding.level == "error" for finding in row.findings)
        kind = QStyle.StandardPixmap
        table: Any = self.parent()
        return table.style().standardIcon(kind.SP_MessageBoxCritical if serious else kind.SP_MessageBoxWarning)


class _Choices(QStyledItemDelegate):
    def createEditor(self, parent: QWidget | None, option: Any, index: QModelIndex) -> QWidget | None:
        choices = _COLUMNS[index.column()].choices
        if not choices:
            return super().createEditor(parent, option, index)
        box = QComboBox(parent)
        box.addItems(choices)
        box.activated.connect(lambda: self._finish(box))
        return box

    def _finish(self, box: QComboBox) -> None:
        self.commitData.emit(box)
        self.closeEditor.emit(box)

    def setEditorData(self, editor: Any, index: QModelIndex) -> None:
        if isinstance(editor, QComboBox):
            editor.setCurrentText(str(index.data(Qt.ItemDataRole.EditRole)))
        else:
            super().setEditorData(editor, index)

    def setModelData(self, editor: Any, model: Any, index: QModelIndex) -> None:
        if isinstance(editor, QComboBox):
            model.setData(index, editor.currentText(), Qt.ItemDataRole.EditRole)
        else:
            super().setModelData(editor, model, index)


class BoxTable(QTableView):
    """Rows of boxes.

    Signals
    -------
    edited : str, str, object
        Id of the box, name of the field and its new value.
    asked : str
        An action on the selected box, by its key.
    selected : str
        Id of the box that was selected; empty for none.
    activated_box : str
        Id of the box that was double-clicked where nothing can be edited.
    """

    edited = Signal(str, str, object)
    asked = Signal(str)
    selected = Signal(str)
    activated_box = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._model = BoxModel(self)
        self._model.edited.connect(self.edited)
        self.setModel(self._model)
        self.setItemDelegate(_Choices(self))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTabKeyNavigation(False)
        self.setMinimumHeight(_LOWEST)
        self.setAccessibleName("Boxes")
        self.setToolTip(
            "Every box. Double-click or F2 edits; a double-click on its size goes to the box; Delete deletes it."
        )
        down: Any = self.verticalHeader()
        down.setVisible(False)
        down.setDefaultSectionSize(ROW)
        header: Any = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setMinimumSectionSize(24)
        header.setMaximumSectionSize(_WIDEST)
        selection: Any = self.selectionModel()
        selection.currentRowChanged.connect(self._on_row)
        self.doubleClicked.connect(self._on_double)

    def sizeHint(self) -> QSize:
        """Ask for little: the table takes what is left, instead of having the dock scroll."""
        return QSize(super().sizeHint().width(), _LOWEST)

    def set_rows(self, rows: Sequence[BoxRow]) -> None:
        """Show these rows."""
        chosen = self.selected_id
        self.blockSignals(True)
        self._model.set_rows(rows)
        self.set_selected(chosen)
        self.blockSignals(False)

    @property
    def rows(self) -> list[BoxRow]:
        """What is shown."""
        return self._model.rows

    @property
    def selected_id(self) -> str:
        """Id of the selected box; empty for none."""
        row = self.currentIndex().row()
        return self._model.rows[row].id if 0 <= row < len(self._model.rows) else ""

    def set_selected(self, box_id: str) -> None:
        """Select a row."""
        for number, row in enumerate(self._model.rows):
            if row.id == box_id:
                if self.currentIndex().row() != number:
                    self.setCurrentIndex(self._model.index(number, 1))
                return
        self.setCurrentIndex(QModelIndex())

    def keyPressEvent(self, event: Any) -> None:
        """Take the keys of boxes before the search for what is typed does."""
        name = action_of(event)
        if name and self.selected_id and self.state() != QAbstractItemView.State.EditingState:
            self.asked.emit(name)
        else:
            super().keyPressEvent(event)

    def _on_row(self, current: QModelIndex, _previous: QModelIndex) -> None:
        self.selected.emit(self._model.rows[current.row()].id if current.isValid() else "")

    def _on_double(self, index: QModelIndex) -> None:
        if not _COLUMNS[index.column()].editable:
            self.activated_box.emit(self._model.rows[index.row()].id)


def text_of(row: BoxRow, field: str) -> str:
    """Return a field as it is shown and typed."""
    if field == "findings":
        return ""
    if field == "tags":
        return ", ".join(row.tags)
    if field == "sparse":
        return _DENSITY[row.sparse]
    if field == "size":
        return "–" if row.size is None else "·".join(str(n) for n in _xyz(row.size, row.flat))
    if field == "micrometres":
        return "–" if row.micrometres is None else "·".join(f"{v:.3g}" for v in _xyz(row.micrometres, row.flat))
    value = getattr(row, field)
    return "–" if value is None else str(value)


def parsed(field: str, text: str) -> Any:
    """Return the value of a field from what was typed."""
    if field == "tags":
        return tuple(word for part in text.split(",") if (word := part.strip()))
    if field == "sparse":
        return next(value for value, name in _DENSITY.items() if name == text)
    return text.strip()


def _xyz(values: tuple[Any, Any, Any], flat: bool) -> list[Any]:
    return list(reversed(values[1:] if flat else values))


def _tip(row: BoxRow) -> str:
    if not row.findings:
        return "The rules for boxes find nothing to object to."
    return "\n\n".join(f"{finding.message}\n{finding.remedy}".strip() for finding in row.findings)
