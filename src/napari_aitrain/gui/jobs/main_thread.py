"""From a thread to the main thread, in order and without polling."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, Qt, Signal, Slot  # type: ignore[attr-defined]


class MainThread(QObject):
    """Runs functions on the thread that made it, as soon as its event loop turns."""

    _posted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._open = True
        self._posted.connect(self._run, Qt.ConnectionType.QueuedConnection)

    def post(self, function: Callable[[], None]) -> None:
        """Have a function run later on; from any thread. After `close` nothing is run."""
        if self._open:
            self._posted.emit(function)

    def close(self) -> None:
        """Drop what has not run yet."""
        self._open = False

    @Slot(object)  # type: ignore[untyped-decorator, unused-ignore]
    def _run(self, function: Callable[[], None]) -> None:
        if self._open:
            function()
