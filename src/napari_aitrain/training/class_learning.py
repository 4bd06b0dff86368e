"""Learns the classes of ground truth objects when the segmentation has been learned.

Both are trained in one go, since the classifier takes what the trained network sees. It lies beside the model's card,
so that a prediction gives classes as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ValidationError

from ..classification.classifier import CLASSIFIER, ObjectClassifier
from ..classification.embedding import embed_objects
from ..classification.examples import Marked
from ..classification.fitting import fit_classifier
from ..classification.marks import Mark, MarkSheet, ids_at
from ..classification.measuring import labels_volume, measure_objects
from ..classification.sheets import merged
from ..classification.table import FeatureTable
from ..errors import AitrainError
from ..geometry import triple
from ..inference.predictor import Network
from ..models import Model
from ..volumes import Volume
from .cropset import FOLDER, Crop
from .object_classes import FILE, KeptClasses
from .setup import Setup

_PAYS = 0.02
"""Share of objects that must be right more often before a prediction runs the network once more, for its embedding."""


def fit_classes(setup: Setup, folder: Path, model: Model, network: Network) -> str:
    """Learn the classes of ground truth objects, if there are some, and keep the classifier with the model.

    Parameters
    ----------
    setup : Setup
        Of the training that has ended.
    folder : Path
        Of the job.
    model : Model
        That was saved.
    network : Network
        Its network.

    Returns
    -------
    str
        What to tell; empty where there were no classes. Trouble is told, too: the segmentation is there all the same.
    """
    path = folder / FOLDER / FILE
    if not path.is_file():
        return ""
    try:
        kept = KeptClasses.model_validate_json(path.read_bytes())
        sheet, sheets = merged(list(kept.sheets.values()))
        by_image = dict(zip(kept.sheets, sheets, strict=True))
        train = list(_marked(setup, by_image, "train"))
        classifier, seen = _fit(setup, model, network, train, sheet)
        classifier.save(model.folder / CLASSIFIER)
        held_out = _held_out(setup, by_image, classifier, seen, model, network)
    except (AitrainError, ValidationError) as error:
        told = error.what if isinstance(error, AitrainError) else str(error).splitlines()[0]
        return f"Classes of objects could not be learned: {told}."
    measured = classifier.measured
    assert measured is not None
    right = f"{measured.accuracy:.0%} right of those left out in turn"
    if held_out is not None:
        right += f", {held_out:.0%} of those of validation"
    return f"Classes of objects are learned from {sum(measured.marked.values())}: {right}."


def _fit(
    setup: Setup, model: Model, network: Network, train: list[tuple[Crop, Marked]], sheet: MarkSheet
) -> tuple[ObjectClassifier, bool]:
    """Return the classifier, and whether it takes what the network sees."""
    plain = fit_classifier([one for _, one in train], sheet, name=setup.config.name, seed=setup.config.seed)
    try:
        embedded = [replace(one, table=_embedded(crop, one, setup, model, network)) for crop, one in train]
    except AitrainError:
        return plain, False
    other = fit_classifier(
        embedded, sheet, name=setup.config.name, model_name=setup.config.name, seed=setup.config.seed
    )
    assert plain.measured is not None and other.measured is not None
    pays = other.embedding is not None and other.measured.accuracy > plain.measured.accuracy + _PAYS
    return (other, True) if pays else (plain, False)


def _held_out(
    setup: Setup,
    by_image: dict[str, MarkSheet],
    classifier: ObjectClassifier,
    seen: bool,
    model: Model,
    network: Network,
) -> float | None:
    """Return the share of marked validation objects that are right; None if there are none."""
    right: list[bool] = []
    for crop, one in _marked(setup, by_image, "validation"):
        table = _embedded(crop, one, setup, model, network) if seen else one.table
        found = classifier.classify(table)
        rows = table.rows_of(list(one.answers))
        for number, output in enumerate(classifier.classes):
            said = np.array([output.id in answer for answer in one.answers.values()])
            if classifier.choice == "multi":
                right += ((found.probability[rows, number] >= 0.5) == said).tolist()
        if classifier.choice == "single":
            best, _ = found.best()
            right += [answer == (number,) for answer, number in zip(one.answers.values(), best[rows], strict=True)]
    return float(np.mean(right)) if right else None


def _marked(
    setup: Setup, by_image: dict[str, MarkSheet], role: Literal["train", "validation"]
) -> Iterator[tuple[Crop, Marked]]:
    """Yield the crops of a role in which objects have classes, measured."""
    for crop in setup.crops.of_role(role):
        sheet = by_image.get(crop.source)
        if sheet is None:
            continue
        ids = np.maximum(crop.labels, 0)
        local = sheet.model_copy(update={"marks": tuple(_in_crop(mark, crop) for mark in sheet.marks)})
        answers, _ = local.resolved(ids_at(ids))
        if not answers:
            continue
        table = measure_objects(
            labels_volume(ids, crop.voxel_size), _image(crop, setup), dims=2 if setup.dims == 2 else 3
        )
        # What the box cuts is not seen whole.
        whole = {one: answers[one] for one, row in zip(answers, table.rows_of(list(answers)), strict=True)
                 if not table.at_edge[row]}  # fmt: skip
        yield crop, Marked(table, whole if 2 * len(whole) >= len(answers) else answers)


def _in_crop(mark: Mark, crop: Crop) -> Mark:
    if mark.at is None:
        return mark
    return mark.model_copy(update={"at": triple([a - s for a, s in zip(mark.at, crop.start, strict=True)])})


def _image(crop: Crop, setup: Setup) -> Volume:
    return Volume.from_array(
        crop.image, name=crop.name, axes="czyx", channels=setup.crops.channels, voxel_size=crop.voxel_size
    )


def _embedded(crop: Crop, one: Marked, setup: Setup, model: Model, network: Network) -> FeatureTable:
    labels = labels_volume(np.maximum(crop.labels, 0), crop.voxel_size)
    return embed_objects(one.table, labels, _image(crop, setup), model, network)
