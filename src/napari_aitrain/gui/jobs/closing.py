"""What becomes of running jobs when the window is closed: a person decides, and sees what is waited for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMessageBox, QWidget

from .waiting import wait_until_prepared, wait_until_stopped

if TYPE_CHECKING:
    from .center import JobCenter


class CloseQuestion(QObject):
    """Asks, when a person closes a window while jobs run: keep running, stop, or cancel.

    A script that closes the window is not asked, since nobody may be there to answer: its jobs keep running.

    Parameters
    ----------
    window : QWidget
        The main window; owns this object.
    center : JobCenter
        The jobs.
    ending : mapping to str, optional
        What would end with the window, a sentence each; asked for when it is closed.
    """

    def __init__(self, window: QWidget, center: JobCenter, ending: Mapping[object, str] | None = None) -> None:
        super().__init__(window)
        self._window, self._center, self._ending = window, center, {} if ending is None else ending
        self._from_menu = False
        self._close: Any = window.close
        # Events of a menu and of a script are alike, but napari's menu asks its window to have the person confirm.
        of_napari: Any = window
        of_napari.close = self._note_menu
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Stop the event if the person cancels."""
        if watched is not self._window or event is None or event.type() != QEvent.Type.Close:
            return False
        running = self._center.running()
        if not (event.spontaneous() or self._from_menu):
            return False
        if self._ending and not may_end(self._window, self._ending.values()):
            event.ignore()
            return True
        if not running:
            return False
        answer = ask(self._window, [job.name for job in running])
        if answer == "cancel":
            event.ignore()
            return True
        if answer == "stop":
            for job in running:
                self._center.stop(job)
            wait_until_stopped(self._window, self._center)
        else:
            wait_until_prepared(self._window, self._center)
        return False

    def _note_menu(self, *args: Any, **options: Any) -> Any:
        self._from_menu = bool(options.get("confirm_need"))
        try:
            return self._close(*args, **options)
        finally:
            self._from_menu = False


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


def may_end(window: QWidget, sentences: Collection[str]) -> bool:
    """Return whether a person wants the window to close, and what runs in it to end."""
    box = QMessageBox(window)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("Something is not finished")
    box.setText(" ".join(sentences))
    box.setInformativeText("It ends with the window. What is written by then stays.")
    close = box.addButton("Close napari", QMessageBox.ButtonRole.AcceptRole)
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.exec()
    return bool(box.clickedButton() == close)
