"""Work that may take long, such as asking a server, beside the main thread; answered on it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from ..errors import AitrainError
from .jobs.main_thread import MainThread

T = TypeVar("T")


class Aside(Generic[T]):
    """Runs functions in threads; what comes after `close` is dropped.

    Nothing can break off a request to a server, so that nobody waits for these threads.
    """

    def __init__(self) -> None:
        self._main = MainThread()

    def run(
        self,
        work: Callable[[], T],
        then: Callable[[T], None],
        failed: Callable[[AitrainError], None] = lambda _error: None,
    ) -> None:
        """Have `work` done, and `then` called with its result, or `failed` with its error, on the main thread."""

        def answer() -> None:
            try:
                result = work()
            except AitrainError as error:
                self._main.post(lambda error=error: failed(error))  # type: ignore[misc]
            else:
                self._main.post(lambda: then(result))

        threading.Thread(target=answer, name="napari-aitrain-aside", daemon=True).start()

    def close(self) -> None:
        """Drop what has not been answered yet."""
        self._main.close()
