"""Prediction with a chosen model, its progress, and training again."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QGridLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

_BUTTONS = {
    "view": ("This &view", "Predict what is on screen, with some context, with the chosen model."),
    "box": ("This bo&x", "Predict the selected box with the chosen model."),
    "volume": ("&Whole volume", "Predict all of the image, block by block, however large it is. What is ready appears "
               "at once; it goes on without napari, and can be resumed from the Jobs dock."),
}  # fmt: skip


class PredictView(QWidget):
    """What to predict, and how far it is.

    Signals
    -------
    requested : str
        One of view, box, volume.
    cancelled
        The prediction that runs is to end.
    """

    requested = Signal(str)
    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons = {name: self._button(name) for name in _BUTTONS}
        self.bar = QProgressBar()
        self.bar.setAccessibleName("Progress of the prediction")
        self.cancel = QPushButton("Cance&l")
        self.cancel.setToolTip("End the prediction; blocks that are ready stay, and Resume in the Jobs dock goes on.")
        self.cancel.clicked.connect(self.cancelled)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.trouble = QLabel()
        self.trouble.setWordWrap(True)
        self.trouble.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.trouble.setAccessibleName("Why the last prediction failed")
        grid = QGridLayout()
        grid.setSpacing(4)
        for number, button in enumerate(self.buttons.values()):
            grid.addWidget(button, 0, number)
        grid.addWidget(self.bar, 1, 0, 1, 2)
        grid.addWidget(self.cancel, 1, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(grid)
        layout.addWidget(self.text)
        layout.addWidget(self.trouble)
        self.set_progress(None)
        self.set_trouble("")

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

    def set_progress(self, progress: tuple[int, int, str] | None) -> None:
        """Show blocks done, blocks in all (0 if that is not known yet) and the stage; None while nothing runs."""
        self.bar.setVisible(progress is not None)
        self.cancel.setVisible(progress is not None)
        if progress is not None:
            done, total, stage = progress
            self.bar.setRange(0, total)
            self.bar.setValue(done)
            self.bar.setFormat(f"{stage} %p %".strip())

    def _button(self, name: str) -> QPushButton:
        text, tip = _BUTTONS[name]
        button = QPushButton(text)
        button.setToolTip(tip)
        button.clicked.connect(lambda: self.requested.emit(name))
        return button
