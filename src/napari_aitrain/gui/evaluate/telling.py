"""From what an evaluation found to what the dock shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...annotation.boxes import Role
from ...evaluation.box_results import BoxResult, ModelEvaluation, ObjectError, TrainingUse
from ...evaluation.figures import (
    Figure,
    agreement_curve,
    best_threshold,
    class_figures,
    figures,
    shown_figures,
    threshold_curve,
    trust,
)
from ...evaluation.model_report import spoken
from ...evaluation.report import WORDS
from .tables import Cell

Rows = list[tuple[Cell, list[Cell]]]
_SHORT = {
    "f1_50": "F1", "precision": "Precision", "recall": "Recall", "ap50": "AP50", "ap75": "AP75",
    "pq": "PQ", "dice": "Dice", "iou": "IoU", "n_truth": "In the truth",
    "n_prediction": "Predicted", "voi": "VOI", "voi_split": "VOI split", "voi_merge": "VOI merge",
    "arand": "Rand error", "v_rand": "V_rand", "v_info": "V_info",
}  # fmt: skip
_CLASS = {
    "iou": ("IoU", "Overlap of voxels of the class."),
    "precision": ("precision", "Of the voxels predicted as this class, how many are."),
    "recall": ("recall", "Of the voxels of this class, how many are found."),
}


def figure_rows(evaluation: ModelEvaluation) -> Rows:
    """Return a row per figure, and a cell per role."""
    columns = [figures(evaluation.of_role(role)) for role in evaluation.roles]
    rows: Rows = []
    for name in shown_figures(evaluation.model):
        if any(name in column for column in columns):
            words, meaning = WORDS[name]
            tip = f"{words}: {meaning}." if meaning else words
            rows.append(((_SHORT[name], tip), [_cell(column.get(name), name) for column in columns]))
    return rows


def class_rows(evaluation: ModelEvaluation) -> Rows:
    """Return a row per class and figure, and a cell per role; none where labels are objects."""
    columns = [class_figures(evaluation.of_role(role)) for role in evaluation.roles]
    names = evaluation.model.class_names
    rows: Rows = []
    for number in dict.fromkeys(number for column in columns for number in column):
        for key, (words, tip) in _CLASS.items():
            name = names.get(number, f"class {number}")
            cells = [_cell(column.get(number, {}).get(key), key) for column in columns]
            rows.append(((f"{name}: {words}", tip), cells))
    return rows


def _cell(figure: Figure | None, name: str) -> Cell:
    value, between = spoken(figure, name)
    if figure is None or name.startswith("n_"):
        return value, ""
    if figure.interval is None:
        return f"{figure.value:.2f}", f"{value}; of a single box there is no interval."
    low, high = figure.interval
    return f"{figure.value:.2f}\n{low:.2f}–{high:.2f}", f"{value}; {between} in 95 of 100 other sets of boxes."


def columns_of(evaluation: ModelEvaluation) -> list[str]:
    """Return the roles with their numbers of boxes."""
    return [f"{role.capitalize()} ({len(evaluation.of_role(role))})" for role in evaluation.roles]


def error_rows(errors: Sequence[tuple[int, ObjectError]], boxes: dict[int, BoxResult]) -> list[Any]:
    """Return a row per object that is wrong."""
    rows = []
    for number, error in errors:
        what = error.kind + (f" ({error.objects})" if error.objects > 1 else "")
        score = "" if error.score is None else f"{error.score:.2f}"
        z, y, x = (round(v) for v in error.centre)
        tip = (
            f"x {x}, y {y}, z {z}; {error.size:,} voxels, of which {error.wrong:,} are wrong; best IoU {error.iou:.2f}"
        )
        rows.append((number, (what, boxes[error.box].name, f"{error.wrong:,}", score), tip))
    return rows


def counted(boxes: Sequence[BoxResult]) -> str:
    """Return how many objects are wrong, by kind."""
    kinds = ("missed", "false", "merged", "split")
    sums = {kind: sum(box.mistakes.get(kind, 0) for box in boxes) for kind in kinds}  # type: ignore[call-overload]
    return ", ".join(f"{count:,} {kind}" for kind, count in sums.items() if count) or "nothing is wrong"


def training_text(use: TrainingUse | None) -> str:
    """Return what the training used, in lines."""
    if use is None:
        return "The model does not say what it was trained with."
    images = "" if use.images is None else f"{use.images} in the training set, "
    lines = [f"Images: {images}{use.included} of which something was used"]
    lines += [_of_roles("Boxes", use.boxes), _of_roles("Objects", use.objects), _of_roles("Voxels", use.voxels)]
    if use.objects_per_image is not None:
        lines.append(f"Objects per training image: {use.objects_per_image:.1f} in the mean")
    lines.append(f"Classes: {', '.join(use.classes)}")
    lines.append(use.notes)
    lines += [f"Warning at the start: {text}" for text in use.warnings] or ["No warnings at the start."]
    return "\n".join(line for line in lines if line)


def _of_roles(what: str, counts: dict[Role, int]) -> str:
    return f"{what}: {', '.join(f'{count:,} {role}' for role, count in counts.items())}" if counts else ""


def threshold_plot(evaluation: ModelEvaluation, role: Role) -> tuple[str, dict[str, Any]] | None:
    """Return which plot to draw of a role, and what in it; None where there is nothing over the threshold."""
    marks = {"locked": evaluation.model.threshold}
    best = best_threshold(evaluation)
    if best is not None:
        marks["best on validation"] = best
    agreement = agreement_curve(evaluation, role)
    if agreement is not None:
        names = (("voi", "both"), ("voi_split", "split"), ("voi_merge", "merge"))
        x = np.asarray(agreement.thresholds)
        lines = {words: (x, np.asarray([row[name] for row in agreement.rows])) for name, words in names}
        highest = max(1.0, 3 * min(row["voi"] for row in agreement.rows))
        return "agreement", {"lines": lines, "marks": marks, "highest": highest}
    curve = threshold_curve(evaluation, role)
    if curve is None:
        return None
    x = curve.thresholds
    return "threshold", {
        "lines": {"F1": (x, curve.f1), "precision": (x, curve.precision), "recall": (x, curve.recall)},
        "marks": marks,
    }


def threshold_text(evaluation: ModelEvaluation) -> str:
    """Return what is locked, and what would be best."""
    locked, best = evaluation.model.threshold, best_threshold(evaluation)
    if best is None:
        return f"{locked:.3f} is locked into the model. Without validation boxes none is offered: test must not choose."
    return f"{locked:.3f} is locked into the model; {best:.3f} serves validation best."


def trust_plot(evaluation: ModelEvaluation, role: Role) -> tuple[str, dict[str, Any]] | None:
    """Return what to say of the scores of a role, and what to draw."""
    found = trust(evaluation, role)
    if found is None or not found.bins:
        return None
    score, share, count = (np.asarray(column, float) for column in zip(*found.bins, strict=True))
    parts = [f"Expected calibration error {found.error:.3f}: by how much scores miss the truth, 0 is best."]
    if found.auroc is not None:
        close = "" if found.auroc_close is None else f", {found.auroc_close:.3f} for outlines that fit closely"
        parts.append(f"AUROC {found.auroc:.3f}{close}: how well scores tell right from wrong, 0.5 is chance.")
    lines = {"as it should be": (np.array([0.0, 1.0]), np.array([0.0, 1.0])), "scores": (score, share)}
    return " ".join(parts), {"lines": lines, "sizes": (6 + 10 * count / count.max()).tolist()}
