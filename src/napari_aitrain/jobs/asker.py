"""Asks a worker process something, so that a window neither waits nor imports what a network needs.

A question is a folder with ``request.json``; see `answering`.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ..errors import JobError
from ..home import home
from ..volumes.atomic import storage_errors
from .answering import ANSWER, CANCEL, PROGRESS, REQUEST
from .failure import as_error
from .launch import Worker
from .lines import plain

_POLL = 0.05

T = TypeVar("T")
Cancelled = Callable[[], bool]
Progress = Callable[[int, int, str], None]


class Asker:
    """A worker process of its own, started with the first question; answers one question after the other.

    Its methods wait: they are for threads, any of them.

    Parameters
    ----------
    make : callable
        Makes a `Worker`.
    """

    def __init__(self, make: Callable[..., Worker] = Worker) -> None:
        self._make = make
        self._asking, self._owning = threading.Lock(), threading.Lock()
        self._worker: Worker | None = None
        self._closed = False

    def close(self) -> None:
        """End the process; what is being asked comes to nothing, files that are written stay."""
        with self._owning:
            self._closed = True
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.discard()

    def ask(
        self,
        kind: str,
        request: dict[str, Any],
        write: Callable[[Path], None],
        read: Callable[[Path, dict[str, Any]], T],
        cancelled: Cancelled,
        progress: Progress | None,
        wait: bool,
    ) -> T | None:
        """Ask, and wait for the answer; None if it was cancelled.

        Parameters
        ----------
        kind : str
            Which question of `answering.answer`.
        request : dict
            What is asked, as plain data.
        write : callable
            Puts what else is needed into the folder of the question.
        read : callable
            Makes something of the folder and the answer.
        cancelled : callable
            Whether nobody wants to know any more.
        progress : callable, optional
            Called with what is done, what there is in all, and a name.
        wait : bool
            Whether to wait after a cancel until the worker has ended what it does.

        Raises
        ------
        AitrainError
            If it cannot be done, or the worker has gone.
        """
        with self._asking, tempfile.TemporaryDirectory(prefix="aitrain-", ignore_cleanup_errors=True) as name:
            place = Path(name)
            worker = None if cancelled() else self._at_work()
            if worker is None:
                return None
            with storage_errors(place):
                write(place)
            (place / REQUEST).write_text(json.dumps(plain({"kind": kind, **request})), encoding="utf-8")
            worker.send({"question": str(place)})
            while not (place / ANSWER).exists():
                if not worker.alive:
                    self._gone()
                    return None
                if cancelled():
                    (place / CANCEL).touch()
                    if not wait:
                        return None
                if progress is not None:
                    _tell(place / PROGRESS, progress)
                worker.wait_news(_POLL)
            told = json.loads((place / ANSWER).read_text(encoding="utf-8"))
            if "error" in told:
                raise as_error(told)
            return None if told.get("cancelled") and "images" not in told else read(place, told)

    def _at_work(self) -> Worker | None:
        with self._owning:
            if self._closed:
                return None
            if self._worker is None or not self._worker.alive:
                if self._worker is not None:
                    self._worker.close()
                self._worker = self._make(beside_window=True, notify=True)
            return self._worker

    def _gone(self) -> None:
        if not self._closed:
            raise JobError(
                "the process that was to answer has gone",
                "a process that runs; perhaps there was too little memory",
                f"try it again, or a smaller part; {home() / 'worker.log'} may say more",
            )


def _tell(path: Path, progress: Progress) -> None:
    # Not there yet, or on Windows just being replaced.
    with contextlib.suppress(OSError, ValueError):
        told = json.loads(path.read_text(encoding="utf-8"))
        progress(told["done"], told["total"], told["name"])
