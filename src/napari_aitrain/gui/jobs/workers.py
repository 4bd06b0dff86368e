"""Worker processes of a window: a warm one ahead of need, and one more for each further job."""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import JobError, TaskScriptError
from ...jobs import JobFolder, PredictConfig, Worker, measure
from ...jobs.failure import as_error
from ...jobs.inbox import Message
from ...jobs.predict_config import predict_config_to_yaml
from ...models.folder import read_card
from ...tasks import is_foreign
from ...training.config import TrainConfig
from ...training.config_file import config_to_yaml

if TYPE_CHECKING:
    from ...training.estimate import Estimate

_POLL = 0.05
_ANSWER = 120.0


class Workers:
    """Gives jobs to processes; every method may be called from any thread.

    Parameters
    ----------
    make : callable
        Makes a `Worker`; it is given what `Worker` takes.
    """

    def __init__(self, make: Callable[..., Worker] = Worker) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._warm: Worker | None = None
        self._all: list[Worker] = []
        self._closed = False

    def prewarm(self) -> Worker | None:
        """Start a worker that waits for a job, unless there is one; return the one that waits.

        Raises
        ------
        StorageError
            If its log cannot be written.
        """
        with self._lock:
            if self._closed:
                return None
            self._forget_dead()
            if self._warm is None:
                self._warm = self._make(beside_window=True, notify=True)
                self._all.append(self._warm)
            return self._warm if self._warm.idle else None

    def run(self, job: JobFolder, *, at_once: bool = False) -> Worker:
        """Give a job to the warm worker, or to a new one while that is busy.

        Raises
        ------
        JobError
            If the window is closing.
        StorageError
            If the job's log cannot be written.
        """
        with self._lock:
            if self._closed:
                raise JobError("the window is closing", "an open window", "start the job again")
            self._forget_dead()
            # Other people's code is not let into a process that is used again.
            if self._warm is not None and self._warm.idle and not job.runs_code:
                with contextlib.suppress(JobError):
                    self._warm.run(job, at_once=at_once)
                    return self._warm
                self._warm = None
            worker = self._make(job, at_once=at_once, beside_window=True, notify=True)
            self._all.append(worker)
            return worker

    def of(self, job: JobFolder) -> Worker | None:
        """Return the worker that has a job, and not one that had it before."""
        with self._lock:
            for worker in self._all:
                if worker.job is not None and worker.job.path == job.path and worker.working():
                    return worker
        return None

    def forget(self, job: JobFolder) -> None:
        """Take a worker whose job was deleted as one without a job."""
        with self._lock:
            for worker in self._all:
                if worker.job is not None and worker.job.path == job.path:
                    worker.job = None

    def estimate(self, config: TrainConfig, cancelled: Callable[[], bool]) -> Estimate | None:
        """Have the warm worker take a few real steps; see `measure`. Other people's code is not measured."""
        if is_foreign(config.task):
            raise TaskScriptError("the task is other people's code, which is first run when the training starts")
        told = self.measure(config_to_yaml(config), cancelled)
        if told is None:
            return None
        # Its module imports much of the core: not before it is needed.
        from ...training.estimate import Estimate

        return Estimate(**told)

    def estimate_prediction(self, config: PredictConfig, cancelled: Callable[[], bool]) -> dict[str, Any] | None:
        """Have the warm worker look at what is to be predicted; see `measure`."""
        if is_foreign(read_card(config.model).task):
            raise TaskScriptError("the model's task is other people's code, first run when the prediction starts")
        return self.measure(predict_config_to_yaml(config), cancelled)

    def measure(self, config: str, cancelled: Callable[[], bool]) -> dict[str, Any] | None:
        """Have the warm worker measure a job; return None if it is busy or the answer is not wanted any more.

        Raises
        ------
        AitrainError
            If the job cannot start.
        """
        with tempfile.TemporaryDirectory(prefix="aitrain-", ignore_cleanup_errors=True) as place:
            asked, answer = Path(place) / "job.yaml", Path(place) / "estimate.json"
            asked.write_text(config, encoding="utf-8")
            worker = self.prewarm()
            if worker is None:
                return None
            worker.send(measure(asked, answer))
            end = time.monotonic() + _ANSWER
            while not answer.exists():
                if cancelled() or not worker.idle or time.monotonic() > end:
                    return None
                time.sleep(_POLL)
            told: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        if told.get("error") == "Cancelled":
            return None
        if "error" in told:
            raise as_error(told)
        return told

    def send(self, job: JobFolder, message: Message) -> None:
        """Send a message to whoever runs a job: this window's worker, or one of another process."""
        worker = self.of(job)
        if worker is None:
            job.send(message)
            return
        try:
            worker.send(message)
        except JobError:
            job.send(message)

    def close(self) -> None:
        """Let go of the processes: those without a job end, the others go on without this window."""
        with self._lock:
            self._closed = True
            for worker in self._all:
                if worker.idle:
                    worker.discard()
                elif worker.alive:
                    _let_go(worker)
                else:
                    worker.close()
            self._all, self._warm = [], None

    def _forget_dead(self) -> None:
        for worker in [worker for worker in self._all if not worker.alive]:
            worker.close()
            self._all.remove(worker)
            if worker is self._warm:
                self._warm = None


def _let_go(worker: Worker) -> None:
    """Close the pipe: the worker ends after its job."""
    if worker.process.stdin is not None:
        with contextlib.suppress(OSError):
            worker.process.stdin.close()
    # Nobody waits for it any more; without this Popen complains when it is collected.
    worker.process.returncode = 0
