"""The command `check`: what would be trained on, and what stands against it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from . import options
from .output import Output

if TYPE_CHECKING:
    from rich.console import Console

    from ..annotation.boxes import Role
    from ..annotation.findings import Finding
    from ..training.plan import Plan

_ROLES: tuple[Role, ...] = ("train", "validation", "test")


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
    dims: options.Dims = None,
    model: options.Initial = None,
    device: options.Device = None,
    seed: options.Seed = None,
    settings: options.Settings = None,
    minutes: options.Minutes = None,
    steps: options.Steps = None,
    as_json: options.Json = False,
) -> None:
    """Check a training before it starts: errors, warnings, what it learns from, and what it will take.

    Takes what `train` takes. Exit code 2 if there are errors.
    """
    from ..jobs.folder import check_settings
    from ..training.config import read_config
    from ..training.plan import plan_crops

    output = Output(as_json)
    if job is not None and job.is_dir():
        config = read_config(job / "job.yaml")
    else:
        config = options.make_config(
            job,
            image,
            labels,
            boxes,
            of_source=options.source_options(magnification, voxel_size, channels, axes, sparse),
            of_training=options.training_options(task, dims, model, device, seed, minutes, steps),
            settings=settings,
        )
    check_settings(config)
    plan = plan_crops(config)
    ready = not any(finding.level == "error" for finding in plan.findings)
    if not as_json:
        say_findings(plan.findings, output.console)
        _say_plan(plan, output)
    output.result({"ready": ready, **describe_plan(plan)})
    if not ready:
        raise typer.Exit(2)


def say_findings(findings: Sequence[Finding], console: Console) -> None:
    """Print findings, errors in red and warnings in yellow, each with what to do."""
    for finding in findings:
        word, style = ("Error", "bold red") if finding.level == "error" else ("Warning", "yellow")
        console.print(f"{word}: {finding.message}", style=style, markup=False, soft_wrap=True)
        if finding.remedy:
            console.print(f"  What to do: {finding.remedy}", style="cyan", markup=False, soft_wrap=True)


def describe_plan(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain data."""
    return {
        "findings": [finding.as_dict() for finding in plan.findings],
        "dims": plan.dims.dims,
        "dims_reason": plan.dims.reason,
        "split": plan.sentence,
        "classes": list(plan.classes),
        "voxels": {role: sum(crop.labelled.labelled for crop in plan.of_role(role)) for role in _ROLES},
        "objects": {role: sum(len(crop.labelled.ids) for crop in plan.of_role(role)) for role in _ROLES},
        "boxes": {role: len(plan.of_role(role)) for role in _ROLES},
    }


def _say_plan(plan: Plan, output: Output) -> None:
    from rich.table import Table

    if not plan.crops:
        return
    table = Table("used for", "boxes", "labelled voxels", "objects" if plan.instances else "classes", box=None)
    for role in _ROLES:
        crops = plan.of_role(role)
        if crops:
            ids = [crop.labelled.ids for crop in crops]
            found = sum(map(len, ids)) if plan.instances else len({label for some in ids for label in some})
            voxels = sum(crop.labelled.labelled for crop in crops)
            table.add_row(role, str(len(crops)), f"{voxels:,}", f"{found:,}")
    output.console.print(table)
    output.say(plan.dims.reason)
    output.say(plan.sentence)
