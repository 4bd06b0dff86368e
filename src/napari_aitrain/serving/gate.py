"""How many requests are taken at once: a bounded number, one of them computed; the rest hears that it is busy."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")
_LONGEST = 30


class BusyError(Exception):
    """There is no room.

    Parameters
    ----------
    seconds : int
        After which to ask again.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Gone(Exception):
    """Who asked has hung up."""


class Gate:
    """Lets requests in; to be used by one event loop.

    Parameters
    ----------
    waiting : int
        How many may be in beside the one that is computed. Being in lasts from before the body is read until the
        answer has been taken, so that memory is bounded.
    patience : float
        Seconds after which work that has not begun is dropped.
    """

    def __init__(self, waiting: int, patience: float = 40.0) -> None:
        self.patience = patience
        self.most = waiting + 1
        self.inside = 0
        self.served = 0
        self.refused = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._mean = 1.0

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Be inside for the block.

        Raises
        ------
        BusyError
            If there is no room.
        """
        if self.inside >= self.most:
            raise self._busy()
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1

    async def compute(self, work: Callable[[], T], gone: Callable[[], asyncio.Future[None]]) -> T:
        """Do work in the thread of the model, in the order of asking.

        Parameters
        ----------
        work : callable
            What to compute.
        gone : callable
            Gives what ends when nobody waits for it any more; work that has not begun is dropped then.

        Raises
        ------
        Gone
            If nobody waits for it any more.
        BusyError
            If its turn did not come in time.
        """
        began = threading.Event()
        asked = asyncio.get_running_loop().run_in_executor(self._pool, self._timed, work, began)
        left = gone()
        both: set[asyncio.Future[Any]] = {asked, left}
        try:
            done, _ = await asyncio.wait(both, timeout=self.patience, return_when=asyncio.FIRST_COMPLETED)
            if not done and began.is_set():
                done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if asked not in done:
                asked.cancel()
                raise Gone if left in done else self._busy()
            self.served += 1
            return asked.result()
        finally:
            left.cancel()

    def close(self) -> None:
        """Drop what has not begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _busy(self) -> BusyError:
        self.refused += 1
        return BusyError(min(_LONGEST, max(1, math.ceil(self._mean * self.inside / 2))))

    def _timed(self, work: Callable[[], T], begun: threading.Event) -> T:
        begun.set()
        began = time.monotonic()
        try:
            return work()
        finally:
            self._mean += 0.2 * (time.monotonic() - began - self._mean)
