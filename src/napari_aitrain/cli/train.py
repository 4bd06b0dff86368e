"""The command `train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import ConfigError
from . import options
from .output import Output
from .scripts import confirm_script

if TYPE_CHECKING:
    from ..jobs import JobFolder
    from ..training.config import TrainConfig

Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="New folder for the job; its model is OUT/model.", rich_help_panel=options._LONG),
]
Busy = Annotated[
    Literal["wait", "refuse", "run"],
    typer.Option(help="If another job is running here: wait for it, refuse, or run beside it."),
]

WriteOnly = Annotated[
    bool,
    typer.Option(
        "--write-only",
        help="Write the job, to be run later or elsewhere: napari-aitrain train OUT.",
        rich_help_panel=options._LONG,
    ),
]


def train(
    job: options.Job = None,
    image: options.Images = None,
    labels: options.Labels = None,
    boxes: options.Boxes = None,
    magnification: options.Magnification = None,
    voxel_size: options.Voxel = None,
    channels: options.Channels = None,
    axes: options.Axes = None,
    sparse: options.Sparse = None,
    task: options.Task = None,
    max_distance: options.MaxDistance = None,
    dims: options.Dims = None,
    start_from: options.StartFrom = None,
    device: options.Device = None,
    seed: options.Seed = None,
    settings: options.Settings = None,
    minutes: options.Minutes = None,
    steps: options.Steps = None,
    name: options.Name = None,
    then_predict: options.ThenPredict = None,
    then_out: options.ThenOut = None,
    out: Out = None,
    when_busy: Busy = "wait",
    processes: options.Processes = 1,
    write_only: WriteOnly = False,
    as_json: options.Json = False,
) -> None:
    """Train a model on images and their labels.

    Every box, or every image, is used; part of it is kept aside to measure how good the model is. Press Ctrl-C when
    you are satisfied: everything learned so far is kept, and `napari-aitrain jobs resume` goes on from there.
    """
    from ..jobs import refuse_if_busy
    from . import running

    running.take_part(job, processes)
    output = Output(as_json)
    if when_busy == "refuse":
        refuse_if_busy()
    at_once = when_busy == "run"
    if job is not None and job.is_dir():
        given = (
            image,
            labels,
            boxes,
            magnification,
            voxel_size,
            channels,
            axes,
            sparse,
            task,
            max_distance,
            dims,
            start_from,
            device,
            seed,
        )
        given_too = (*given, settings, minutes, steps, name, then_predict, then_out, out, write_only or None)
        _run_folder(job, given_too, output, at_once, processes)
        return
    config = options.make_config(
        job, image, labels, boxes, settings=settings,
        of_source=options.source_options(magnification, voxel_size, channels, axes, sparse),
        of_training=options.training_options(
            task, dims, start_from, device, seed, minutes, steps, name, then_predict, then_out
        ),
        of_task={"max_distance": max_distance},
    )  # fmt: skip
    confirm_script(config.task, as_json)
    written = create_job(config, out, output)
    if write_only:
        output.result({"job": str(written.path), "state": written.state()})
        return
    running.run(written, output, at_once=at_once, processes=processes)


def _run_folder(job: Path, given: tuple[object, ...], output: Output, at_once: bool, processes: int) -> None:
    from .jobs import run_again

    if any(value is not None for value in given):
        raise ConfigError(
            f"{job} is the folder of a job, whose settings are written down in it",
            "a job folder alone",
            f"train anew from {job / 'job.yaml'} with other settings",
        )
    run_again(job, output, at_once=at_once, processes=processes)


def create_job(config: TrainConfig, out: Path | None, output: Output) -> JobFolder:
    """Check the training set, say what will be done, and write the job.

    Raises
    ------
    AitrainError
        If anything stands against the start; then nothing is written.
    """
    from ..jobs import JobFolder, default_folder
    from ..jobs.folder import refuse_filled
    from ..jobs.settling import check_settings
    from ..training.readiness import check
    from .check import check_device, raise_errors, say_findings

    folder = default_folder(config.name) if out is None else out
    refuse_filled(folder)
    check_settings(config)
    check_device(config)
    readiness = check(config)
    console = output.progress_console
    say_findings((*readiness.warnings, *readiness.notes), console)
    raise_errors(readiness)
    job = JobFolder.create(config, folder, readiness.plan)
    console.print(f"Job: {job.path}", markup=False, soft_wrap=True)
    if config.minutes is None and config.steps is None:
        console.print("It trains until you press Ctrl-C; everything learned by then is kept.", style="cyan")
    return job
