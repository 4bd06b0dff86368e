"""The table of outputs: what the server says, and which class of yours it is; a blank class leaves it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QHeaderView, QLabel, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from ..buttons import push_button

_COLUMNS = ("Output of the server", "Id of your class", "Name of your class")
_TIPS = (
    "Pixel value in a mask, label of a box, or position from 0 in a list of scores; or its name.",
    "A number from 1; leave it blank to leave this output out.",
    "For people; it need not be the server's word.",
)


class OutputsView(QWidget):
    """Outputs and classes.

    Signals
    -------
    valueChanged
        By a person.
    classes_requested
        The classes of the ground truth are to be filled in.
    """

    valueChanged = Signal()
    classes_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._filling = False
        self.table = QTableWidget(0, len(_COLUMNS))
        self.table.setHorizontalHeaderLabels(_COLUMNS)
        self.table.setAccessibleName("Outputs of the server and your classes")
        self.table.setToolTip("What the server calls a class, and which of yours it is. A blank id leaves it out.")
        header = self.table.horizontalHeader()
        assert header is not None
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        for column, tip in enumerate(_TIPS):
            item = self.table.horizontalHeaderItem(column)
            assert item is not None
            item.setToolTip(tip)
        rows = self.table.verticalHeader()
        assert rows is not None
        rows.setVisible(False)
        self.table.itemChanged.connect(self._on_changed)
        self.trouble = QLabel()
        self.trouble.setWordWrap(True)
        self.trouble.setVisible(False)
        self.add = push_button("&Add", "Add an output.", self._on_add)
        self.remove = push_button("&Remove", "Remove the selected outputs.", self._on_remove)
        self.mine = push_button(
            "My c&lasses", "Fill in the classes of the current ground truth, by the order of their ids.",
            self.classes_requested.emit,
        )  # fmt: skip
        row = QHBoxLayout()
        for button in (self.add, self.remove):
            row.addWidget(button)
        row.addStretch()
        row.addWidget(self.mine)
        layout = QVBoxLayout(self)
        layout.addWidget(self.table)
        layout.addWidget(self.trouble)
        layout.addLayout(row)

    def value(self) -> list[dict[str, Any]]:
        """Return the outputs as plain data; rows without an output are left away."""
        found = []
        for row in range(self.table.rowCount()):
            output, number, name = (self._text(row, column) for column in range(3))
            if output:
                found.append({"output": output, "id": int(number) if number.isdigit() else None, "name": name})
        return found

    def setValue(self, outputs: Sequence[Mapping[str, Any]]) -> None:
        """Show outputs."""
        self._filling = True
        self.table.setRowCount(0)
        for one in outputs:
            self._append(
                [str(one["output"]), "" if one.get("id") is None else str(one["id"]), str(one.get("name", ""))]
            )
        self._filling = False
        self._check()

    def _append(self, texts: Sequence[str]) -> None:
        row = self.table.rowCount()
        self.table.insertRow(row)
        for column, text in enumerate(texts):
            self.table.setItem(row, column, QTableWidgetItem(text))

    def _text(self, row: int, column: int) -> str:
        item = self.table.item(row, column)
        return "" if item is None else item.text().strip()

    def _on_add(self) -> None:
        used = {self._text(row, 0) for row in range(self.table.rowCount())}
        output = next(str(n) for n in range(len(used) + 2) if str(n) not in used and n > 0)
        self._append([output, "", ""])
        item = self.table.item(self.table.rowCount() - 1, 1)
        self.table.setCurrentItem(item)
        if item is not None:
            self.table.setFocus(Qt.FocusReason.OtherFocusReason)
            self.table.editItem(item)

    def _on_remove(self) -> None:
        for row in sorted({index.row() for index in self.table.selectedIndexes()}, reverse=True):
            self.table.removeRow(row)
        self._on_changed()

    def _on_changed(self, _item: object = None) -> None:
        if not self._filling:
            self._check()
            self.valueChanged.emit()

    def _check(self) -> None:
        wrong = [text for row in range(self.table.rowCount()) if (text := self._text(row, 1)) and not text.isdigit()]
        self.trouble.setText(f"{', '.join(wrong)}: ids are whole numbers from 1." if wrong else "")
        self.trouble.setVisible(bool(wrong))
