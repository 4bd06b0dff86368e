"""Running a job from the terminal: start its worker, follow it, stop it well on Ctrl-C, and tell how it ended."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer

from ..errors import ConfigError, JobError
from ..words import spoken_time
from .output import Output
from .progress import Shown, show_events

if TYPE_CHECKING:
    from ..jobs import JobFolder, State

# Longer than a window waits: nobody looks at a frozen window here, and a slow last step should still be saved.
GRACE = 60.0
RAN_BADLY = frozenset({"JobError", "TrainingDivergedError"})


def take_part(job: Path | None, processes: int = 1) -> None:
    """Under torchrun have this process follow the one that leads, and leave; without torchrun do nothing.

    Raises
    ------
    typer.Exit
        With the exit code of a process that followed.
    ConfigError
        If there is no job that all could run.
    """
    from ..training.distributed_place import place_here

    place = place_here()
    if place is None:
        return
    if processes > 1:
        raise ConfigError(
            f"torchrun has started {place.size} processes, and each is to start {processes}",
            "torchrun or --processes",
            "leave one of them out",
        )
    if job is None or not job.is_dir():
        raise ConfigError(
            f"torchrun has started {place.size} processes, and each would write a job of its own",
            "the folder of a job",
            "write it first with `napari-aitrain train … --out JOB --write-only`, then give JOB to torchrun",
        )
    if not place.leads:
        from ..jobs import worker

        raise typer.Exit(worker.main([str(job)]))


def run(job: JobFolder, output: Output, *, at_once: bool, processes: int = 1) -> None:
    """Run a job in a worker process, or in several, and follow it until it has ended.

    Raises
    ------
    typer.Exit
        With 1 or 2 if it failed, and 130 if it was interrupted.
    JobError
        If the worker does not even start.
    """
    interrupted = follow_to_end(job, output, at_once=at_once, processes=processes)
    finish(job, output, interrupted=interrupted)


def follow_to_end(job: JobFolder, output: Output, *, at_once: bool, processes: int = 1) -> bool:
    """Run a job in a worker process, follow it until it has ended, and return whether it was interrupted."""
    from ..jobs import ENDED, Worker, summarise
    from ..jobs.following import use_of

    since = max((event.seq for event in job.events()), default=0)
    worker = Worker(job, at_once=at_once, processes=processes)
    interrupted = _follow(job, output, since, worker)
    use = use_of(job)
    if use is not None and use.state() not in ENDED:
        _say_end(job, job.state(), summarise(job), output)
        output.say(f"Now it is used: {use.name}.")
        interrupted = _follow(use, output, 0, worker)
    worker.process.wait()
    return interrupted


def _follow(job: JobFolder, output: Output, since: int, worker: Any) -> bool:
    from ..jobs import STOP
    from ..jobs.following import use_of

    shown = Shown()
    stopping = threading.Event()
    with _terminate_as_interrupt():
        try:
            show_events(job.follow(since, alive=lambda: worker.alive), output.progress_console, shown)
            return False
        except KeyboardInterrupt:
            stopping.set()
    output.progress_console.print(
        "Stopping: the model and a checkpoint are being saved. Press Ctrl-C again to end it at once.", style="yellow"
    )
    try:
        with _terminate_as_interrupt():
            worker.stop(GRACE)
    except KeyboardInterrupt:
        worker.kill()
    if use_of(job) is None:
        with contextlib.suppress(JobError):
            worker.send(STOP)
    return True


@contextlib.contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Take the end that a batch system asks for (SIGTERM) like Ctrl-C."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # SIGINT too: a shell that starts a command in the background has it ignored.
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def finish(job: JobFolder, output: Output, *, interrupted: bool = False, more: Mapping[str, Any] | None = None) -> None:
    """Tell how a job ended, with `more` for machines, and leave with the exit code that says so."""
    from ..jobs import summarise
    from ..jobs.following import use_of
    from .evaluate_model import tell_evaluation

    if not job.path.is_dir():
        raise JobError(
            f"the folder {job.path} was deleted while the job ran", "a folder that stays", "start the training again"
        )
    state, summary = job.state(), summarise(job)
    failed = summary.pop("failed", None)
    if state == "failed" and failed is not None:
        output.error({**failed, "job": str(job.path), "log": str(job.log)})
        if not output.as_json:
            output.progress_console.print(f"The log is {job.log}", markup=False, soft_wrap=True)
        raise typer.Exit(exit_code(failed))
    use = use_of(job)
    if use is None or use.state() == "queued":
        _say_end(job, state, summary, output)
    else:
        summary["then"], state = _finish_use(use, output), use.state()
    if "evaluation" in summary:
        summary |= tell_evaluation(job, output)
    output.result({**summary, **(more or {})})
    if interrupted:
        raise typer.Exit(130)
    if state not in ("done", "stopped"):
        raise typer.Exit(1)


def _finish_use(use: JobFolder, output: Output) -> dict[str, Any]:
    """Tell how the prediction ended that followed a training, and return its summary."""
    from ..jobs import summarise

    summary = summarise(use)
    if use.state() == "failed" and (failed := summary.get("failed")) is not None:
        output.error({**failed, "job": str(use.path), "log": str(use.log)})
        raise typer.Exit(exit_code(failed))
    _say_end(use, use.state(), summary, output)
    return summary


def exit_code(failed: dict[str, Any]) -> int:
    """Return 2 for what a person can mend in the input, 1 for a run that failed."""
    from .. import errors

    known = getattr(errors, str(failed.get("error")), None)
    return 2 if known is not None and failed["error"] not in RAN_BADLY else 1


def _say_end(job: JobFolder, state: State, summary: dict[str, Any], output: Output) -> None:
    if state == "queued":
        output.say("The job is queued, and no worker has taken it up.", "yellow")
    elif state == "interrupted":
        output.say("The worker ended without a word (it was killed, or the machine went down).", "yellow")
    else:
        words = {"done": "Done", "stopped": "Stopped; everything learned so far is kept"}.get(state, state)
        after = "" if summary["seconds"] is None else f" after {spoken_time(summary['seconds'])}"
        best = "" if summary["best"] is None else f", best score {summary['best']:.3f}"
        steps = "" if summary["steps"] is None else f" and {summary['steps']} steps"
        output.say(f"{words}{after}{steps}{best}.", "bold green")
    if "prediction" in summary:
        output.say(f"Prediction: {summary['prediction']}")
        if summary["out"] is not None:
            output.say(f"Labels: {summary['out']}")
    elif "evaluation" in summary:
        output.say(f"Evaluation: {job.path}")
    elif summary["model"] is not None:
        output.say(f"Model: {summary['model']}")
        output.say(f"Use it: napari-aitrain predict {_quoted(job.model)} IMAGE --out OUT.tif")
    elif summary["kind"] == "training":
        output.say("There is no model yet.")
    if state != "done":
        output.say(f"Go on: napari-aitrain jobs resume {_quoted(job.path)}")


def _quoted(path: Path) -> str:
    text = str(path)
    return f'"{text}"' if " " in text else text
