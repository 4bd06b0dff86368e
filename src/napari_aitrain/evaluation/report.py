"""A report of an evaluation: HTML for people, JSON and CSV for machines."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..volumes import atomic_write_text
from .calibration import calibration_bins
from .files import Evaluation
from .plots import agreement_svg, calibration_svg, curve_svg

WORDS = {
    "ap50": ("Average precision at IoU 0.5", "objects found well enough, of all found or missed"),
    "ap75": ("Average precision at IoU 0.75", "the same, with outlines that fit closely"),
    "f1_50": ("F1 at IoU 0.5", "balance of missed and wrong objects"),
    "precision": ("Precision", "of the predicted objects, how many are right"),
    "recall": ("Recall", "of the true objects, how many are found"),
    "pq": ("Panoptic quality", "F1 times how well the right objects fit"),
    "dice": ("Dice", "overlap of the foreground, or mean over the classes"),
    "iou": ("IoU", "overlap, stricter than Dice"),
    "arand": ("Adapted Rand error", "0 is best; wrong splits and merges of voxels"),
    "voi_split": ("Variation of information, split", "0 is best; objects cut apart"),
    "voi_merge": ("Variation of information, merge", "0 is best; objects stuck together"),
    "voi": ("Variation of information", "0 is best; bits, both together"),
    "v_rand": ("V_rand", "1 is best; foreground-restricted, as in ISBI 2012"),
    "v_info": ("V_info", "1 is best; foreground-restricted, as in ISBI 2012"),
    "best_threshold": ("Best threshold", "of the highest F1; of neurons, of the least variation of information"),
    "best_voi": ("Variation of information at its best threshold", "0 is best"),
    "best_arand": ("Adapted Rand error at its best threshold", "0 is best"),
    "best_v_rand": ("V_rand at its best threshold", "1 is best"),
    "best_v_info": ("V_info at its best threshold", "1 is best"),
    "edge_accuracy": ("Right affinities", "share of pairs of voxels, near and far"),
    "edge_balanced": ("Right affinities, balanced", "mean over pairs within and across objects"),
    "ece": ("Expected calibration error", "0 is best; by how much scores miss the truth"),
    "n_truth": ("Objects in the truth", ""),
    "n_prediction": ("Objects predicted", ""),
}
ROLES = ("train", "validation", "test")

Metrics = Mapping[str, Any]


def write_report(
    evaluation: Evaluation | None,
    path: Path,
    *,
    title: str = "How good is this model?",
    roles: Mapping[str, Metrics] | None = None,
    facts: Mapping[str, object] | None = None,
    pictures: Sequence[tuple[str, Path]] = (),
) -> list[Path]:
    """Write a self-contained HTML report, and the same figures as JSON and CSV beside it.

    Parameters
    ----------
    evaluation : Evaluation, optional
        Files that were compared. Its figures are the test column unless `roles` has one.
    path : Path
        The ``.html`` file; ``.json`` and ``.csv`` lie beside it. They are replaced.
    title : str
        Heading.
    roles : mapping, optional
        Metrics by role, train, validation or test, as on a model card.
    facts : mapping, optional
        What else to tell, such as steps and seconds.
    pictures : sequence of (caption, path)
        PNG files to show.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    columns: dict[str, Metrics] = {role: roles[role] for role in ROLES if roles and role in roles}
    data: dict[str, Any] = {"title": title, "facts": dict(facts or {})}
    if evaluation is not None:
        data["evaluation"] = evaluation.as_dict()
        columns.setdefault("test", data["evaluation"])
    data["roles"] = {role: _numbers(metrics) for role, metrics in columns.items()}
    files = {
        path: _html(title, columns, evaluation, data["facts"], pictures),
        path.with_suffix(".json"): json.dumps(_finite(data), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        path.with_suffix(".csv"): _csv(columns, evaluation),
    }
    for file, text in files.items():
        atomic_write_text(file, text)
    return list(files)


def _html(
    title: str,
    columns: Mapping[str, Metrics],
    evaluation: Evaluation | None,
    facts: Mapping[str, object],
    pictures: Sequence[tuple[str, Path]],
) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("napari_aitrain.evaluation"), autoescape=True, undefined=StrictUndefined
    )
    curve = evaluation.curve if evaluation else None
    scored = evaluation.scored if evaluation else None
    bins = calibration_bins(scored.scores, scored.correct) if scored else []
    return environment.get_template("report.html.j2").render(
        title=title,
        roles=list(columns),
        rows=_rows(columns),
        how=evaluation.how if evaluation else "",
        images=_image_rows(evaluation),
        facts=facts,
        curve=Markup(curve_svg(curve)) if curve else "",
        best=curve.best if curve else 0.0,
        agreement=Markup(agreement_svg(evaluation.agreement)) if evaluation and evaluation.agreement else "",
        calibration=Markup(calibration_svg(bins)) if bins else "",
        pictures=[(caption, base64.b64encode(file.read_bytes()).decode()) for caption, file in pictures],
    )


def _rows(columns: Mapping[str, Metrics]) -> list[tuple[str, str, list[str]]]:
    """Return name, explanation and a figure per role, of every metric that any role has."""
    present = [key for key in WORDS if any(key in metrics for metrics in columns.values())]
    classes = sorted({key for m in columns.values() for key in m if key.startswith("iou_")}, key=_class_id)
    rows = [(*WORDS[key], [_figure(key, metrics.get(key)) for metrics in columns.values()]) for key in present]
    return rows + [
        (f"IoU of class {_class_id(key)}", "", [_figure(key, metrics.get(key)) for metrics in columns.values()])
        for key in classes
    ]


def _class_id(key: str) -> int:
    return int(key.removeprefix("iou_"))


def _image_rows(evaluation: Evaluation | None) -> list[tuple[str, list[str]]]:
    if evaluation is None or len(evaluation.images) < 2:
        return []
    return [(name, [_figure(k, m.get(k)) for k in _IMAGE_KEYS]) for name, m in evaluation.images.items()]


_IMAGE_KEYS = ("ap50", "f1_50", "iou", "n_truth", "n_prediction")


def _figure(key: str, value: object) -> str:
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return "–"
    return f"{value:.0f}" if key.startswith("n_") else f"{value:.3f}"


def _csv(columns: Mapping[str, Metrics], evaluation: Evaluation | None) -> str:
    """Return a row per role and per image, and a column per metric."""
    rows: list[tuple[str, str, Metrics]] = [("role", role, metrics) for role, metrics in columns.items()]
    if evaluation is not None:
        rows += [("image", name, metrics) for name, metrics in evaluation.images.items()]
    keys = list(dict.fromkeys(key for _, _, metrics in rows for key in _numbers(metrics)))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["what", "name", *keys])
    for what, name, metrics in rows:
        writer.writerow([what, name, *(metrics.get(key, "") for key in keys)])
    return buffer.getvalue()


def _numbers(metrics: Metrics) -> dict[str, float]:
    return {key: value for key, value in metrics.items() if isinstance(value, (int, float))}


def _finite(data: Any) -> Any:
    """Return plain data in which numbers that JSON does not know are null."""
    if isinstance(data, Mapping):
        return {str(key): _finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
