"""Starting a worker process, talking to it, and ending it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import psutil

from ..errors import JobError
from ..home import home
from ..volumes.atomic import storage_errors
from .bell import Ear
from .environment import set_threads
from .events import ENDED, EventLog, EventTail, State, told_state
from .folder import JobFolder
from .following import use_of
from .inbox import STOP, Message
from .lock import Lock, living_owner
from .queue import expect

GRACE = 5.0
SAVING = 120.0
_POLL = 0.05


def _never() -> bool:
    return False


class Worker:
    """A worker process of this program.

    Parameters
    ----------
    job : JobFolder, optional
        What to run; without one the worker is warm: it imports torch and waits for `run`.
    at_once : bool
        Whether to run beside other jobs instead of waiting for them.
    beside_window : bool
        Whether to leave a core to a window.
    notify : bool
        Whether the worker wakes `wait_news` at each event.
    processes : int
        How many processes train together on this machine; torchrun starts several.
    """

    _given_at, _used = 0, False

    def __init__(
        self,
        job: JobFolder | None = None,
        *,
        at_once: bool = False,
        beside_window: bool = False,
        notify: bool = False,
        processes: int = 1,
    ) -> None:
        self._given(job)
        command = [sys.executable, "-m", *_torchrun(processes), "napari_aitrain.jobs.worker"]
        command += ["--warm"] if job is None else [str(job.path)]
        command += ["--at-once"] * at_once + ["--beside-window"] * beside_window
        command += ["--notify"] * notify
        environment = dict(os.environ)
        set_threads(environment, beside_window=beside_window, processes=processes)
        output = home() / "worker.log" if job is None else job.log
        with storage_errors(output):
            output.parent.mkdir(parents=True, exist_ok=True)
            with open(output, "ab") as file:
                self.process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE if notify else file,
                    stderr=file,
                    env=environment,
                    **_own_session(),
                )
        self._ear = Ear(self.process.stdout.fileno()) if self.process.stdout is not None else None

    @property
    def alive(self) -> bool:
        """Whether the process lives."""
        return self.process.poll() is None

    @property
    def idle(self) -> bool:
        """Whether the worker can take a job."""
        return self.alive and (self.job is None or not (self.working() or self._uses()))

    def working(self) -> bool:
        """Whether the worker has not yet ended its job; also true before it has taken it up."""
        if self.job is None or not self.alive:
            return False
        owner = living_owner(self.job.path)
        if owner is not None and owner.pid == self.process.pid:
            return True
        # What became of the job before it was given to this worker, or with another one later, does not matter.
        since = (event for event in self.job.events() if event.seq > self._given_at)
        return not any(told_state([event]) in ENDED for event in since)

    def _uses(self) -> bool:
        """Whether it goes on with the prediction that follows its job."""
        use = None if self.job is None or self._used else use_of(self.job)
        owner = None if use is None else living_owner(use.path)
        uses = use is not None and (
            told_state(use.events()) == "queued" if owner is None else owner.pid == self.process.pid
        )
        self._used = not uses
        return uses

    def run(self, job: JobFolder, *, at_once: bool = False) -> None:
        """Give a job to a warm worker.

        Raises
        ------
        JobError
            If it has gone or has another job.
        """
        if not self.idle:
            raise JobError("the worker has a job", "an idle worker", "start another worker")
        self._given(job)
        self.send({"run": str(job.path), "at_once": at_once})

    def _given(self, job: JobFolder | None) -> None:
        self.job, self._used = job, False
        events = [] if job is None else job.events()
        self._given_at = events[-1].seq if events else 0
        if job is not None:
            expect(job)

    def send(self, message: Message) -> None:
        """Send a control message.

        Raises
        ------
        JobError
            If the process has gone.
        """
        try:
            assert self.process.stdin is not None
            self.process.stdin.write(json.dumps(message).encode("utf-8") + b"\n")
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError, OSError) as error:
            raise JobError("the worker has gone", "a running worker", "resume the job") from error

    def wait_news(self, timeout: float) -> bool:
        """Wait until the worker has written an event or has gone; return False after `timeout` seconds.

        For one thread at a time. Without `notify` it only waits.
        """
        if self._ear is None:
            time.sleep(timeout)
            return False
        return self._ear.wait(timeout)

    def wake(self) -> None:
        """End `wait_news` in another thread."""
        if self._ear is not None:
            self._ear.wake()

    def stop(self, grace: float = GRACE, given_up: Callable[[], bool] = _never) -> State | None:
        """Ask for a checkpoint and an end; kill the process if it gives no sign of life for `grace` seconds.

        Parameters
        ----------
        grace : float
            Seconds without a sign of life.
        given_up : callable
            Whether not to wait any longer; the process then ends by itself.

        Returns
        -------
        str or None
            The state of its job.
        """
        with contextlib.suppress(JobError):
            self.send(STOP)
        if self.job is None:
            self.close()
            return None
        _await_end(self.job, grace, given_up)
        return self.job.state()

    def kill(self) -> None:
        """End the process, and those that it started, at once."""
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(self.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    process.kill()
        self.process.kill()

    def close(self) -> None:
        """End the process and collect it; a job it may have is interrupted."""
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        if self.job is None or self.working():
            self.kill()
        self.process.wait()
        if self._ear is not None and self.process.stdout is not None:
            self._ear.join()
            self.process.stdout.close()

    def discard(self) -> None:
        """End a process that has nothing to do, at once."""
        self.process.kill()
        self.close()


def stop_job(job: JobFolder, grace: float = GRACE, given_up: Callable[[], bool] = _never) -> State:
    """Stop a job from any process: its model and a checkpoint are kept.

    Parameters
    ----------
    job : JobFolder
        One that nothing runs is only marked as stopped if it was queued.
    grace : float
        Seconds without a sign of life after which the worker is killed.
    given_up : callable
        Whether not to wait any longer; the worker then ends by itself.

    Raises
    ------
    JobError
        If it runs on another machine and does not answer.
    """
    if living_owner(job.path) is None:
        if job.state() == "queued":
            with Lock(job.path):
                EventLog(job.path).emit("state", state="stopped")
        return job.state()
    job.send(STOP)
    _await_end(job, grace, given_up)
    return job.state()


def _await_end(job: JobFolder, grace: float, given_up: Callable[[], bool]) -> None:
    # Once its last checkpoint is safe, fitting the scores and saving the model may take longer.
    tail, deadline = EventTail(job.path), time.monotonic() + grace
    tail.read()
    while (owner := living_owner(job.path)) is not None and not given_up():
        for event in tail.read():
            grace = max(grace, SAVING) if event.kind == "checkpoint" else grace
            deadline = time.monotonic() + grace
        if time.monotonic() > deadline:
            process = owner.process()
            if process is None and not owner.here:
                raise JobError(
                    f"{job.name} runs on {owner.host} and does not answer",
                    "a job on this machine",
                    f"stop it on {owner.host}",
                )
            with contextlib.suppress(psutil.Error):
                if process is not None:
                    process.kill()
        time.sleep(_POLL)


def _torchrun(processes: int) -> list[str]:
    if processes == 1:
        return []
    return ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m"]


def _own_session() -> dict[str, Any]:
    # Ctrl-C in a terminal reaches every process of its group; the worker is to be told in words.
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}
