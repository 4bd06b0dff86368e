"""Everything that an evaluation found as tables, for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..volumes.atomic import atomic_write_text, refuse_existing
from .box_results import ModelEvaluation
from .figures import Figure, class_figures, figures, shown_figures, threshold_curve, trust

TABLES = ("figures", "boxes", "objects", "thresholds", "calibration")
Row = Sequence[object]


def write_tables(evaluation: ModelEvaluation, stem: Path) -> list[Path]:
    """Write ``STEM.figures.csv``, and so on for each of `TABLES`.

    Raises
    ------
    OutputExistsError
        If one of them exists.
    StorageError
        If they cannot be written.
    """
    made = {
        "figures": figure_rows(evaluation),
        "boxes": box_rows(evaluation),
        "objects": object_rows(evaluation),
        "thresholds": threshold_rows(evaluation),
        "calibration": calibration_rows(evaluation),
    }
    files = {table_path(stem, name): rows for name, rows in made.items()}
    for file in files:
        refuse_existing(file)
    for file, rows in files.items():
        atomic_write_text(file, as_csv(rows), overwrite=False)
    return list(files)


def table_path(stem: Path, name: str) -> Path:
    """Return where a table lies."""
    return stem.with_name(f"{stem.name}.{name}.csv")


def as_csv(rows: Iterable[Row]) -> str:
    """Return rows as CSV text."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def figure_rows(evaluation: ModelEvaluation) -> Iterable[Row]:
    """Yield figures of each role, and of each class, with the ends of their intervals."""
    yield "role", "class", "figure", "value", "low", "high", "boxes"
    names = evaluation.model.class_names
    for role in evaluation.roles:
        boxes = evaluation.of_role(role)
        for name, figure in figures(boxes).items():
            yield role, "", name, *_numbers(figure), len(boxes)
        for number, of_class in class_figures(boxes).items():
            for name, figure in of_class.items():
                yield role, names.get(number, number), name, *_numbers(figure), len(boxes)


def _numbers(figure: Figure) -> tuple[float | str, ...]:
    return (figure.value, *(figure.interval or ("", "")))


def box_rows(evaluation: ModelEvaluation) -> Iterable[Row]:
    """Yield what each box gave."""
    shown = shown_figures(evaluation.model)
    kinds = ("missed", "false", "merged", "split")
    ends = [f"{end}_{axis}" for end in ("start", "stop") for axis in "zyx"]
    yield "number", "role", "name", "image", *ends, *shown, *kinds
    for box in evaluation.boxes:
        found = figures([box], with_intervals=False)
        values = [found[name].value if name in found else "" for name in shown]
        counts = [box.mistakes.get(kind, "") for kind in kinds]  # type: ignore[call-overload]
        yield box.number, box.role, box.name, box.source, *box.start, *box.stop, *values, *counts


def object_rows(evaluation: ModelEvaluation) -> Iterable[Row]:
    """Yield objects that are wrong, the worst first; places are voxels of the image."""
    yield "kind", "role", "box", "image", "z", "y", "x", "voxels", "wrong_voxels", "score", "iou", "objects", "class"
    boxes = {box.number: box for box in evaluation.boxes}
    for error in evaluation.errors:
        box = boxes[error.box]
        yield (
            error.kind, box.role, box.name, box.source, *error.centre, error.size, error.wrong,
            "" if error.score is None else error.score, error.iou, error.objects,
            "" if error.class_id is None else error.class_id,
        )  # fmt: skip


def threshold_rows(evaluation: ModelEvaluation) -> Iterable[Row]:
    """Yield precision, recall and F1 at each threshold."""
    yield "role", "threshold", "precision", "recall", "f1"
    for role in evaluation.roles:
        curve = threshold_curve(evaluation, role)
        if curve is not None:
            for row in zip(curve.thresholds, curve.precision, curve.recall, curve.f1, strict=True):
                yield role, *(round(float(value), 6) for value in row)


def calibration_rows(evaluation: ModelEvaluation) -> Iterable[Row]:
    """Yield how often predictions of each score are right."""
    yield "role", "mean_score", "share_right", "predictions"
    for role in evaluation.roles:
        found = trust(evaluation, role)
        for score, share, count in [] if found is None else found.bins:
            yield role, round(float(score), 6), round(float(share), 6), count
