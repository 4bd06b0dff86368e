"""Prediction with a chosen model: what of, what it takes, and how far it is."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from ..buttons import push_button, push_buttons
from .run import RunRow
from .run_view import RunView

_BUTTONS = {
    "view": ("This &view", "Predict what is on screen, with some context, with the chosen model."),
    "box": ("This bo&x", "Predict the selected box with the chosen model."),
    "volume": ("&Whole volume", "Predict all of the image, block by block, however large it is: what is on screen "
               "first. What is ready appears at once; it goes on without napari. Of a large one you are told before "
               "how long it takes, and how much disk."),
}  # fmt: skip


class PredictView(QWidget):
    """What to predict, what a large one takes, and how far each is.

    Signals
    -------
    requested : str
        One of view, box, volume.
    answered : bool
        Whether a large one is to begin.
    pressed : str, str
        The key of a job, and one of pause, resume, stop, forget.
    """

    requested = Signal(str)
    answered = Signal(bool)
    pressed = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons = push_buttons(_BUTTONS, self.requested.emit)
        self.rows: dict[str, RunView] = {}
        self.text = _words("Why nothing can be predicted")
        self.trouble = _words("Why the last prediction failed")
        self.ask = QFrame()
        self.ask.setFrameShape(QFrame.Shape.StyledPanel)
        self.question = _words("What the prediction takes")
        self.begin = push_button(
            "&Start",
            "Begin to predict the whole volume. It can be paused, stopped and resumed.",
            lambda: self.answered.emit(True),
        )
        self.leave = push_button("&Not now", "Leave it; nothing was written.", lambda: self.answered.emit(False))
        asked = QGridLayout(self.ask)
        asked.setContentsMargins(6, 4, 6, 4)
        asked.addWidget(self.question, 0, 0, 1, 2)
        asked.addWidget(self.begin, 1, 0)
        asked.addWidget(self.leave, 1, 1)
        row = QHBoxLayout()
        row.setSpacing(4)
        for button in self.buttons.values():
            row.addWidget(button)
        self._list = QVBoxLayout()
        self._list.setSpacing(4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row)
        for widget in (self.ask, self.text, self.trouble):
            layout.addWidget(widget)
        layout.addLayout(self._list)
        self.set_question("", False)
        self.set_trouble("")

    def set_question(self, text: str, possible: bool) -> None:
        """Say what a large prediction takes, and ask whether to begin, if that is possible; no text asks nothing."""
        self.question.setText(text)
        self.ask.setVisible(bool(text))
        self.begin.setEnabled(possible)

    def set_trouble(self, text: str) -> None:
        """Say why the last prediction failed and what to do; an empty text says nothing."""
        self.trouble.setText(text)
        self.trouble.setVisible(bool(text))

    def set_allowed(self, allowed: frozenset[str], why: str) -> None:
        """Allow these buttons, and say why not the others."""
        for name, button in self.buttons.items():
            button.setEnabled(name in allowed)
        self.text.setText(why)
        self.text.setVisible(bool(why))

    def set_runs(self, rows: Sequence[RunRow]) -> None:
        """Show how far jobs are, one below the other."""
        for key in self.rows.keys() - {row.key for row in rows}:
            gone = self.rows.pop(key)
            self._list.removeWidget(gone)
            gone.hide()
            gone.deleteLater()
        for row in rows:
            if row.key not in self.rows:
                self.rows[row.key] = RunView()
                self.rows[row.key].pressed.connect(lambda action, key=row.key: self.pressed.emit(key, action))
                self._list.addWidget(self.rows[row.key])
            self.rows[row.key].set_row(row)


def _words(name: str) -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setAccessibleName(name)
    return label
