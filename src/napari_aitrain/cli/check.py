"""The command `check`: what would be trained on, and what stands against it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import NotReadyError
from ..words import spoken_time
from . import options
from .output import Output
from .scripts import confirm_script

if TYPE_CHECKING:
    from rich.console import Console

    from ..annotation.findings import Finding
    from ..training.config import TrainConfig
    from ..training.estimate import Estimate
    from ..training.readiness import Readiness


def check(
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
    estimate: Annotated[bool, typer.Option(help="Take a few real steps, to say what the training will need.")] = True,
    as_json: options.Json = False,
) -> None:
    """Check a training before it starts: errors, warnings, what it learns from, and what it will take.

    Takes what `train` takes. Exit code 2 if there are errors.
    """
    from ..jobs.folder import CONFIG
    from ..jobs.settling import check_settings
    from ..tasks import is_foreign
    from ..training import readiness as rules
    from ..training.config_file import read_config

    output = Output(as_json)
    if job is not None and job.is_dir():
        config = read_config(job / CONFIG)
    else:
        config = options.make_config(
            job,
            image,
            labels,
            boxes,
            of_source=options.source_options(magnification, voxel_size, channels, axes, sparse),
            of_training=options.training_options(task, dims, start_from, device, seed, minutes, steps),
            of_task={"max_distance": max_distance},
            settings=settings,
        )
    confirm_script(config.task, as_json)
    check_settings(config)
    check_device(config)
    readiness = rules.check(config)
    found = readiness.as_dict()
    if not as_json:
        say_findings(readiness.findings, output.console)
        _say_roles(readiness, output)
    if estimate and readiness.ready and not is_foreign(config.task):
        from ..training.estimate import estimate as take_steps
        from ..training.measure import measure_steps

        needs = take_steps(config, readiness, measure_steps)
        found["estimate"] = needs.as_dict()
        if not as_json:
            _say_estimate(needs, config, output)
    output.result(found)
    if not readiness.ready:
        raise typer.Exit(2)


def check_device(config: TrainConfig) -> None:
    """Look whether a device that was asked for by name is there; torch is imported only then.

    Raises
    ------
    DeviceError
        If it is not.
    """
    if config.device not in ("auto", "cpu"):
        from ..nets import choose_device

        choose_device(config.device)


def raise_errors(readiness: Readiness) -> None:
    """Raise what blocks the start, if anything does.

    Raises
    ------
    AitrainError
        As a file gave it; `NotReadyError` with every error of the rules otherwise.
    """
    if readiness.plan is not None:
        readiness.plan.raise_errors()
    if not readiness.ready:
        raise NotReadyError(
            "\n".join(finding.message for finding in readiness.errors),
            "a training set without errors",
            "\n".join(dict.fromkeys(finding.remedy for finding in readiness.errors)),
        )


def say_findings(findings: Sequence[Finding], console: Console) -> None:
    """Print findings, errors in red and warnings in yellow, each with what to do."""
    words = {"error": ("Error", "bold red"), "warning": ("Warning", "yellow"), "info": ("Note", "default")}
    for finding in findings:
        word, style = words[finding.level]
        console.print(f"{word}: {finding.message}", style=style, markup=False, soft_wrap=True)
        if finding.remedy:
            console.print(f"  What to do: {finding.remedy}", style="cyan", markup=False, soft_wrap=True)


def _say_roles(readiness: Readiness, output: Output) -> None:
    from rich.table import Table

    if readiness.dims == 0:
        return
    classes = any(counts.class_voxels for counts in readiness.roles.values())
    table = Table("used for", "boxes", "labelled voxels", "of all", "classes" if classes else "objects", box=None)
    for role, counts in readiness.roles.items():
        if counts.boxes:
            number = len(counts.class_voxels) if classes else counts.objects
            share = f"{counts.labelled / counts.voxels:.1%}"
            table.add_row(role, f"{counts.boxes:,}", f"{counts.labelled:,}", share, f"{number:,}")
    output.console.print(table)
    output.say(readiness.dims_reason)
    output.say(readiness.sentence)


def _say_estimate(needs: Estimate, config: TrainConfig, output: Output) -> None:
    if config.steps is not None:
        whole = f"{config.steps} steps take about {spoken_time(config.steps * needs.seconds_per_step)}"
    elif config.minutes is not None:
        whole = f"about {config.minutes * 60 / needs.seconds_per_step:,.0f} steps in {config.minutes:g} min"
    else:
        whole = "it trains until you stop it"
    output.say(
        f"On {needs.device} in {needs.precision}: first preview after about "
        f"{spoken_time(needs.seconds_to_first_preview)}, {needs.seconds_per_step:.2f} s per step, {whole}."
    )
    output.say(f"Memory: {needs.peak_memory_bytes / 1e9:.1f} GB. Disk: {needs.disk_bytes / 1e9:.2f} GB.")
