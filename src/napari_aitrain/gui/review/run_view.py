"""A row that says how far a prediction is, with buttons to pause, resume and stop it."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QGridLayout, QLabel, QProgressBar, QWidget

from ..buttons import push_buttons
from .run import RunRow

_BUTTONS = {
    "pause": ("&Pause", "Have the prediction wait; its memory stays taken."),
    "resume": ("&Resume", "Go on. Blocks that are ready are not repeated; those that failed are tried again."),
    "stop": ("S&top", "End the prediction. What is ready stays, and Resume goes on from there."),
    "forget": ("&Hide", "Show it here no more. Its layer stays, and the Jobs dock still has it."),
}


class RunView(QWidget):
    """One job.

    Signals
    -------
    pressed : str
        One of pause, resume, stop, forget.
    """

    pressed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name, self.text, self.trouble = QLabel(), QLabel(), QLabel()
        self.text.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.trouble.setWordWrap(True)
        self.trouble.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.trouble.setAccessibleName("What is wrong with the prediction")
        self.name.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.bar.setAccessibleName("Progress of the prediction")
        self.buttons = push_buttons(_BUTTONS, self.pressed.emit)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 2, 0, 2)
        grid.setSpacing(3)
        grid.setColumnStretch(0, 1)
        grid.addWidget(self.name, 0, 0, 1, 5)
        grid.addWidget(self.bar, 1, 0, 1, 5)
        grid.addWidget(self.text, 2, 0)
        for column, button in enumerate(self.buttons.values()):
            grid.addWidget(button, 2, column + 1)
        grid.addWidget(self.trouble, 3, 0, 1, 5)

    def set_row(self, row: RunRow) -> None:
        """Show what is known."""
        self.name.setText(row.name)
        self.text.setText(row.text)
        self.bar.setRange(0, 0 if row.permille is None else 1000)
        self.bar.setValue(row.permille or 0)
        for name, button in self.buttons.items():
            button.setVisible(name in row.actions)
            button.setEnabled(name in row.actions)
        self.trouble.setText(row.trouble)
        self.trouble.setVisible(bool(row.trouble))
