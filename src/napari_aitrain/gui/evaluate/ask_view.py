"""Which model to evaluate, on which boxes, and how far that is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from ..buttons import push_button

_ON = {
    "own": "Boxes of its training",
    "window": "Ground truth of this window",
}
_MODEL = "The model to evaluate: of a training, of the store, or one that comes with the program (starter)."
_ON_TIP = (
    "Where the model is compared with ground truth. Boxes of its training: as it used them, with the test boxes that "
    "it never saw. Ground truth of this window: what is labelled now, in the boxes with their roles."
)


class AskView(QWidget):
    """What to evaluate.

    Signals
    -------
    requested : object, str
        A model's folder, and own or window.
    stopped
        The evaluation that runs is to stop.
    """

    requested = Signal(object, str)
    stopped = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.models = QComboBox()
        self.models.setToolTip(_MODEL)
        self.models.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.models.setMinimumContentsLength(14)
        self.on = QComboBox()
        self.on.setToolTip(_ON_TIP)
        for name, text in _ON.items():
            self.on.addItem(text, name)
        self.begin = push_button(
            "&Evaluate",
            "Predict the boxes with the model and compare with their ground truth, in the background. Objects are "
            "right where they overlap one of the ground truth by at least half.",
            self._on_begin,
        )
        self.stop = push_button("&Stop", "Stop; boxes that are finished are kept.", self.stopped.emit)
        self.bar = QProgressBar()
        self.bar.setToolTip("How many boxes are compared.")
        self.why = QLabel()
        self.why.setWordWrap(True)
        self._running = False
        self._lay_out()
        self.set_models([], None)
        self.set_running(None)

    def set_models(self, models: Sequence[tuple[str, Path]], chosen: Path | None) -> None:
        """Offer these models."""
        before = self.models.currentData() if chosen is None else chosen
        blocked = self.models.blockSignals(True)
        self.models.clear()
        for name, folder in models:
            self.models.addItem(name, folder)
        at = next((n for n, (_, folder) in enumerate(models) if folder == before), 0)
        self.models.setCurrentIndex(at if models else -1)
        self.models.blockSignals(blocked)
        self._allow()

    def set_running(self, percent: int | None) -> None:
        """Show how far the evaluation is that runs; None where none does."""
        self.bar.setVisible(percent is not None)
        self.stop.setVisible(percent is not None)
        self.bar.setValue(percent or 0)
        self._running = percent is not None
        self._allow()

    def _allow(self) -> None:
        there = self.models.count() > 0
        self.begin.setEnabled(there and not self._running)
        self.why.setVisible(not there)
        self.why.setText("" if there else "No model yet: train one in the Train dock first.")

    def _on_begin(self) -> None:
        folder = self.models.currentData()
        if folder is not None:
            self.requested.emit(folder, self.on.currentData())

    def _lay_out(self) -> None:
        grid = QGridLayout()
        for row, (text, widget) in enumerate((("&Model", self.models), ("O&n", self.on))):
            label = QLabel(text)
            label.setBuddy(widget)
            grid.addWidget(label, row, 0)
            grid.addWidget(widget, row, 1, 1, 2)
        grid.addWidget(self.begin, 2, 1)
        grid.addWidget(self.stop, 2, 2)
        grid.setColumnStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(grid)
        layout.addWidget(self.bar)
        layout.addWidget(self.why)
