"""The worker: a process that runs one job folder at a time.

``python -m napari_aitrain.jobs.worker FOLDER`` runs a job and ends. With ``--warm`` it gets ready ahead of need
and waits for ``{"run": FOLDER}`` on its standard input; it takes the next one only when it is idle again.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gc
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..errors import AitrainError, StorageError
from ..tasks.code import allow_code
from ..training.config import TrainConfig
from ..training.config_file import config_to_yaml
from ..training.distributed_place import place_here
from ..volumes.atomic import atomic_write_text
from .bell import Bell
from .environment import output_to, set_threads, threads
from .evaluate_config import EvaluateConfig
from .events import ENDED, EventLog, told_state
from .failure import describe
from .folder import CONFIG, CONTROL, RESERVE, JobFolder
from .following import follow_with_use, use_of
from .inbox import STOP, Inbox, Message
from .lock import Lock
from .measuring import answer
from .predict_config import PredictConfig
from .queue import arrived, wait_for_turn
from .ranks import follow_job, meeting_here, refuse_processes, team_of

if TYPE_CHECKING:
    from ..training.distributed_meeting import Meeting

_RESERVE_BYTES = 65536


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the worker; return 0 when the job ended well or was stopped, 1 when it failed."""
    parser = argparse.ArgumentParser(prog="python -m napari_aitrain.jobs.worker", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="the job to run")
    parser.add_argument("--warm", action="store_true", help="get ready and wait for jobs on standard input")
    parser.add_argument("--at-once", action="store_true", help="do not wait until other jobs have ended")
    parser.add_argument("--beside-window", action="store_true", help="leave a core to the window")
    parser.add_argument("--notify", action="store_true", help="write a byte to standard output at each event")
    options = parser.parse_args(arguments)
    if (options.folder is None) != options.warm:
        parser.error("give a job folder, or --warm")
    set_threads(os.environ, beside_window=options.beside_window)
    allow_code()
    place = place_here()
    if place is not None and not place.leads:
        return follow_job(options.folder, place)
    bell = _take_standard_output() if options.notify else None
    faulthandler.enable()
    inbox = Inbox()
    _stop_on_signals(inbox)
    if options.warm:
        return _serve(inbox, bell)
    try:
        job = JobFolder.open(options.folder)
        with meeting_here() as meeting:
            code = run_job(job, inbox, wait=not options.at_once, bell=bell, meeting=meeting)
        return code or run_use(job, inbox, bell)
    except AitrainError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _take_standard_output() -> Bell:
    """Keep the standard output for the bell; what is printed goes where errors go."""
    sys.stdout.flush()
    bell = Bell(os.dup(1))
    os.dup2(2, 1)
    return bell


def _stop_on_signals(inbox: Inbox) -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        inbox.put(STOP)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def _serve(inbox: Inbox, bell: Bell | None = None) -> int:
    import torch

    from ..training.warm_up import warm_up

    warm_up()
    while not inbox.closed.is_set():
        message = inbox.wait(1.0)
        if message is not None and message.get("kind") == "stop":
            return 0
        if message is not None and "measure" in message:
            answer(Path(message["measure"]), Path(message["to"]), lambda: inbox.waiting)
            if bell is not None:
                bell.ring()
        if message is not None and "question" in message:
            from .answering import answer as say

            say(Path(message["question"]), inbox.closed.is_set, lambda: None if bell is None else bell.ring())
        if message is None or "run" not in message:
            continue
        # After a failure memory and device may be in any state: a new process is safer.
        job = JobFolder.open(Path(message["run"]))
        if run_job(job, inbox, wait=not message.get("at_once", False), bell=bell) or run_use(job, inbox, bell):
            return 1
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return 0


