"""Classes beside the labels of a prediction, by the classifier that was trained together with the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..inference.blocks import Cancelled, Progress
from ..inference.tables import write_table
from ..models import Model
from .classifier import CLASSIFIER, read_classifier
from .files import Given, How, measure_given
from .table import PRECISE
from .writing import columns_of

if TYPE_CHECKING:
    from ..inference.run import PredictedImage


def has_classes(model: Model) -> bool:
    """Whether a classifier of objects lies beside a model."""
    return model.folder.is_dir() and (model.folder / CLASSIFIER).is_file()


def classes_path(out: Path) -> Path:
    """Return where the classes of an output lie: ``OUT.classes.csv`` beside it."""
    return out.with_name(f"{out.name}.classes.csv")


def classify_outputs(
    model: Model,
    images: Sequence[PredictedImage],
    how: How,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> dict[Path, dict[str, int]]:
    """Write a table of classes, probabilities and features beside the labels of each predicted image.

    Parameters
    ----------
    model : Model
        That has a classifier, see `has_classes`.
    images : sequence of PredictedImage
        What was predicted.
    how : How
        How the images were opened.
    progress, cancelled : callable, optional
        As for a prediction.

    Returns
    -------
    dict
        Of each table how many objects have which class.

    Raises
    ------
    AitrainError
        If a file cannot be read or written.
    """
    classifier = read_classifier(model.folder)
    seeing = model if classifier.embedding is not None else None
    found: dict[Path, dict[str, int]] = {}
    for one in images:
        asked: dict[str, Any] = {**vars(how), "model": seeing, "dims": classifier.dims}
        table = measure_given(Given(one.image, one.out), How(**asked), progress, cancelled)
        classes = classifier.classify(table)
        path = classes_path(one.out)
        write_table(path, columns_of(table, classes), significant=PRECISE)
        found[path] = classes.counts()
    return found
