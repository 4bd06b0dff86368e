"""What a person sees while a window that is closed waits for jobs: never frozen, and not for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from ...jobs import JobFolder
    from .center import JobCenter

PATIENCE = 30.0
"""Seconds after which a window closes though a job that was told to stop still saves."""

_DOING = {"queued": "leaves the queue", "stopping": "is saving its checkpoint and its model"}
_GOES_ON = (
    "napari closes as soon as this is done, and after {:.0f} s at the latest. A job that takes longer goes on saving "
    "by itself; it is in the Jobs dock when napari starts next, and can be resumed there."
)
_COPYING = "Nothing is lost: napari closes as soon as the job has all it needs to run by itself."


def wait_until_stopped(window: QWidget, center: JobCenter) -> None:
    """Wait until no job runs, while a person sees what for and may close at once; at most `PATIENCE` seconds."""
    if center.running():
        dialog = WaitDialog(window, center, center.running, _GOES_ON.format(PATIENCE))
        dialog.close_now.show()
        dialog.end_after(PATIENCE)
        dialog.wait()


def wait_until_prepared(window: QWidget, center: JobCenter) -> None:
    """Wait until no job needs this window any more: the folders of all are written."""

    def preparing() -> list[JobFolder]:
        return [job for job in center.running() if center.preparing(job)]

    if preparing():
        WaitDialog(window, center, preparing, _COPYING).wait()


class WaitDialog(QDialog):
    """Says which jobs are waited for and what they are doing.

    Parameters
    ----------
    window : QWidget
        That is being closed; it cannot be used meanwhile.
    center : JobCenter
        Whose jobs they are.
    waited_for : callable
        Returns those that are still to be waited for.
    what_then : str
        What happens next.
    """

    def __init__(
        self, window: QWidget, center: JobCenter, waited_for: Callable[[], list[JobFolder]], what_then: str
    ) -> None:
        super().__init__(window)
        self._center, self._waited_for = center, waited_for
        self.setWindowTitle("Closing")
        self.setWindowFlag(Qt.WindowType.WindowCloseButtonHint, False)
        self.text = QLabel()
        self.text.setWordWrap(True)
        bar = QProgressBar()
        bar.setRange(0, 0)
        bar.setAccessibleName("Waiting")
        then = QLabel(what_then)
        then.setWordWrap(True)
        buttons = QDialogButtonBox()
        self.close_now = QPushButton("Close now")
        buttons.addButton(self.close_now, QDialogButtonBox.ButtonRole.AcceptRole)
        self.close_now.setToolTip("Do not wait: the job was told to stop, and does so by itself.")
        self.close_now.hide()
        buttons.accepted.connect(self.accept)
        layout = QVBoxLayout(self)
        for widget in (self.text, bar, then, buttons):
            layout.addWidget(widget)
        self.setMinimumWidth(380)

    def end_after(self, seconds: float) -> None:
        """End waiting after a time, whatever is still waited for."""
        # A timer of its own: it must not outlive the dialog.
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(self.accept)
        timer.start(round(1000 * seconds))

    def wait(self) -> None:
        """Show the dialog until nothing is waited for any more."""
        signals = (self._center.changed, self._center.removed)
        for signal in signals:
            signal.connect(self._update)
        self._update()
        self.exec()
        for signal in signals:
            signal.disconnect(self._update)
        self.deleteLater()

    def reject(self) -> None:
        """Leave Escape without effect: what happens next must not depend on a key pressed by mistake."""

    def _update(self, *_about: object) -> None:
        jobs = self._waited_for()
        self.text.setText("\n".join(f"{job.name} {self._doing(job)}." for job in jobs))
        if not jobs:
            # Not before `exec` has begun.
            self.end_after(0)

    def _doing(self, job: JobFolder) -> str:
        if self._center.preparing(job):
            return "is being prepared: its boxes are copied"
        return _DOING.get(self._center.state(job), "ends its last step")
