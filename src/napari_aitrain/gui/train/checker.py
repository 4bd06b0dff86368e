"""Checks a training in the background: the newest question is answered, older ones are dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...errors import AitrainError
from ...training.config import TrainConfig
from ..jobs.main_thread import MainThread

if TYPE_CHECKING:
    from ...training.estimate import Estimate
    from ...training.readiness import Readiness

Measure = Callable[[TrainConfig, Callable[[], bool]], "Estimate | None"]


@dataclass(frozen=True)
class Checked:
    """An answer.

    Parameters
    ----------
    config : TrainConfig
        What was asked about.
    readiness : Readiness
        What was found.
    estimate : Estimate, optional
        Comes later, if the worker has time.
    trouble : str
        Why there is no estimate.
    """

    config: TrainConfig
    readiness: Readiness
    estimate: Estimate | None = None
    trouble: str = ""


class Checker:
    """One thread that answers what was asked last.

    Parameters
    ----------
    tell : callable
        Is given each `Checked`, on the main thread: first without, then with the estimate.
    measure : callable
        Measures a training; waits, and gives up when its second argument says so.
    """

    def __init__(self, tell: Callable[[Checked], None], measure: Measure) -> None:
        self._tell, self._measure = tell, measure
        self._main = MainThread()
        self._asked = threading.Condition()
        self._config: TrainConfig | None = None
        self._generation = 0
        self._closed = False
        self._thread: threading.Thread | None = None

    def ask(self, config: TrainConfig | None) -> None:
        """Check this training; None drops the question. What is being worked out for an older one is forgotten."""
        with self._asked:
            self._generation += 1
            self._config = config
            self._asked.notify()
        if self._thread is None and config is not None:
            self._thread = threading.Thread(target=self._run, name="readiness", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread; an answer that is being worked out is not waited for longer than it takes to notice."""
        with self._asked:
            self._closed = True
            self._generation += 1
            self._asked.notify()
        self._main.close()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._asked:
                while self._config is None and not self._closed:
                    self._asked.wait()
                if self._closed:
                    return
                config, generation = self._config, self._generation
                self._config = None
            assert config is not None
            self._answer(config, generation)

    def _answer(self, config: TrainConfig, generation: int) -> None:
        # Much of the core comes with it: imported here, not when the dock is opened.
        from ...training.readiness import check

        checked = Checked(config, check(config))
        self._say(checked, generation)
        if not checked.readiness.ready or self._old(generation):
            return
        try:
            estimate = self._measure(config, lambda: self._old(generation))
        except AitrainError as error:
            self._say(replace(checked, trouble=f"No estimate: {error.what}."), generation)
        else:
            self._say(replace(checked, estimate=estimate), generation)

    def _old(self, generation: int) -> bool:
        return self._closed or generation != self._generation

    def _say(self, checked: Checked, generation: int) -> None:
        self._main.post(lambda: None if self._old(generation) else self._tell(checked))
