"""The command `evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from . import options
from .output import Output

_WORDS = {
    "ap50": "average precision at IoU 0.5",
    "ap75": "average precision at IoU 0.75",
    "f1_50": "F1 at IoU 0.5",
    "pq": "panoptic quality",
    "dice": "Dice",
    "iou": "IoU",
    "arand": "adapted Rand error (0 is best)",
    "voi_split": "variation of information, split (0 is best)",
    "voi_merge": "variation of information, merge (0 is best)",
    "voi": "variation of information, both (0 is best)",
    "v_rand": "V_rand, foreground-restricted (1 is best)",
    "v_info": "V_info, foreground-restricted (1 is best)",
    "best_threshold": "threshold of the least variation of information",
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
        typer.Argument(help="Labels that a model made: a file, a folder, or a stored prediction."),
    ],
    truth: Annotated[str, typer.Argument(help="Ground truth: a file, or a folder with files of the same names.")],
    task: Annotated[
        Literal["auto", "instances", "semantic", "neurons"],
        typer.Option(help="What the labels are; auto guesses, and says so."),
    ] = "auto",
    sparse: Annotated[bool, typer.Option("--sparse", help="0 in the ground truth means unlabelled.")] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="REPORT.html", help="Write a report here, and JSON and CSV beside it.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Compare a prediction with ground truth: a file against a file, or a folder against a folder.

    Of neurons that predict has written, and that are kept beside the file, all thresholds are compared.
    """
    from ..evaluation import evaluate_files
    from ..evaluation.report import write_report
    from ..inference.judging import evaluate_stored, stored_neurons
    from ..location import located
    from ..volumes.atomic import refuse_existing

    output = Output(as_json)
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
    if not as_json:
        _table(output, figures)
    output.result(figures)


def _table(output: Output, figures: dict[str, Any]) -> None:
    from rich.table import Table

    output.say(str(figures.get("how", "")))
    table = Table("figure", "value", box=None)
    for key, words in _WORDS.items():
        value = figures.get(key)
        if isinstance(value, (int, float)):
            whole = key.startswith("n_")
            table.add_row(f"{words} ({key})", f"{value:.0f}" if whole else f"{value:.3f}")
    output.console.print(table)
