"""The command `evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ..errors import ConfigError
from . import options, values
from .output import Output

_ON = "What to evaluate a model on (else its own boxes)"

WORDS = {
    "ap50": "average precision at IoU 0.5",
    "ap75": "average precision at IoU 0.75",
    "f1_50": "F1 at IoU 0.5",
    "precision": "precision at IoU 0.5",
    "recall": "recall at IoU 0.5",
    "pq": "panoptic quality",
    "dice": "Dice",
    "iou": "IoU",
    "arand": "adapted Rand error (0 is best)",
    "voi_split": "variation of information, split (0 is best)",
    "voi_merge": "variation of information, merge (0 is best)",
    "voi": "variation of information, both (0 is best)",
    "v_rand": "V_rand, foreground-restricted (1 is best)",
    "v_info": "V_info, foreground-restricted (1 is best)",
    "best_threshold": "best threshold",
    "best_voi": "variation of information at its best threshold",
    "best_arand": "adapted Rand error at its best threshold",
    "best_v_rand": "V_rand at its best threshold",
    "best_v_info": "V_info at its best threshold",
    "edge_accuracy": "right affinities",
    "edge_balanced": "right affinities, mean over same and different",
    "ece": "expected calibration error of the scores (0 is best)",
    "n_truth": "objects in the ground truth",
    "n_prediction": "objects in the prediction",
}


def evaluate(
    prediction: Annotated[
        str,
        typer.Argument(
            help="Labels that a model made: a file, a folder, or a stored prediction. Or, without TRUTH, a model: its "
            "folder, that of its job, or its name.",
            metavar="PREDICTION|MODEL",
        ),
    ],
    truth: Annotated[
        str | None, typer.Argument(help="Ground truth: a file, or a folder with files of the same names.")
    ] = None,
    task: Annotated[
        Literal["auto", "instances", "semantic", "neurons"],
        typer.Option(help="Of files: what the labels are; auto guesses, and says so."),
    ] = "auto",
    sources: Annotated[
        Path | None,
        typer.Option(
            help="YAML with sources, such as the job.yaml of a training.", rich_help_panel=_ON, metavar="FILE"
        ),
    ] = None,
    job: Annotated[
        str | None, typer.Option(help="A training, whose boxes are taken with their roles.", rich_help_panel=_ON)
    ] = None,
    image: Annotated[
        list[str] | None,
        typer.Option("--image", "-i", help="Image file, zarr or folder. Repeat for more.", rich_help_panel=_ON),
    ] = None,
    labels: Annotated[
        list[str] | None, typer.Option("--labels", "-l", help="Its ground truth, one per --image.", rich_help_panel=_ON)
    ] = None,
    boxes: Annotated[
        list[Path] | None,
        typer.Option("--boxes", "-b", help="File of boxes, one per --image; else all of it.", rich_help_panel=_ON),
    ] = None,
    roles: Annotated[
        str | None, typer.Option(help="Boxes of which roles: train,validation,test.", rich_help_panel=_ON)
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(help="The role of all boxes, in place of theirs; images without are test.", rich_help_panel=_ON),
    ] = None,
    channels: options.Channels = None,
    axes: options.Axes = None,
    voxel_size: options.Voxel = None,
    sparse: Annotated[bool, typer.Option("--sparse", help="0 in the ground truth means unlabelled.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Of a model: new folder for what is found.", metavar="JOB")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="REPORT.html", help="Write a report here, and tables beside it.")
    ] = None,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Of a model: beside other jobs, instead of after them.")
    ] = False,
    device: options.Device = None,
    as_json: options.Json = False,
) -> None:
    """Say how good a model is: on its own boxes, on those of a training, or on images with ground truth.

    With TRUTH, compare labels with it instead: a file with a file, or a folder with a folder. Of neurons that predict
    has written, and that are kept beside the file, all thresholds are compared.
    """
    output = Output(as_json)
    given = {"--sources": sources, "--job": job, "--image": image, "--labels": labels, "--boxes": boxes, "--out": out}
    if truth is not None:
        for name, value in given.items():
            if value:
                raise ConfigError(
                    f"both TRUTH and {name} are given",
                    "a model and what it is evaluated on, or two files or folders to compare",
                    f"leave out {truth} or {name}",
                )
        _compare(prediction, truth, task, sparse, report, output)
        return
    from ..volumes.atomic import refuse_existing
    from . import evaluate_model

    if report is not None:
        refuse_existing(report.with_suffix(".html"))
    config = evaluate_model.config_of(
        prediction, sources=sources, job=job, images=image, labels=labels, boxes=boxes,
        of_source=options.source_options(None, voxel_size, channels, axes, sparse or None),
        settings={"roles": _roles(roles), "role": _role(role), "device": device},
    )  # fmt: skip
    evaluate_model.run_evaluation(config, out, report, output, at_once=at_once)


def _roles(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(_known(word) for word in values.words(text))


def _role(text: str | None) -> str | None:
    return None if text is None else _known(text)


def _known(role: str) -> str:
    if role not in ("train", "validation", "test"):
        raise ConfigError(f"the role {role!r} is not known", "train, validation or test", "write --roles test")
    return role


def _compare(
    prediction: str,
    truth: str,
    task: Literal["auto", "instances", "semantic", "neurons"],
    sparse: bool,
    report: Path | None,
    output: Output,
) -> None:
    from ..evaluation import evaluate_files
    from ..evaluation.report import write_report
    from ..inference.judging import evaluate_stored, stored_neurons
    from ..location import located
    from ..volumes.atomic import refuse_existing

    if report is not None:
        for ending in (".html", ".json", ".csv"):
            refuse_existing(report.with_suffix(ending))
    stored = stored_neurons(located(prediction)) if task in ("auto", "neurons") else None
    if stored is None:
        found = evaluate_files(prediction, truth, task=task, sparse=sparse)
    else:
        found = evaluate_stored(stored, located(truth), sparse=sparse)
    figures = found.as_dict()
    if report is not None:
        write_report(found, report.with_suffix(".html"), facts={"prediction": prediction, "truth": truth})
    if not output.as_json:
        _table(output, figures)
    output.result(figures)


def _table(output: Output, figures: dict[str, Any]) -> None:
    from rich.table import Table

    output.say(str(figures.get("how", "")))
    table = Table("figure", "value", box=None)
    for key, words in WORDS.items():
        value = figures.get(key)
        if isinstance(value, (int, float)):
            whole = key.startswith("n_")
            table.add_row(f"{words} ({key})", f"{value:.0f}" if whole else f"{value:.3f}")
    output.console.print(table)
