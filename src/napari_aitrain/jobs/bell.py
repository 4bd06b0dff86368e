"""The bell of a worker: a byte down a pipe says that there is news in the job folder; the worker never waits for it."""

from __future__ import annotations

import contextlib
import os
import threading

_RING = b"\n"
_CHUNK = 65536


class Bell:
    """The worker's end: rings are dropped while the pipe is full, and for ever once nobody reads it.

    Parameters
    ----------
    descriptor : int
        Where to write; closed by `close`.
    blocking : bool
        Whether the system has no pipes that never block (Windows before Python 3.12): a thread waits instead.
    """

    def __init__(self, descriptor: int, blocking: bool = os.name == "nt") -> None:
        self._descriptor: int | None = descriptor
        self._rung: threading.Event | None = None
        if blocking:
            self._rung = threading.Event()
            threading.Thread(target=self._carry, args=(self._rung,), name="bell", daemon=True).start()
        else:
            os.set_blocking(descriptor, False)

    def ring(self) -> None:
        """Say that there is news."""
        if self._rung is not None:
            self._rung.set()
        else:
            self._write()

    def close(self) -> None:
        """Let go of the pipe."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        if self._rung is not None:
            self._rung.set()

    def _write(self) -> None:
        if self._descriptor is None:
            return
        try:
            os.write(self._descriptor, _RING)
        except BlockingIOError:
            return
        except OSError:
            self.close()

    def _carry(self, rung: threading.Event) -> None:
        while self._descriptor is not None:
            rung.wait()
            rung.clear()
            self._write()


class Ear:
    """The reader's end, with a thread of its own, because Windows cannot wait for a pipe with a time limit.

    Parameters
    ----------
    descriptor : int
        Read until its other end is closed; whatever comes only wakes.
    """

    def __init__(self, descriptor: int) -> None:
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._listen, args=(descriptor,), name="ear", daemon=True)
        self._thread.start()

    def wait(self, timeout: float) -> bool:
        """Return True once there is news, or False after `timeout` seconds; the end of the worker is news once."""
        if not self._news.wait(timeout):
            return False
        # What is rung between the two lines is in the folder already.
        self._news.clear()
        return True

    def wake(self) -> None:
        """End a `wait` in another thread."""
        self._news.set()

    def join(self) -> None:
        """Wait until the other end is closed."""
        self._thread.join()

    def _listen(self, descriptor: int) -> None:
        while True:
            try:
                chunk = os.read(descriptor, _CHUNK)
            except OSError:
                chunk = b""
            self._news.set()
            if not chunk:
                return
