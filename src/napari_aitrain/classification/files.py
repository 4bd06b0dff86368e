"""Measures what is to be classified, in files: images with labels, or with boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ..annotation.boxes import Box, read_boxes
from ..errors import ConfigError
from ..geometry import Region
from ..inference.blocks import Cancelled, Progress
from ..location import Location
from ..models import Model
from ..volumes import Volume, open_volume
from ..volumes.opening import settle_axes
from ..volumes.units import VoxelSize
from .classifier import ObjectClassifier
from .measuring import at_labels, measure_boxes, measure_objects
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
