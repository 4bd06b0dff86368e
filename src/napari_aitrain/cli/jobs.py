"""The commands `jobs list|show|follow|stop|resume|move|remove`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError, JobError
from ..words import spoken_time
from . import options
from .output import Output

if TYPE_CHECKING:
    from ..jobs import JobFolder

app = typer.Typer(
    help="Trainings and predictions: what runs, what has ended; go on with one that was stopped.", no_args_is_help=True
)

Reference = Annotated[str, typer.Argument(help="A job's name or folder; a part of the name will do.", metavar="JOB")]


@app.command("list")
def list_(as_json: options.Json = False) -> None:
    """List jobs, the newest first."""
    from rich.table import Column, Table

    from ..jobs.queue import waiting_jobs
    from ..tasks.script_store import shown_name

    output = Output(as_json)
    places = {str(job.path): number for number, job in enumerate(waiting_jobs(), start=1)}
    rows = [{**_row(job), "place": places.get(str(job.path))} for job in _known()]
    table = Table("job", "state", "task", "score", "time", "begun", Column("folder", overflow="fold"), box=None)
    for row in rows:
        score = "" if row["best"] is None else f"{row['best']:.3f}"
        seconds = "" if row["seconds"] is None else spoken_time(row["seconds"])
        begun = datetime.fromtimestamp(row["begun"]).strftime("%Y-%m-%d %H:%M") if row["begun"] else ""
        state = row["state"] if row["place"] is None else f"{row['state']}, {row['place']} in line"
        table.add_row(row["name"], state, shown_name(row["task"]), score, seconds, begun, row["job"])
    if not as_json:
        output.console.print(table) if rows else output.say("There are no jobs yet: `napari-aitrain train --help`.")
    output.result({"jobs": rows})


def _known() -> list[JobFolder]:
    from ..jobs import JobFolder, known_folders

    jobs = []
    for folder in known_folders():
        try:
            jobs.append(JobFolder.open(folder))
        except JobError:
            continue
    return sorted(jobs, key=lambda job: _begun(job) or 0.0, reverse=True)


def _begun(job: JobFolder) -> float | None:
    events = job.events()
    return events[0].time if events else None


def _row(job: JobFolder) -> dict[str, Any]:
    from ..jobs import summarise
    from ..training.config import TrainConfig

    try:
        settings = job.settings()
        task = settings.task if isinstance(settings, TrainConfig) else settings.kind
    except ConfigError:
        task = "?"
    return {"name": job.name, "task": task, "begun": _begun(job), **summarise(job)}


def find_job(reference: str) -> JobFolder:
    """Return a job by its folder, its name, or a part of its name that no other has.

    Raises
    ------
    JobError
        If there is none, or several.
    """
    from ..jobs import JobFolder

    path = Path(reference)
    if path.is_dir() or path.is_absolute():
        return JobFolder.open(path)
    jobs = _known()
    matches = [job for job in jobs if job.name == reference] or [job for job in jobs if reference in job.name]
    if len(matches) != 1:
        names = ", ".join(job.name for job in (matches or jobs)[:8]) or "no job"
        raise JobError(
            f"{'several jobs are' if matches else 'no job is'} named {reference!r}",
            "the folder of a job, or one of: " + names,
            "see `napari-aitrain jobs list`",
        )
    return matches[0]


@app.command()
def show(job: Reference, as_json: options.Json = False) -> None:
    """Show a job: its state, its settings and what became of it."""
    import yaml

    output = Output(as_json)
    found = find_job(job)
    row = _row(found)
    config = found.settings().model_dump(mode="json", exclude_defaults=True)
    warnings = [str(event.data.get("message", "")) for event in found.events() if event.kind == "warning"]
    if not as_json:
        output.say(f"{found.name}: {row['state']}", "bold")
        facts = {key: value for key, value in row.items() if value is not None and key not in ("name", "begun")}
        output.say(yaml.safe_dump(facts, sort_keys=False, allow_unicode=True).rstrip())
        output.say("Settings:", "bold")
        output.say(yaml.safe_dump(config, sort_keys=False, allow_unicode=True).rstrip())
        for text in warnings:
            output.say(f"Warning: {text}", "yellow")
    output.result({**row, "config": config, "warnings": warnings, "log": str(found.log)})


@app.command()
def follow(job: Reference, as_json: options.Json = False) -> None:
    """Watch a job; Ctrl-C ends the watching, not the job."""
    from .progress import show_events
    from .running import finish

    output = Output(as_json)
    found = find_job(job)
    show_events(found.follow(), output.progress_console)
    finish(found, output)


@app.command()
def stop(
    job: Reference,
    grace: Annotated[float, typer.Option(help="Seconds without a sign of life after which it is killed.")] = 60.0,
    as_json: options.Json = False,
) -> None:
    """Stop a job: a training's model and checkpoint, or what is predicted, are kept, and `jobs resume` goes on."""
    from ..jobs import stop_job
    from .running import finish

    output = Output(as_json)
    found = find_job(job)
    stop_job(found, grace)
    finish(found, output)


