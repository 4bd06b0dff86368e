"""The jobs of this window: started, followed and steered; free of widgets, usable without any dock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from ...errors import AitrainError
from ...jobs import PAUSE, RESUME, EvaluateConfig, Event, JobFolder, PredictConfig, Worker, stop_job
from ...jobs.folder import Kind
from ...jobs.inbox import Message
from ...jobs.lock import living_owner
from ...jobs.queue import move as move_in_queue
from ...training.config import TrainConfig
from ..notify import report, reported
from .digest import Digest
from .follower import FollowThread, News
from .job_list import JobList, KnownJob
from .main_thread import MainThread
from .places import earlier_jobs, new_folder
from .troubles import what_is_wrong
from .workers import Workers

if TYPE_CHECKING:
    from ...training.estimate import Estimate


class JobCenter(JobList):
    """What runs, what waits and what has ended. All signals come on the main thread.

    Parameters
    ----------
    make_worker : callable
        Makes a worker process; tests give one that misbehaves.

    Signals
    -------
    added : JobFolder
        A job was started, or found again.
    event : JobFolder, Event
        Something that a job said since it is followed.
    changed : JobFolder
        Its state changed.
    removed : Path
        A job's folder was deleted.
    failed : str, AitrainError
        A job that could not be started or failed: its name, and why. It was reported already.
    closed
        The session ends: let go of threads.
    """

    added = Signal(JobFolder)
    event = Signal(JobFolder, Event)
    changed = Signal(JobFolder)
    removed = Signal(Path)
    failed = Signal(str, AitrainError)
    closed = Signal()

    def __init__(self, make_worker: Callable[..., Worker] = Worker) -> None:
        super().__init__()
        self._main = MainThread()
        self._workers = Workers(make_worker)
        self._threads: list[threading.Thread] = []
        self._closed = False
        self.keep_running = True
        """Whether `close` leaves running jobs alone; else they stop, and are killed if they do not."""
        self._in_thread("find jobs", self._find)

    def prewarm(self) -> None:
        """Have a worker import what it needs before it is needed; returns at once."""
        self._in_thread("warm worker", self._workers.prewarm)

    def estimate(self, config: TrainConfig, cancelled: Callable[[], bool]) -> Estimate | None:
        """Have the warm worker measure what a training will take; for a thread of the caller's, because it waits.

        Returns
        -------
        Estimate or None
            None while the worker has a job, or once `cancelled` returns True.

        Raises
        ------
        AitrainError
            If the training cannot start.
        """
        return self._workers.estimate(config, lambda: self._closed or cancelled())

    def estimate_prediction(self, config: PredictConfig, cancelled: Callable[[], bool]) -> dict[str, Any] | None:
        """Have the warm worker say ``seconds``, ``bytes_needed`` and more of a prediction; otherwise as `estimate`."""
        return self._workers.estimate_prediction(config, lambda: self._closed or cancelled())

    def start(self, config: TrainConfig, folder: Path | None = None, at_once: bool = False) -> JobFolder:
        """Write a job and run it; returns at once, and `failed` tells if it cannot be started.

        Parameters
        ----------
        config : TrainConfig
            What is to be trained.
        folder : Path, optional
            New or empty; else one is made in the folder of the preferences.
        at_once : bool
            Whether to run beside other jobs instead of after them.
        """
        return self._start(config.name, lambda place: JobFolder.create(config, place), folder, at_once)

    def start_prediction(self, config: PredictConfig, folder: Path | None = None, at_once: bool = False) -> JobFolder:
        """Write a job that runs a model on an image, and run it; as `start`."""
        name = f"{config.image.stem} prediction"
        return self._start(name, lambda to: JobFolder.create_prediction(config, to), folder, at_once, "prediction")

    def start_evaluation(self, config: EvaluateConfig, folder: Path | None = None, at_once: bool = False) -> JobFolder:
        """Write a job that says how good a model is, and run it; as `start`."""
        name = f"{config.name} evaluation"
        return self._start(name, lambda to: JobFolder.create_evaluation(config, to), folder, at_once, "evaluation")

    def stop(self, job: JobFolder) -> None:
        """Stop a job: its model and a checkpoint are kept. A worker that does not answer is killed."""
        known = self._known[job.path]
        known.cancelled = True
        if not known.preparing:
            self._in_thread(f"stop {job.name}", lambda: self._stop(job))

    def pause(self, job: JobFolder) -> None:
        """Have a job wait; the memory it has stays taken."""
        self.send(job, PAUSE)

    def resume(self, job: JobFolder) -> None:
        """Go on with a job that is paused, or that was stopped, interrupted or failed."""
        known = self._known[job.path]
        if known.state == "paused":
            self.send(job, RESUME)
        elif known.thread is None:
            self._follow(known, lambda: self._again(job))

    def send(self, job: JobFolder, message: Message) -> None:
        """Send a control message to whoever runs the job."""
        with reported():
            self._workers.send(job, message)

    def move(self, job: JobFolder, places: int) -> None:
        """Move a job that waits for its turn; below 0 forward."""
        with reported():
            for one in move_in_queue(job, places):
                if one.path in self._known:
                    self.changed.emit(one)

    def remove(self, job: JobFolder) -> None:
        """Stop a job if it runs, and delete what it wrote, its model too."""
        known = self._known[job.path]
        known.cancelled = True

        def remove() -> None:
            self._stop(job)
            if known.thread is not None:
                known.thread.join()
            job.remove()
            self._workers.forget(job)
            self._main.post(lambda: self._removed(job.path))

        self._in_thread(f"remove {job.name}", remove)

    def close(self) -> None:
        """Let go of threads and processes; see `keep_running` for the jobs. What is being stopped is not waited for."""
        if self._closed:
            return
        self._closed = True
        self._main.close()
        self.closed.emit()
        # One that is prepared and not wanted any more ends by itself.
        wanted = [known for known in self._known.values() if not (known.preparing and known.cancelled)]
        following = [known.thread for known in wanted if known.thread is not None]
        if not self.keep_running:
            for known in self._known.values():
                known.cancelled = True
            for thread in following:
                self._threads.append(threading.Thread(target=self._stop, args=(thread.job,), daemon=True))
                self._threads[-1].start()
        for thread in following:
            thread.close()
        for each in [*self._threads, *following]:
            each.join()
        for known in self._known.values():
            known.thread = None
        self._workers.close()

    def _start(
        self,
        name: str,
        create: Callable[[Path], Any],
        folder: Path | None,
        at_once: bool = False,
        kind: Kind = "training",
    ) -> JobFolder:
        job = JobFolder(new_folder(name, self._known) if folder is None else Path(folder).absolute())
        known = self._known[job.path] = KnownJob(job, begun=time.time(), preparing=True, kind=kind)

        def begin() -> Worker | None:
            create(job.path)
            self._main.post(lambda: self._prepared(known))
            if known.cancelled:
                stop_job(job)
                return None
            return self._workers.run(job, at_once=at_once)

        self.added.emit(job)
        self._follow(known, begin)
        return job

    def _again(self, job: JobFolder) -> Worker:
        # Read here, so that one that cannot be run is told before a worker has it.
        job.settings()
        job.enqueue()
        return self._workers.run(job)

    def _follow(self, known: KnownJob, begin: Callable[[], Worker | None] | None) -> None:
        known.cancelled = False
        known.thread = FollowThread(known.job, lambda news: self._main.post(lambda: self._told(known, news)), begin)
        known.thread.start()

    def _prepared(self, known: KnownJob) -> None:
        known.preparing = False
        self.changed.emit(known.job)

    def _told(self, known: KnownJob, news: News) -> None:
        before = known.state
        if news.digest is not None:
            known.events, known.digest = list(news.history), news.digest
        known.events.extend(news.events)
        for event in news.events:
            known.digest.take(event)
        known.state = news.state
        if news.over:
            known.thread, known.preparing = None, False
        if news.error is not None and not known.job.path.is_dir():
            del self._known[known.job.path]
        for event in news.events:
            self.event.emit(known.job, event)
            if event.kind == "done" and isinstance(event.data.get("then"), str):
                self._take_up(JobFolder(Path(event.data["then"])))
        if news.state != before or news.over or news.digest is not None:
            self.changed.emit(known.job)
        if news.error is not None and known.job.path not in self._known:
            self.removed.emit(known.job.path)
        trouble = what_is_wrong(known.job, news, known.cancelled)
        # A prediction that was cancelled in a long block ends without a word, and nothing is lost by it.
        if trouble is not None and not (known.kind != "training" and known.cancelled):
            report(trouble)
            self.failed.emit(known.job.name, trouble)
        if news.over and not self._closed:
            self.prewarm()

    def _take_up(self, use: JobFolder) -> None:
        """Follow the prediction with which the worker goes on after a training."""
        if use.path not in self._known and not self._closed:
            known = self._known[use.path] = KnownJob(use, begun=time.time(), kind="prediction")
            self._follow(known, None)
            self.added.emit(use)

    def _stop(self, job: JobFolder) -> None:
        def given_up() -> bool:
            return self._closed and self.keep_running

        worker = self._workers.of(job)
        worker.stop(given_up=given_up) if worker is not None else stop_job(job, given_up=given_up)

    def _removed(self, path: Path) -> None:
        self._known.pop(path, None)
        self.removed.emit(path)

    def _find(self) -> None:
        for job, state, events in earlier_jobs():
            begun = events[0].time if events else 0.0
            known = KnownJob(job, state, begun, digest=Digest(events), kind=job.kind)
            self._main.post(partial(self._found, known))

    def _found(self, known: KnownJob) -> None:
        if known.job.path in self._known:
            return
        self._known[known.job.path] = known
        if living_owner(known.job.path) is not None:
            self._follow(known, None)
        self.added.emit(known.job)

    def _in_thread(self, name: str, work: Callable[[], object]) -> None:
        def run() -> None:
            try:
                work()
            except AitrainError as error:
                self._main.post(partial(report, error))

        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(threading.Thread(target=run, name=name, daemon=True))
        self._threads[-1].start()
