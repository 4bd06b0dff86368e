"""The images of a training set: which files belong together, and what they say of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..annotation.boxes import Box
from ..annotation.sparse_boxes import painted_boxes
from ..annotation.sparse_files import is_sparse
from ..errors import AitrainError, BoxError, GroundTruthError
from ..geometry import Region, Triple, align_inwards
from ..location import Location
from ..tasks import get_task
from ..volumes import Volume, check_not_swapped, explain_shape_mismatch, match_files, open_volume
from ..volumes.opening import settle_axes
from ..volumes.place import Place
from ..volumes.units import VoxelSize
from ..volumes.webknossos import annotated_boxes
from .config import Source, TrainConfig
from .object_classes import read_object_classes
from .separation import SeparatedLabels, Separation


@dataclass(frozen=True)
class SourceImage:
    """One image with its ground truth. Files are opened when needed, so that thousands of them can be named.

    Parameters
    ----------
    source : Source
        The training source of the config that names it.
    image, labels : Path or Url
        The two files.
    name : str
        What people call it: the name of the image file.
    shape : tuple of int
        In z, y, x order, in voxels of the finest level.
    channels : tuple of str
        Names of the channels used.
    dtype : dtype
        Of the image.
    voxel_size : tuple of float or None
        Nanometres in z, y, x order at the training magnification; None when unknown.
    image_magnifications, labels_magnifications : tuple of tuple of int
        What is stored; any other is computed.
    axes_guessed : bool
        Whether the axes are a guess from the shape alone.
    boxes : tuple of Box
        The boxes of the config that are to be used; the whole image where the source has none.
    place : Place or None
        Where the image lies, for ground truth that knows its own.
    chosen : tuple of int
        The classes to tell apart; none means all, and where labels are ids of objects.
    separation : Separation or None
        How ids of the file become ids of objects, where they are not.
    """

    source: Source
    image: Location
    labels: Location
    name: str
    shape: Triple
    channels: tuple[str, ...]
    dtype: np.dtype[Any]
    voxel_size: VoxelSize | None
    image_magnifications: tuple[Triple, ...]
    labels_magnifications: tuple[Triple, ...]
    axes_guessed: bool
    boxes: tuple[Box, ...]
    place: Place | None = None
    chosen: tuple[int, ...] = ()
    separation: Separation | None = None

    @property
    def magnification(self) -> Triple:
        """The training magnification in z, y, x order."""
        return self.source.magnification_zyx

    @property
    def drawn(self) -> bool:
        """Whether a person drew the boxes."""
        return bool(self.source.boxes)

    def is_sparse(self, box: Box) -> bool:
        """Whether 0 means unlabelled in a box."""
        return self.source.sparse if box.sparse is None else box.sparse

    def aligned(self, box: Box) -> Region:
        """Return the part of a box inside the image, in whole voxels of the training magnification."""
        return align_inwards(box.region.intersect(Region.from_shape(self.shape)), self.magnification)

    def open_image(self) -> Volume:
        """Open the image at the training magnification."""
        return self.open_finest().at(self.magnification)

    def open_finest(self) -> Volume:
        """Open the image as it is."""
        return _open_image(self.source, self.image)

    @cached_property
    def fingerprint(self) -> str:
        """What changes when the image file does; see `volumes.fingerprint`."""
        return self.open_finest().fingerprint

    def open_labels(self) -> Volume:
        """Open the ground truth at the training magnification, with an id per object."""
        return self._open_ids() if self.separation is None else self.separated_labels().as_volume()

    def separated_labels(self) -> SeparatedLabels:
        """Return the ground truth with objects told apart by `separation`, box by box."""
        assert self.separation is not None
        boxes = [self.aligned(box) for box in self.boxes]
        return SeparatedLabels(self._open_ids(), boxes, self.separation, self.voxel_size, self.source.background_id)

    def _open_ids(self) -> Volume:
        return open_volume(self.labels, kind="labels", onto=self.place).at(self.magnification)


@dataclass(frozen=True)
class OpenedSources:
    """What `open_sources` found.

    Parameters
    ----------
    images : tuple of SourceImage
        Those that can be used.
    problems : tuple of AitrainError
        One per file or source that cannot.
    strays : tuple of Path
        Files of folders that have no partner and are left out.
    """

    images: tuple[SourceImage, ...]
    problems: tuple[AitrainError, ...] = ()
    strays: tuple[Path, ...] = ()


def open_sources(config: TrainConfig) -> OpenedSources:
    """Open every file of a training set once; what cannot be used is told instead of raised.

    Parameters
    ----------
    config : TrainConfig
        Whose sources are meant; a folder of images becomes one entry per image.
    """
    images: list[SourceImage] = []
    problems: list[AitrainError] = []
    strays: list[Path] = []
    for source in config.sources:
        try:
            found = match_files(source.image, source.labels)
            _one_image_per_box(source, len(found.pairs))
            read_object_classes(source)
        except AitrainError as error:
            problems.append(error)
            continue
        strays += [*found.images_alone, *found.labels_alone]
        for pair in found.pairs:
            try:
                images.append(_open_pair(config, source, pair.image, pair.labels))
            except AitrainError as error:
                problems.append(error)
    return OpenedSources(tuple(images), tuple(problems), tuple(strays))


def _one_image_per_box(source: Source, count: int) -> None:
    if source.boxes and count > 1:
        raise BoxError(
            f"{source.image} holds {count} images, but boxes belong to one",
            "boxes beside a single image",
            "write one source per image that has boxes",
        )


def _open_pair(config: TrainConfig, source: Source, image: Location, labels: Location) -> SourceImage:
    guess = _open_image(source, image)
    truth = open_volume(labels, kind="labels", onto=guess.place)
    if guess.finest_voxel_size is None and truth.cut_from is not None:
        # An annotation says how large a voxel of its dataset is, where a copy of the image in another format does not.
        source = source.model_copy(update={"voxel_size": truth.finest_voxel_size})
        guess = _open_image(source, image)
    raw = settle_axes(
        guess,
        lambda volume: volume.shape == truth.shape,
        lambda axes: _open_image(source.model_copy(update={"axes": axes}), image),
    )
    if raw is not guess:
        source = source.model_copy(update={"axes": raw.axes})
    if len(truth.channels) != 1:
        raise GroundTruthError(
            f"the labels in {labels} have {len(truth.channels)} channels",
            "one number per voxel",
            "save the ground truth as one channel of whole numbers",
        )
    if raw.shape != truth.shape:
        raise explain_shape_mismatch(raw, truth)
    check_not_swapped(raw, truth)
    if not source.boxes:
        source = source.model_copy(update={"boxes": _own_boxes(labels, truth)})
    return SourceImage(
        source=source,
        image=image,
        labels=labels,
        name=image.name,
        shape=raw.shape,
        channels=raw.channels,
        dtype=raw.dtype,
        voxel_size=raw.at(source.magnification_zyx).voxel_size,
        image_magnifications=raw.magnifications,
        labels_magnifications=truth.magnifications,
        axes_guessed=raw.axes_guessed,
        boxes=config.choice.keep(source.boxes) if source.boxes else (_whole(raw, source),),
        place=raw.place,
        chosen=() if get_task(config.task).instances else config.classes,
    )


def _own_boxes(labels: Location, truth: Volume) -> tuple[Box, ...]:
    """Return the boxes that belong to labels; around what is painted of sparse ones, of which nobody could read all."""
    if isinstance(labels, Path) and is_sparse(labels):
        return painted_boxes(labels)
    return annotated_boxes(labels, truth.place)


def _open_image(source: Source, path: Location) -> Volume:
    return open_volume(path, kind="image", channels=source.channels, axes=source.axes, voxel_size=source.voxel_size)


def _whole(image: Volume, source: Source) -> Box:
    return Box(start=(0, 0, 0), stop=image.shape, name=image.name, sparse=source.sparse)
