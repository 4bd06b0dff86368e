"""The report of an evaluation: one page of HTML that holds everything, pictures too, and tables as CSV."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import VolumeError
from ..volumes.atomic import atomic_write_text, refuse_existing
from .box_records import read_box
from .box_results import ModelEvaluation, ObjectError
from .figures import (
    Figure,
    Trust,
    agreement_curve,
    best_threshold,
    class_figures,
    figures,
    kind_of,
    shown_figures,
    threshold_curve,
    trust,
)
from .model_tables import table_path, write_tables
from .outcome import COLOURS, MEANINGS
from .outline_pictures import BoxPictures
from .plots import agreement_svg, calibration_svg, curve_svg
from .report import WORDS

MOST_BOXES, MOST_ERRORS = 24, 24
_PER_BOX = 4
"""Pictures of errors of one box, so that one bad box does not hide all others."""
_CLASS_WORDS = {"iou": "IoU", "dice": "Dice", "precision": "Precision", "recall": "Recall", "voxels": "Voxels in truth"}

Picture = tuple[str, str]
Watch = Callable[[int, int], None]


def write_model_report(evaluation: ModelEvaluation, path: Path, watch: Watch | None = None) -> list[Path]:
    """Write a self-contained HTML report, and the tables of `model_tables` beside it.

    Parameters
    ----------
    evaluation : ModelEvaluation
        Read from the folder of its job, which holds what pictures are made from; without it there are none.
    path : Path
        The ``.html`` file.
    watch : callable, optional
        Called with boxes drawn and boxes in all.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    OutputExistsError
        If the page or a table exists.
    StorageError
        If they cannot be written.
    """
    refuse_existing(path)
    stem = path.with_suffix("")
    refuse_existing(table_path(stem, "figures"))
    page = report_html(evaluation, watch)
    tables = write_tables(evaluation, stem)
    atomic_write_text(path, page, overwrite=False)
    return [path, *tables]


def report_html(evaluation: ModelEvaluation, watch: Watch | None = None) -> str:
    """Return the page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("napari_aitrain.evaluation"), autoescape=True, undefined=StrictUndefined
    )
    boxes, errors = _pictures(evaluation, watch)
    model = evaluation.model
    return environment.get_template("model_report.html.j2").render(
        model=model,
        evaluation=evaluation,
        use=evaluation.training,
        kind=kind_of(model),
        roles=[(role, len(evaluation.of_role(role))) for role in evaluation.roles],
        rows=_figure_rows(evaluation),
        classes=_class_rows(evaluation),
        best=best_threshold(evaluation),
        plots=list(_plots(evaluation)),
        mistakes=_mistakes(evaluation),
        boxes=boxes,
        errors=errors,
        colours={name: "rgb({}, {}, {})".format(*colour) for name, colour in COLOURS.items()},
        meanings=MEANINGS,
        left_out=max(0, len(evaluation.boxes) - len(boxes)),
    )


def spoken(figure: Figure | None, name: str = "") -> tuple[str, str]:
    """Return a figure and its interval as people read them; an empty interval where there is none."""
    if figure is None:
        return "–", ""
    counted = name.startswith("n_") or name == "voxels"
    digits = 0 if counted else 3
    low, high = (None, None) if counted or figure.interval is None else figure.interval
    between = "" if low is None or high is None else f"{low:.{digits}f} – {high:.{digits}f}"
    return f"{figure.value:,.{digits}f}", between


def _figure_rows(evaluation: ModelEvaluation) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Return name, meaning, and figure with interval per role."""
    columns = [figures(evaluation.of_role(role)) for role in evaluation.roles]
    names = [name for name in shown_figures(evaluation.model) if any(name in column for column in columns)]
    return [(*WORDS[name], [spoken(column.get(name), name) for column in columns]) for name in names]


def _class_rows(evaluation: ModelEvaluation) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Return class, name of the figure, and figure with interval per role."""
    columns = [class_figures(evaluation.of_role(role)) for role in evaluation.roles]
    numbers = list(dict.fromkeys(number for column in columns for number in column))
    names = evaluation.model.class_names
    rows = []
    for number in numbers:
        for key, words in _CLASS_WORDS.items():
            values = [spoken(column.get(number, {}).get(key), key) for column in columns]
            rows.append((names.get(number, f"class {number}"), words, values))
    return rows


