"""What becomes of running jobs when the window is closed: a person decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMessageBox, QWidget

if TYPE_CHECKING:
    from .center import JobCenter


class CloseQuestion(QObject):
    """Asks, when a window is about to close while jobs run: keep running, stop, or cancel.

    Parameters
    ----------
    window : QWidget
        The main window; owns this object.
    center : JobCenter
        The jobs.
    """

    def __init__(self, window: QWidget, center: JobCenter) -> None:
        super().__init__(window)
        self._window, self._center = window, center
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Stop the event if the person cancels."""
        if watched is not self._window or event is None or event.type() != QEvent.Type.Close:
            return False
        running = self._center.running()
        if not running:
            return False
        answer = ask(self._window, [job.name for job in running])
        if answer == "cancel":
            event.ignore()
            return True
        # The center is closed with the window, not here: napari may ask whether to close as well.
        self._center.keep_running = answer == "keep"
        return False


def ask(window: QWidget, names: list[str]) -> str:
    """Return what is to be done with running jobs: ``keep``, ``stop`` or ``cancel``."""
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    box = QMessageBox(window)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Jobs are running")
    box.setText(f"{shown} {'is' if len(names) == 1 else 'are'} still running.")
    box.setInformativeText(
        "Jobs that keep running are found again in the Jobs dock when napari starts next. A training that is stopped "
        "keeps its model and can be resumed."
    )
    buttons: dict[Any, str] = {
        box.addButton("Keep running", QMessageBox.ButtonRole.AcceptRole): "keep",
        box.addButton("Stop them", QMessageBox.ButtonRole.DestructiveRole): "stop",
        box.addButton(QMessageBox.StandardButton.Cancel): "cancel",
    }
    box.exec()
    return buttons.get(box.clickedButton(), "cancel")
