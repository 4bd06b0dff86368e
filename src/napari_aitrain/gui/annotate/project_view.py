"""Where the work is kept, and whether all of it is: a view without knowledge."""

from __future__ import annotations

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from ..buttons import push_button


class ProjectView(QWidget):
    """The line at the bottom of the dock.

    Signals
    -------
    open_asked, retry_asked, train_asked
        The buttons.
    """

    open_asked = Signal()
    retry_asked = Signal()
    train_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.status = QLabel("Nothing to save yet.")
        self.status.setWordWrap(True)
        self.status.setToolTip("Labels and boxes are saved by themselves, every few seconds of work.")
        self.retry = push_button("Save again", "Try to save now what could not be saved.", self.retry_asked.emit)
        self.retry.hide()
        tip = "Bring back the images, ground truths and boxes of an earlier project folder."
        self.open = push_button("&Open project…", tip, self.open_asked.emit)
        tip = "Go on to the Train dock, to train on what is in the boxes."
        self.train = push_button("Train…", tip, self.train_asked.emit)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 0, 8, 4)
        layout.addWidget(self.status, 1)
        for button in (self.retry, self.open, self.train):
            layout.addWidget(button)

    def set_saved(self, when: str, folder: str) -> None:
        """Show that everything was saved."""
        self.status.setText(f"Saved at {when}")
        self.status.setToolTip(f"Labels and boxes are saved by themselves, in {folder}")
        self.retry.hide()

    def set_failed(self, why: str) -> None:
        """Show that something could not be saved."""
        self.status.setText(f"Not saved: {why}")
        self.status.setToolTip("Nothing is lost: it is in memory, and saving is tried again every few seconds.")
        self.retry.show()


class ReopenView(QWidget):
    """The offer to go on where napari ended.

    Signals
    -------
    reopen_asked, dismissed
        The buttons.
    """

    reopen_asked = Signal()
    dismissed = Signal()

    def __init__(self, text: str) -> None:
        super().__init__()
        label = QLabel(text)
        label.setWordWrap(True)
        self.reopen = push_button(
            "Reopen it", "Bring back its images, ground truths and boxes.", self.reopen_asked.emit
        )
        self.dismiss = push_button(
            "Not now", "Leave it as it is; it can be opened later with Open project…", self.dismissed.emit
        )
        buttons = QHBoxLayout()
        buttons.addWidget(self.reopen)
        buttons.addWidget(self.dismiss)
        layout = QVBoxLayout(self)
        layout.addWidget(label)
        layout.addLayout(buttons)
