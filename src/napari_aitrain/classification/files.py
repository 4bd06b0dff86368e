"""Classifying files: images, labels and a CSV of classes give a classifier, and that gives tables and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..annotation.boxes import Box, read_boxes
from ..errors import ConfigError
from ..geometry import Region, tiles
from ..inference.blocks import Cancelled, Progress
from ..inference.tables import Columns
from ..location import Location
from ..models import Model
from ..volumes import LabelsWriter, Volume, open_volume, read_labels
from ..volumes.opening import settle_axes
from ..volumes.units import VoxelSize
from .classified import Classified
from .classifier import ObjectClassifier
from .examples import Marked
from .fitting import fit_classifier
from .marks import Choice, Mark, read_marks
from .measuring import BLOCK_2D, BLOCK_3D, at_labels, measure_boxes, measure_objects
from .sheets import merged
from .table import FeatureTable


@dataclass(frozen=True)
class How:
    """How images are opened and seen.

    Parameters
    ----------
    channels, axes, voxel_size
        See `open_volume`.
    dims : {2, 3}, optional
        See `measure_objects`.
    model : Model, optional
        Whose embedding is a part of the features.
    device : str
        Where its network is computed.
    """

    channels: Sequence[str | int] | None = None
    axes: str | None = None
    voxel_size: VoxelSize | None = None
    dims: Literal[2, 3] | None = None
    model: Model | None = None
    device: str = "auto"


@dataclass(frozen=True)
class Given:
    """An image, and what is classified in it.

    Parameters
    ----------
    image : path or URL
        The image.
    labels : path or URL, optional
        Its objects.
    boxes : Path, optional
        A file of boxes, instead.
    """

    image: Location | str
    labels: Location | str | None = None
    boxes: Path | None = None


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


def measure_given(
    given: Given, how: How, progress: Progress | None = None, cancelled: Cancelled | None = None
) -> FeatureTable:
    """Measure the objects, or boxes, of an image that is a file; with the embedding of the model, if there is one.

    Raises
    ------
    AitrainError
        See `measure_objects`, `measure_boxes` and `embed_objects`.
    """
    if given.labels is None and given.boxes is None:
        raise ConfigError("neither labels nor boxes are given", "one of both", "add --labels LABELS or --boxes BOXES")
    labels = None if given.labels is None else open_volume(given.labels, kind="labels", voxel_size=how.voxel_size)
    boxes = None if given.boxes is None else read_boxes(given.boxes)
    return measure(labels, boxes, _open_image(given.image, labels, how), how, progress, cancelled)


def measure(
    labels: Volume | None,
    boxes: Sequence[Box] | None,
    image: Volume | None,
    how: How,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> FeatureTable:
    """Measure objects of labels, or boxes; with the embedding of the model, if there is one."""

    def told(what: str) -> _Told:
        return _Told(progress, what)

    if labels is not None:
        table = measure_objects(
            labels, image, dims=how.dims, voxel_size=how.voxel_size, progress=told("measuring"), cancelled=cancelled
        )
    else:
        assert image is not None and boxes is not None
        regions = [Region(box.start, box.stop) for box in boxes]
        table = measure_boxes(image, regions, voxel_size=how.voxel_size, cancelled=cancelled)
    if how.model is None or not len(table):
        return table
    if image is None:
        raise ConfigError("a model is to look at objects, and there is no image", "the image", "choose it, or no model")
    from ..inference import make_network
    from .embedding import embed_boxes, embed_objects

    network = make_network(how.model, how.device)
    if labels is None:
        return embed_boxes(table, regions, image, how.model, network, cancelled=cancelled)
    return embed_objects(
        table, labels, image, how.model, network, progress=told("looking with the network"), cancelled=cancelled
    )


class _Told:
    """Progress of one part of the work."""

    def __init__(self, progress: Progress | None, what: str) -> None:
        self._progress, self._what = progress, what

    def __call__(self, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress(done, total, self._what)


def columns_of(table: FeatureTable, found: Classified | None, threshold: float = 0.0) -> Columns:
    """Return a table for people: id, class and probabilities, then all features."""
    classes = {} if found is None else found.columns(threshold)
    return {**classes, **{name: values for name, values in table.columns().items() if name not in classes}}


def write_classes(
    path: Path, labels: Volume, found: Classified, threshold: float = 0.0, attribute: int | None = None
) -> int:
    """Write labels in which each object has the number of its class, block by block.

    Parameters
    ----------
    path : Path
        ``.tif`` or ``.ome.zarr``.
    labels : Volume
        The objects.
    found : Classified
        Their classes.
    threshold : float
        Objects that are less sure get a number of their own, the one above all classes.
    attribute : int, optional
        Of attributes: which; objects without it get the number above it.

    Returns
    -------
    int
        The number of unsure objects.

    Raises
    ------
    OutputExistsError, StorageError, ConfigError
        See `LabelsWriter`.
    """
    best, sure = found.best(attribute)
    unsure = max(one.id for one in found.classes) + 1
    if attribute is not None:
        best = np.where(best == attribute, best, unsure)
        unsure += 1
    numbers = np.where(sure >= threshold, best, unsure)
    block = BLOCK_2D if labels.shape[0] == 1 else BLOCK_3D
    writer = LabelsWriter(path, labels.shape, voxel_size=labels.voxel_size, max_id=unsure, image=labels.path)
    with writer:
        for tile in tiles(labels.region, block):
            writer.write(tile.core, looked_up(read_labels(labels, tile.core), found.ids, numbers))
    return unsure


def looked_up(
    labels: npt.NDArray[np.int32], ids: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return labels with the number of each object in the place of its id; 0 for others."""
    if not len(ids):
        return np.zeros(labels.shape, np.int64)
    rows = np.searchsorted(ids, labels).clip(0, len(ids) - 1)
    return np.where(ids[rows] == labels, numbers[rows], 0)


def check_model(classifier: ObjectClassifier, how: How) -> How:
    """Return how to look at images for a classifier: with a model only if it was trained with it.

    Raises
    ------
    ConfigError
        If it was trained with a model, and none is given.
    """
    if classifier.embedding is None:
        return replace(how, model=None)
    if how.model is None:
        raise ConfigError(
            f"{classifier.name} also looks at what the model {classifier.embedding.name} sees in objects",
            "that model",
            f"add --model {classifier.embedding.name}",
        )
    return how


def _open_image(path: Location | str, labels: Volume | None, how: How) -> Volume:
    def asking(axes: str | None) -> Volume:
        return open_volume(path, channels=how.channels, axes=axes, voxel_size=how.voxel_size)

    def agrees(volume: Volume) -> bool:
        return labels is None or volume.shape == labels.shape

    image = settle_axes(asking(how.axes), agrees, asking)
    return image if labels is None else at_labels(image, labels)


def _id_of(mark: Mark, there: set[int], labels: Volume | None) -> int:
    if mark.at is not None and labels is not None:
        if not all(0 <= i < n for i, n in zip(mark.at, labels.shape, strict=True)):
            return 0
        return int(read_labels(labels, Region.from_shape((1, 1, 1), mark.at)).item())
    return mark.id if mark.id in there else 0
