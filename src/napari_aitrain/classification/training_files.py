"""Learns a classifier from files: images, labels or boxes, and a CSV of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import ConfigError
from ..geometry import Region
from ..inference.blocks import Cancelled, Progress
from ..volumes import Volume, open_volume, read_labels
from .classifier import ObjectClassifier
from .examples import Marked
from .files import Given, How, measure_given
from .fitting import fit_classifier
from .marks import Choice, Mark, read_marks
from .sheets import merged


@dataclass(frozen=True)
class Trained:
    """A classifier, and the marks whose objects are not there.

    Parameters
    ----------
    classifier : ObjectClassifier
        What was learned.
    gone : int
        Marks that name no object.
    objects : int
        Objects that were measured.
    """

    classifier: ObjectClassifier
    gone: int
    objects: int


def train_from_files(
    given: Sequence[Given],
    marks: Sequence[Path],
    how: How,
    *,
    choice: Choice = "single",
    name: str = "classifier",
    seed: int = 0,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Trained:
    """Learn a classifier from files.

    Parameters
    ----------
    given : sequence of Given
        Images with their labels or boxes.
    marks : sequence of Path
        One file per image, see `read_marks`.
    how : How
        Holds for all images.
    choice : {'single', 'multi'}
        Of marks in CSV files.
    name, seed
        See `fit_classifier`.
    progress, cancelled : callable, optional
        As for a prediction.

    Raises
    ------
    AitrainError
        If files cannot be read or do not go together, or too little was marked.
    """
    if not given or len(given) != len(marks):
        raise ConfigError(
            f"there are {len(given)} images and {len(marks)} files of classes",
            "one file of ids and classes per image, in the same order",
            "write for example: -i a.tif -l a-labels.tif -c a.csv -i b.tif -l b-labels.tif -c b.csv",
        )
    kind: Literal["objects", "boxes"] = "objects" if given[0].boxes is None else "boxes"
    sheet, sheets = merged([read_marks(path, choice, kind) for path in marks])
    marked, gone = [], 0
    for one, own in zip(given, sheets, strict=True):
        table = measure_given(one, how, progress, cancelled)
        there = set(table.ids.tolist())
        labels = None if one.labels is None else open_volume(one.labels, kind="labels")
        answers, lost = own.resolved(lambda mark, there=there, labels=labels: _id_of(mark, there, labels))  # type: ignore[misc]
        gone += len(lost)
        marked.append(Marked(table, answers))
    model_name = "" if how.model is None else how.model.card.name
    classifier = fit_classifier(marked, sheet, name=name, model_name=model_name, seed=seed)
    return Trained(classifier, gone, sum(len(one.table) for one in marked))


def _id_of(mark: Mark, there: set[int], labels: Volume | None) -> int:
    if mark.at is not None and labels is not None:
        if not all(0 <= i < n for i, n in zip(mark.at, labels.shape, strict=True)):
            return 0
        return int(read_labels(labels, Region.from_shape((1, 1, 1), mark.at)).item())
    return mark.id if mark.id in there else 0
