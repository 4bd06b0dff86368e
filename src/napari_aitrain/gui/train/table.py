"""The table of training sources, with + and −."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QAction, QDragEnterEvent, QDropEvent, QKeySequence, QWheelEvent  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMenu,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from .place_edit import places_of
from .rows import SourceRow

COLUMNS = ("Image", "Labels", "Boxes", "Mag.")
_TIPS = (
    "What the model sees.",
    "Ground truth: labels that you vouch for, from which the model learns.",
    "Regions that are used, by role. Without boxes everything that is labelled is used.",
    "Magnification: 1 is full resolution, 2-2-1 is half of it in x and y. Coarser sees more around, but less detail.",
)
_ADD = {
    "layers": ("Layers of this window…", "Take in all ground truth that is open here, or labels that are none yet."),
    "files": ("Files, folders or addresses…", "Choose an image and labels of the same shape, here or on a server."),
    "folder": ("An earlier training or project…", "Choose its folder; its images, labels and boxes are used as well."),
}


class _Choice(QComboBox):
    """A choice that the wheel leaves alone: scrolling the dock must not change what is trained."""

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        if event is not None:
            event.ignore()


class SourcesTable(QWidget):
    """Rows of training sources.

    Signals
    -------
    add_requested : str
        Where from: layers, files or folder.
    removed : int
        The number of the row that is to go.
    magnification_chosen : int, str
        The number of a row, and what it is to be trained at.
    dropped : list of Path or Url
        Files, folders and addresses that were dropped here.
    """

    add_requested = Signal(str)
    removed = Signal(int)
    magnification_chosen = Signal(int, str)
    dropped = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setHorizontalHeaderLabels(list(COLUMNS))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setTabKeyNavigation(False)
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.setWordWrap(False)
        rows: Any = self.table.verticalHeader()
        rows.setVisible(False)
        self.table.setAccessibleName("Training sources")
        self.table.setFixedHeight(92)
        header: Any = self.table.horizontalHeader()
        for number, tip in enumerate(_TIPS):
            header.model().setHeaderData(number, Qt.Orientation.Horizontal, tip, Qt.ItemDataRole.ToolTipRole)
        for column in range(2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        self.table.setColumnWidth(2, 146)
        self.table.setColumnWidth(3, 60)
        self.empty = QLabel(
            "Nothing to train on yet. Paint ground truth in the Annotate dock and draw a box around it; or press + to "
            "take labels layers or files; or drop files here."
        )
        self.empty.setWordWrap(True)
        self.add = QToolButton()
        self.remove = QToolButton()
        self._lay_out()
        self.setAcceptDrops(True)
        self.table.itemSelectionChanged.connect(self._on_selected)
        self.remove.clicked.connect(lambda: self.removed.emit(self.table.currentRow()))
        self.setValue(())

    def setValue(self, rows: Sequence[SourceRow]) -> None:
        """Show these rows."""
        self.empty.setVisible(not rows)
        self.table.setVisible(bool(rows))
        self.table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            for column, text in enumerate((row.image, row.labels, row.boxes, row.magnification)):
                item = QTableWidgetItem(text)
                item.setToolTip(f"{text}\n{row.tooltip}")
                self.table.setItem(number, column, item)
            self.table.setCellWidget(number, 3, self._magnification(number, row))
        self._on_selected()

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Accept files, folders and addresses, before the window takes them as layers."""
        if event is not None and places_of(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Tell of them."""
        if event is not None:
            places = places_of(event.mimeData())
            event.acceptProposedAction()
            # The program that they come from waits until this returns.
            QTimer.singleShot(0, lambda: self.dropped.emit(places))

    def select(self, number: int) -> None:
        """Bring a row into view."""
        self.table.selectRow(number)
        self.table.setFocus()

    def _magnification(self, number: int, row: SourceRow) -> QComboBox:
        box = _Choice()
        box.addItems(list(row.magnifications))
        box.setCurrentText(row.magnification)
        box.setToolTip(_TIPS[3])
        box.setAccessibleName(f"Magnification of {row.labels}")
        box.textActivated.connect(lambda text: self.magnification_chosen.emit(number, text))
        return box

    def _on_selected(self) -> None:
        self.remove.setEnabled(bool(self.table.selectedItems()))

    def _lay_out(self) -> None:
        menu = QMenu(self)
        for name, (text, tip) in _ADD.items():
            action = QAction(text, menu)
            action.setToolTip(tip)
            action.triggered.connect(lambda _on=False, name=name: self.add_requested.emit(name))
            menu.addAction(action)
        menu.setToolTipsVisible(True)
        self.add.setText("+   ")
        self.add.setMenu(menu)
        self.add.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.add.setToolTip("Add a training source: from layers, from files or from an earlier project.")
        self.add.setAccessibleName("Add a training source")
        self.remove.setText("−")
        self.remove.setShortcut(QKeySequence())
        self.remove.setToolTip("Leave the selected row out of the training. Nothing is deleted.")
        self.remove.setAccessibleName("Remove the training source")
        head = QHBoxLayout()
        head.addWidget(QLabel("<b>Train on</b>"), 1)
        head.addWidget(self.add)
        head.addWidget(self.remove)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(head)
        layout.addWidget(self.empty)
        layout.addWidget(self.table)