@app.command()
def resume(
    job: Reference,
    at_once: Annotated[bool, typer.Option(help="Run beside other jobs instead of waiting for them.")] = False,
    processes: options.Processes = 1,
    as_json: options.Json = False,
) -> None:
    """Go on with a job that was stopped, paused, killed, or failed; follow one that is running."""
    from .running import take_part

    folder = find_job(job).path
    take_part(folder, processes)
    run_again(folder, Output(as_json), at_once=at_once, processes=processes)


def run_again(folder: Path, output: Output, *, at_once: bool, processes: int = 1) -> None:
    """Run the job in a folder from where it is.

    Raises
    ------
    JobError
        If it is none, or it has ended as planned.
    """
    from ..jobs import RESUME, JobFolder
    from ..jobs.lock import living_owner
    from ..training.config import TrainConfig
    from ..training.distributed_place import place_here
    from . import running
    from .progress import show_events

    job = JobFolder.open(folder)
    if living_owner(job.path) is not None and place_here() is None:
        if job.state() == "paused":
            job.send(RESUME)
        output.progress_console.print(f"{job.name} is running; this follows it.", markup=False)
        show_events(job.follow(), output.progress_console)
        running.finish(job, output)
        return
    settings = job.settings()
    if job.state() == "done":
        again = f"napari-aitrain train {job.path / 'job.yaml'} --start-from {job.model}"
        more = {
            "training": f"train on from its model: {again}",
            "prediction": f"its result is in {job.prediction}",
            "evaluation": f"its result is in {job.evaluation}",
        }
        raise JobError(
            f"{job.name} has ended as planned",
            "a job with something left to do",
            more[job.kind],
        )
    if processes > 1 and not isinstance(settings, TrainConfig):
        raise ConfigError(
            f"{job.name} is no training", "--processes for trainings alone", "give predict a --scheduler instead"
        )
    job.enqueue()
    running.run(job, output, at_once=at_once, processes=processes)


# Or -1 would be taken for an option.
@app.command(context_settings={"ignore_unknown_options": True})
def move(
    job: Reference,
    places: Annotated[int, typer.Argument(help="How many places backward; below 0 forward. -99 makes it the next.")],
    as_json: options.Json = False,
) -> None:
    """Move a job that waits for its turn in the queue."""
    from ..jobs.queue import move as move_in_queue

    output = Output(as_json)
    queue = [one.name for one in move_in_queue(find_job(job), places)]
    if not as_json:
        for number, name in enumerate(queue, start=1):
            output.say(f"{number}  {name}")
    output.result({"queue": queue})


@app.command()
def remove(
    job: Reference,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: options.Json = False,
) -> None:
    """Delete a job's folder, its model or prediction too. Files that it did not write stay."""
    output = Output(as_json)
    found = find_job(job)
    if not yes:
        typer.confirm(f"Delete {found.path} with all that it made?", abort=True, err=True)
    found.remove()
    if not as_json:
        output.say(f"Deleted {found.path}")
    output.result({"removed": str(found.path)})
