"""What the Train dock looks like: sources, settings, status and Start."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from ..buttons import push_button, push_buttons
from .form import TrainForm
from .status import Status, StatusPanel
from .steps import Step, StepBar
from .table import SourcesTable

_SIZES, _CHECKING = [340, 200], [60, 480]
"""Heights of the settings and of what is known of them; to check there is little to set."""

_LEADS = {
    "Review": ("Review…", "See what the model makes of the screen while it learns."),
    "Jobs": ("Jobs…", "See its curves and its log; stop it, and resume it."),
}


class TrainView(QWidget):
    """The parts of the dock, from the training set above to Start below.

    Signals
    -------
    start_pressed : bool
        Start; whether it is to continue from the last model.
    rules_pressed
        A person wants to see or change the rules.
    live_toggled : bool
        Whether a running training is to learn from what is painted meanwhile.
    shown
        The dock came into view.
    dock_asked : str
        Name of a dock to open.
    """

    start_pressed = Signal(bool)
    rules_pressed = Signal()
    live_toggled = Signal(bool)
    shown = Signal()
    dock_asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sources = SourcesTable()
        self.form = TrainForm()
        self.status = StatusPanel()
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setAccessibleName("What happens now")
        self.leads = push_buttons(_LEADS, self.dock_asked.emit)
        self.start = push_button(
            "&Start training",
            "Write the job and train it in a process of its own; napari stays usable meanwhile.",
            lambda: self.start_pressed.emit(False),
        )
        self.again = push_button(
            "Train a&gain",
            "Start with these settings, and go on from the last model instead of from scratch.",
            lambda: self.start_pressed.emit(True),
        )
        self.live = QCheckBox("&Keep learning from what I paint")
        self.steps = StepBar()
        self.rules = push_button(
            "R&ules…",
            "What is enough for a training, and which findings block the start: for you, or for this project.",
            self.rules_pressed.emit,
        )
        self.live.setToolTip(
            "While a training runs, new strokes and new boxes for training are taken in within seconds. Boxes for "
            "validation and test stay as they were."
        )
        self._lay_out()
        self.live.toggled.connect(self.live_toggled)

    def set_ready(self, start: bool, again: bool) -> None:
        """Allow the two buttons."""
        self.start.setEnabled(start)
        self.again.setEnabled(again)

    def set_step(self, step: Step | None) -> None:
        """Show one step, or everything for None: the same widgets, so that nothing can be lost in between."""
        self.steps.setValue(step)
        self.form.show_part(step)
        self.sources.setVisible(step in (None, "what"))
        self._splitter.setSizes(_CHECKING if step == "check" else _SIZES)
        for widget in (self._status_area, self.live, self.start, self.again, self.rules):
            widget.setVisible(step in (None, "check"))

    def set_status(self, status: Status) -> None:
        """Show what is known of the training."""
        self.status.setValue(status)

    def set_message(self, text: str, leads: bool = False) -> None:
        """Say what happens now, and lead to the docks that show it if they do."""
        self.message.setText(text)
        self.message.setVisible(bool(text))
        for button in self.leads.values():
            button.setVisible(leads)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Tell that the dock came into view."""
        super().showEvent(event)
        self.shown.emit()

    def _lay_out(self) -> None:
        above = QWidget()
        inner = QVBoxLayout(above)
        inner.setContentsMargins(0, 0, 6, 0)
        inner.addWidget(self.sources)
        inner.addWidget(self.form)
        inner.addStretch(1)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(_scrolling(above))
        self._status_area = _scrolling(self.status)
        splitter.addWidget(self._status_area)
        splitter.setSizes(_SIZES)
        self._splitter = splitter
        splitter.setStretchFactor(0, 2)
        splitter.setStretchFactor(1, 1)
        row = QHBoxLayout()
        row.addWidget(self.start, 2)
        row.addWidget(self.again, 1)
        row.addWidget(self.rules, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.steps)
        layout.addWidget(splitter, 1)
        layout.addWidget(self.steps.walk)
        layout.addWidget(self.live)
        layout.addLayout(row)
        now = QHBoxLayout()
        now.addWidget(self.message, 1)
        for button in self.leads.values():
            now.addWidget(button)
        layout.addLayout(now)
        self.set_message("")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)


def _scrolling(widget: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidget(widget)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return area
