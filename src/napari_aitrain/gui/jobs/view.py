"""What the Jobs dock looks like: it shows what it is given, and says what was pressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSplitter,
    QStyle,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from ..buttons import push_buttons
from .log_view import LogView
from .table import JobTable

if TYPE_CHECKING:
    from .curves import Curves, Points

EMPTY = (
    "No jobs yet. Press Start in the Train dock; each training and each prediction is then a row here, also after "
    "napari was closed."
)
_BUTTONS = {
    "pause": ("&Pause", "Let the job wait, to have the machine for something else. Its memory stays taken."),
    "resume": ("&Resume", "Go on where the job is: after a pause, a stop, a crash or a restart."),
    "stop": ("S&top", "End the training now. The model and a checkpoint are kept; Resume goes on."),
    "back": ("Take &back", "Take the job out of the queue; nothing of it has run yet. Resume queues it again."),
    "up": ("Move &up", "Let the job run before the one that is ahead of it in the queue."),
    "down": ("Move &down", "Let the next job in the queue run first."),
    "remove": ("Remo&ve…", "Delete the job's folder, its model too. It asks first."),
    "open": ("&Open folder", "Show the job's folder: settings, log, checkpoints, previews and the model."),
    "again": ("Train &again…", "Open the Train dock with this job's settings, to change some and train again."),
    "use": (
        "&Use model",
        "Show this model's predictions in the Review dock, and predict with it. Of a prediction: show it again, with "
        "your corrections.",
    ),
}
_OF_QUEUE = ("back", "up", "down")


class JobsView(QWidget):
    """The table, buttons for the selected job, its curves and its log.

    Signals
    -------
    selected : str
        The key of the job that is looked at.
    pressed : str
        The name of a button: pause, resume, stop, back, up, down, remove, open, again, use.
    """

    selected = Signal(str)
    pressed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = JobTable()
        self.empty = QLabel(EMPTY)
        self.empty.setWordWrap(True)
        self.trouble = QLabel()
        self.trouble.setWordWrap(True)
        self.trouble.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.trouble.hide()
        self.buttons = push_buttons(_BUTTONS, self.pressed.emit)
        self._queue = QWidget()
        self.log = LogView()
        self.curves: Curves | None = None
        self._points: tuple[Points, Points] = ((), ())
        self._loading = QTimer(self)
        self._loading.setSingleShot(True)
        self._loading.timeout.connect(self._load_curves)
        self._curves_page = QWidget()
        self._no_curves = QLabel("Curves appear with the first steps of a training.")
        self._no_curves.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._no_curves.setWordWrap(True)
        page = QVBoxLayout(self._curves_page)
        page.setContentsMargins(0, 0, 0, 0)
        page.addWidget(self._no_curves)
        self.tabs = QTabWidget()
        self.tabs.addTab(self._curves_page, "Curves")
        self.tabs.addTab(self.log, "Log")
        self._lay_out()
        self.table.valueChanged.connect(self.selected)
        self.set_actions(frozenset())

    def set_empty(self, empty: bool) -> None:
        """Say what to do first, instead of an empty table."""
        self.empty.setVisible(empty)
        self.table.setVisible(not empty)
        self._below.setVisible(not empty)

    def set_actions(self, allowed: frozenset[str]) -> None:
        """Allow these buttons."""
        for name, button in self.buttons.items():
            button.setEnabled(name in allowed)
        # A job that waits is not stopped, it is taken back.
        self._queue.setVisible("back" in allowed)

    def set_trouble(self, text: str) -> None:
        """Say why the job failed and what to do; an empty text says nothing."""
        self.trouble.setText(text)
        self.trouble.setVisible(bool(text))

    def set_curves(self, losses: Points, scores: Points) -> None:
        """Show these curves; the library that draws them is loaded when there is first something to draw."""
        self._points = (losses, scores)
        if self.curves is not None:
            self.curves.setValue(losses, scores)
        elif losses or scores:
            self._loading.start()

    def _load_curves(self) -> None:
        if self.curves is None:
            from .curves import Curves

            self.curves = Curves()
            self._no_curves.hide()
            layout = self._curves_page.layout()
            assert layout is not None
            layout.addWidget(self.curves)
        self.curves.setValue(*self._points)

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setSpacing(4)
        others = [button for name, button in self.buttons.items() if name not in _OF_QUEUE]
        for number, button in enumerate(others):
            grid.addWidget(button, number // 4, number % 4)
        row = QHBoxLayout(self._queue)
        row.setContentsMargins(0, 0, 0, 0)
        for name in _OF_QUEUE:
            row.addWidget(self.buttons[name])
        self._below = QWidget()
        below = QVBoxLayout(self._below)
        below.setContentsMargins(0, 0, 0, 0)
        below.addWidget(self.trouble)
        below.addWidget(self._queue)
        below.addLayout(grid)
        below.addWidget(self.tabs, 1)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self.table)
        splitter.addWidget(self._below)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([150, 350])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.empty)
        layout.addWidget(splitter, 1)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        style = self.style()
        assert style is not None
        self.buttons["open"].setIcon(style.standardIcon(QStyle.StandardPixmap.SP_DirOpenIcon))
