"""The log of a job, with a filter and a way to save it."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QTextCursor
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QPlainTextEdit, QToolButton, QVBoxLayout, QWidget

from .digest import LogLine

_LEVELS = {"everything": ("info", "warning", "error"), "warnings": ("warning", "error"), "errors": ("error",)}
_MOST = 5000


class LogView(QWidget):
    """Shows log lines; `save_requested` asks for a file."""

    save_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lines: list[LogLine] = []
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Show lines with…")
        self.filter.setToolTip("Show only lines that contain this text.")
        self.filter.setAccessibleName("Filter of the log")
        self.filter.setClearButtonEnabled(True)
        self.level = QComboBox()
        self.level.addItems(list(_LEVELS))
        self.level.setToolTip("Show everything, or only what needs attention.")
        self.level.setAccessibleName("Level of the log")
        self.save = QToolButton()
        self.save.setText("Save…")
        self.save.setToolTip("Save the whole log as a text file, for example to send it to somebody.")
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setMaximumBlockCount(_MOST)
        self.text.setPlaceholderText("What the worker says is shown here.")
        self.text.setAccessibleName("Log")
        row = QHBoxLayout()
        for widget in (self.filter, self.level, self.save):
            row.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.text)
        self.filter.textChanged.connect(self._show)
        self.level.currentTextChanged.connect(self._show)
        self.save.clicked.connect(self.save_requested)

    def value(self) -> str:
        """Return the whole log as text, whatever the filter."""
        return "".join(f"{line}\n" for line in self._lines)

    def setValue(self, lines: Sequence[LogLine]) -> None:
        """Show another log."""
        self._lines = list(lines)
        self._show()

    def append(self, line: LogLine) -> None:
        """Add a line at the end."""
        self._lines.append(line)
        if self._wanted(line):
            self.text.appendPlainText(str(line))

    def _wanted(self, line: LogLine) -> bool:
        return line.level in _LEVELS[self.level.currentText()] and (
            self.filter.text().casefold() in line.text.casefold()
        )

    def _show(self) -> None:
        self.text.setPlainText("\n".join(str(line) for line in self._lines if self._wanted(line)))
        self.text.moveCursor(QTextCursor.MoveOperation.End)