def run_job(
    job: JobFolder, inbox: Inbox, *, wait: bool = True, bell: Bell | None = None, meeting: Meeting | None = None
) -> int:
    """Hold the folder, wait for the job's turn, run it, and tell how it ended.

    Parameters
    ----------
    job : JobFolder
        A training, a prediction or an evaluation.
    inbox : Inbox
        Messages for it.
    wait : bool
        Whether other jobs of this machine go first.
    bell : Bell, optional
        Rung at each event, and when the folder is let go.
    meeting : Meeting, optional
        Where processes wait that train with this one.

    Raises
    ------
    JobError
        If another process holds the folder.
    StorageError
        If not even its lock or first event can be written.
    """

    def ring() -> None:
        if bell is not None:
            bell.ring()

    try:
        with Lock(job.path) as lock, output_to(job.log):
            arrived(job)
            (job.path / CONTROL).unlink(missing_ok=True)
            inbox.watch(job.path / CONTROL)
            log = EventLog(job.path, ring)
            if wait and not _wait(job, lock, inbox, log):
                return 0
            log.emit("state", state="starting", pid=os.getpid())
            with _reserve(job.path):
                code = _run(job, inbox, log, meeting)
            inbox.forget()
            return code
    finally:
        ring()


def run_use(job: JobFolder, inbox: Inbox, bell: Bell | None = None) -> int:
    """Run the prediction that follows a job, if there is one that waits; return as `run_job`."""
    use = use_of(job)
    return run_job(use, inbox, bell=bell) if use is not None and use.state() == "queued" else 0


def _run(job: JobFolder, inbox: Inbox, log: EventLog, meeting: Meeting | None) -> int:
    stopping = False

    def control() -> list[Message]:
        nonlocal stopping
        messages = inbox.messages()
        if not stopping and any(message.get("kind") == "stop" for message in messages):
            stopping = True
            log.emit("state", state="stopping")
        return messages

    def emit(kind: str, **data: Any) -> None:
        if kind == "done" and isinstance(config, TrainConfig) and (use := _use(job, config, stopping, log)):
            data["then"] = use
        # A job told to resume and to stop at once is stopping.
        if not (stopping and kind == "state"):
            log.emit(kind, **data)

    def keep_config(changed: TrainConfig) -> None:
        atomic_write_text(job.path / CONFIG, config_to_yaml(changed))

    config: TrainConfig | PredictConfig | EvaluateConfig | None = None
    try:
        config = job.settings()
        with threads(config.threads):
            if isinstance(config, PredictConfig):
                refuse_processes(meeting)
                from .predicting import run_prediction

                run_prediction(job, config, emit, control)
            elif isinstance(config, EvaluateConfig):
                refuse_processes(meeting)
                from .evaluating import run_evaluation

                run_evaluation(job, config, emit, control)
            else:
                from ..training.loop import run_training

                run_training(job.path, config, emit, control, keep_config, team_of(meeting, config))
        if told_state(job.events()) not in ENDED:
            log.emit("state", state="stopped" if stopping else "done")
    except Exception as error:  # the worker's edge: whatever went wrong becomes an event
        (job.path / RESERVE).unlink(missing_ok=True)
        with contextlib.suppress(StorageError):
            log.emit("failed", **describe(error, job.log))
        with contextlib.suppress(OSError), open(job.log, "a", encoding="utf-8") as file:
            traceback.print_exc(file=file)
        return 1
    return 0


def _use(job: JobFolder, config: TrainConfig, stopped: bool, log: EventLog) -> str | None:
    """Write the prediction that is to follow a training, and return its folder."""
    try:
        use = follow_with_use(job, config, stopped=stopped)
    except AitrainError as error:
        log.emit("warning", message=f"{config.then_predict} is not predicted: {error.what}.")
        return None
    return None if use is None else str(use.path)


def _wait(job: JobFolder, lock: Lock, inbox: Inbox, log: EventLog) -> bool:
    kept: dict[str, Message] = {}
    for news in wait_for_turn(job, lock.owner, inbox):
        if isinstance(news, list):
            names = ", ".join(other.name for other in news)
            log.emit("log", message=f"Waiting for {names} to end.")
        elif news.get("kind") == "stop":
            log.emit("state", state="stopped")
            return False
        elif news.get("kind") in ("preview", "ground-truth"):
            kept[news["kind"]] = news
    for message in kept.values():
        inbox.put(message)
    return True


@contextlib.contextmanager
def _reserve(folder: Path) -> Iterator[None]:
    """Hold some room, so that a failure for want of it can still be written down."""
    path = folder / RESERVE
    with contextlib.suppress(OSError):
        path.write_bytes(os.urandom(_RESERVE_BYTES))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
