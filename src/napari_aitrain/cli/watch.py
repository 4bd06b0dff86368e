"""A bar for work in this process, which Ctrl-C ends at the next block instead of in the middle of one."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


class Watch:
    """What long work is given: `progress` to call and `cancelled` to ask."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar, self._task = bar, task
        self._cancelled = threading.Event()

    def progress(self, finished: int, total: int, what: str) -> None:
        """Show how much is finished."""
        self._bar.update(self._task, completed=finished, total=total, description=what.capitalize())

    def cancelled(self) -> bool:
        """Return whether the person pressed Ctrl-C."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Ask the work to end."""
        self._cancelled.set()


@contextlib.contextmanager
def watched(console: Console, what: str) -> Iterator[Watch]:
    """Show a bar while the block runs; the first Ctrl-C or SIGTERM only cancels, the second interrupts."""
    from rich.progress import Progress

    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        watch = Watch(bar, bar.add_task(what, total=None))
        if threading.current_thread() is not threading.main_thread():
            yield watch
            return

        def on_signal(_number: int, _frame: FrameType | None) -> None:
            if watch.cancelled():
                raise KeyboardInterrupt
            watch.cancel()

        before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield watch
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