def _plots(evaluation: ModelEvaluation) -> Iterator[dict[str, Any]]:
    """Yield the plots of each role."""
    from markupsafe import Markup

    locked, best = evaluation.model.threshold, best_threshold(evaluation)
    for role in evaluation.roles:
        curve, agreement = threshold_curve(evaluation, role), agreement_curve(evaluation, role)
        found = trust(evaluation, role)
        offered = best if role == "validation" else None
        yield {
            "role": role,
            "curve": "" if curve is None else Markup(curve_svg(curve, locked, offered)),
            "agreement": "" if agreement is None else Markup(agreement_svg(agreement)),
            "calibration": "" if found is None or not found.bins else Markup(calibration_svg(found.bins)),
            "trust": "" if found is None else _said(found),
        }


def _said(found: Trust) -> str:
    parts = [f"expected calibration error {found.error:.3f}"]
    if found.auroc is not None:
        parts.append(f"AUROC {found.auroc:.3f}")
    if found.auroc_close is not None:
        parts.append(f"AUROC for IoU ≥ 0.75 {found.auroc_close:.3f}")
    return "; ".join(parts)


def _mistakes(evaluation: ModelEvaluation) -> list[tuple[str, list[int]]]:
    """Return, for each kind, how many objects are wrong per role."""
    kinds = ("missed", "false", "merged", "split")
    if not any(box.mistakes for box in evaluation.boxes):
        return []
    each = [[box.mistakes for box in evaluation.of_role(role)] for role in evaluation.roles]
    return [(kind, [sum(one.get(kind, 0) for one in boxes) for boxes in each]) for kind in kinds]  # type: ignore[call-overload]


def _pictures(evaluation: ModelEvaluation, watch: Watch | None) -> tuple[list[Picture], list[Picture]]:
    """Return pictures of boxes, test boxes first, and of the worst errors, with captions."""
    folder = evaluation.folder
    if folder is None:
        return [], []
    kind = kind_of(evaluation.model)
    boxes = [box for role in reversed(evaluation.roles) for box in evaluation.of_role(role)]
    wanted = _chosen_errors(evaluation)
    drawn = {box.number for box in boxes[:MOST_BOXES]} | {error.box for error in wanted}
    overviews: list[Picture] = []
    closer: dict[int, Picture] = {}
    for done, box in enumerate(box for box in boxes if box.number in drawn):
        if watch is not None:
            watch(done, len(drawn))
        try:
            pictures = BoxPictures(box, read_box(folder, box.number), kind, evaluation.model.classes[0])
        except VolumeError:
            continue
        if done < MOST_BOXES:
            overviews.append((f"{box.name} ({box.role})", _data(pictures.overview())))
        for place, error in enumerate(wanted):
            if error.box == box.number:
                closer[place] = _caption(error, box.name), _data(pictures.error(error))
    return overviews, [closer[place] for place in sorted(closer)]


def _chosen_errors(evaluation: ModelEvaluation) -> Sequence[ObjectError]:
    """Return the worst errors, of test boxes if there are any."""
    roles = evaluation.roles
    if not roles:
        return []
    role = roles[-1]
    chosen: list[ObjectError] = []
    for error in evaluation.errors_of(role):
        if sum(one.box == error.box for one in chosen) < _PER_BOX or len(evaluation.of_role(role)) == 1:
            chosen.append(error)
    return chosen[:MOST_ERRORS]


def _caption(error: ObjectError, box: str) -> str:
    z, y, x = (round(v) for v in error.centre)
    parts = [error.kind + (f" ({error.objects})" if error.objects > 1 else ""), box, f"x {x}, y {y}, z {z}"]
    if error.score is not None:
        parts.append(f"score {error.score:.2f}")
    return " · ".join(parts)


def _data(png: bytes) -> str:
    return base64.b64encode(png).decode()
