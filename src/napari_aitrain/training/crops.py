"""Freeze the training set of a job: a copy of every box, so that painting can go on while the job runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import StorageError, VolumeError
from ..geometry import Region, Triple, tiles
from ..location import Location
from ..tasks import get_task
from ..volumes import (
    Normalisation,
    Volume,
    atomic_folder,
    atomic_write_text,
    read_labels,
    sample_voxels,
)
from ..volumes.atomic import storage_errors
from ..volumes.units import VoxelSize
from .config import TrainConfig
from .cropset import FOLDER, INDEX, Crop, CropSet, crop_file
from .labelled import TILE, UNLABELLED, to_training_ids
from .object_classes import freeze_classes
from .plan import Plan, PlannedCrop, plan_crops
from .sources import SourceImage

__all__ = ["Crop", "CropSet", "freeze_crops"]


def freeze_crops(config: TrainConfig, folder: Path, receptive_field: Triple | None = None) -> CropSet:
    """Write ``folder/crops``: image and labels of every box, and an index.

    Arrays are copied tile by tile, so that memory stays bounded whatever the size of a box. The folder appears
    whole or not at all.

    Intensities are normalised per image. Where an image has training crops, the percentiles are estimated on a
    bounded sample of these crops alone, and its validation and test crops are normalised with them; where it has
    none, on a sample of that whole image, just as prediction does for an image it never saw. So no voxel of
    validation or test influences what training sees.

    Parameters
    ----------
    config : TrainConfig
        The training set and the rules for its boxes.
    folder : Path
        The job folder; it must exist and hold no ``crops`` yet.
    receptive_field : tuple of int, optional
        As for `plan.plan_crops`.

    Raises
    ------
    OutputExistsError
        If there are frozen crops already.
    AitrainError
        Whatever stands against a start: see `plan.Plan.raise_errors`. An image with NaN or infinite voxels in a
        box gives `VolumeError`.
    StorageError
        If there is too little room on the disk, or it is read-only.
    """
    plan = plan_crops(config, receptive_field)
    plan.raise_errors()
    return freeze_plan(plan, folder)


def freeze_plan(plan: Plan, folder: Path) -> CropSet:
    """Write the crops of a plan as `freeze_crops` does; the plan's findings are not looked at."""
    folder = Path(folder)
    check_room(plan.crops, folder)
    shared: dict[tuple[Location, tuple[str, ...], Triple], Normalisation] = {}
    with atomic_folder(folder / FOLDER) as place:
        crops = []
        for number, crop in enumerate(plan.crops):
            key = (crop.image.image, crop.image.channels, crop.image.magnification)
            if key not in shared:
                shared[key] = _normalisation(plan, crop)
            write_image(crop, place, number)
            write_labels(crop, place, number)
            crops.append(describe_crop(crop, number, shared[key], plan.instances))
        freeze_classes(plan, place)
        index = _index(plan, crops)
        atomic_write_text(place / INDEX, index.model_dump_json(indent=1))
    return CropSet.load(folder)


def crop_bytes(crop: PlannedCrop, dtype: np.dtype[Any]) -> int:
    """Return how many bytes the arrays of a crop take on the disk."""
    return crop.region.size * (len(crop.image.channels) * dtype.itemsize + 4)


def check_room(crops: Sequence[PlannedCrop], folder: Path) -> None:
    """Raise `StorageError` if the disk has too little room for crops."""
    needed = sum(crop_bytes(crop, crop.image.dtype) for crop in crops)
    with storage_errors(folder):
        free = shutil.disk_usage(folder).free
    if needed > free:
        raise StorageError(
            f"{folder} has room for {free / 1e9:.1f} GB, but the boxes take {needed / 1e9:.1f} GB",
            "enough free space for a copy of every box",
            "free some space, choose another folder, or draw smaller boxes",
        )


def _normalisation(plan: Plan, crop: PlannedCrop) -> Normalisation:
    same = [other for other in plan.of_role("train") if other.image.image == crop.image.image]
    regions = [other.region for other in same if other.image.magnification == crop.image.magnification]
    image = crop.image.open_image()
    found = Normalisation.estimate(sample_voxels(image, regions or [image.region]), get_task(plan.task).scaling)
    if regions and all(found.constant):
        raise VolumeError(
            f"{image.name} has the same value, {found.low[0]:g}, in every voxel of its boxes",
            "an image in which something can be seen",
            "choose another channel or file, or other boxes",
        )
    return found


def write_image(crop: PlannedCrop, place: Path, number: int) -> None:
    """Copy the image of a crop tile by tile.

    Raises
    ------
    VolumeError
        If it has NaN or infinite voxels.
    """
    image = crop.image.open_image()
    with storage_errors(place):
        array = np.lib.format.open_memmap(
            crop_file(place, number, "image"), "w+", image.dtype, (len(image.channels), *crop.region.shape)
        )
    for tile in tiles(crop.region, TILE):
        at = tile.core.relative_to(crop.region.start).slices
        array[(slice(None), *at)] = _read_finite(image, tile.core, crop.name)
    with storage_errors(place):
        array.flush()


def write_labels(crop: PlannedCrop, place: Path, number: int, classes: Sequence[int] | None = None) -> None:
    """Copy the labels of a crop tile by tile, see `label_tiles`."""
    with storage_errors(place):
        array = np.lib.format.open_memmap(
            crop_file(place, number, "labels"), "w+", np.dtype(np.int32), crop.region.shape
        )
    for at, labels in label_tiles(crop.image, crop.region, crop.sparse, classes):
        array[at] = labels
    with storage_errors(place):
        array.flush()


def label_tiles(
    image: SourceImage, region: Region, sparse: bool, classes: Sequence[int] | None = None
) -> Iterator[tuple[tuple[slice, slice, slice], npt.NDArray[np.int32]]]:
    """Yield where in a region, and the labels there as ids of training; those not in `classes` count as unlabelled."""
    volume = image.open_labels()
    for tile in tiles(region, TILE):
        raw = read_labels(volume, tile.core)
        labels = to_training_ids(raw, sparse, image.source.background_id, image.chosen)
        if classes is not None:
            labels[~np.isin(labels, classes)] = UNLABELLED
        yield tile.core.relative_to(region.start).slices, labels


def _read_finite(image: Volume, region: Region, name: str) -> np.ndarray[Any, Any]:
    array = image.read(region)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        count = int(np.count_nonzero(~np.isfinite(array)))
        raise VolumeError(
            f"{image.name} has {count:,} NaN or infinite voxels in {name}",
            "finite intensities",
            "replace them, for example by 0 or by the median around them, or leave the place out of the box",
        )
    return array


def describe_crop(crop: PlannedCrop, number: int, normalisation: Normalisation, instances: bool) -> Crop:
    """Return the entry of a crop in the index."""
    return Crop(
        number=number,
        role=crop.role,
        name=crop.name,
        source=str(crop.image.image),
        start=crop.region.start,
        stop=crop.region.stop,
        magnification=crop.image.magnification,
        voxel_size=crop.image.voxel_size,
        sparse=crop.sparse,
        labelled=crop.labelled.labelled,
        objects=len(crop.labelled.ids),
        class_voxels={} if instances else crop.labelled.voxels,
        normalisation=normalisation,
        truth=str(crop.image.labels),
        fingerprint=crop.image.fingerprint,
    )


def _index(plan: Plan, crops: Sequence[Crop]) -> CropSet:
    train = plan.of_role("train")
    samples = []
    for image in dict.fromkeys(crop.image for crop in train):
        regions = [crop.region for crop in train if crop.image == image]
        samples.append(sample_voxels(image.open_image(), regions, max(10_000, 1_000_000 // len(train))))
    told = [finding.message for finding in plan.findings if finding.level != "error"]
    sizes: set[VoxelSize | None] = {crop.image.voxel_size for crop in train}
    return CropSet(
        crops=tuple(crops),
        dims=plan.dims.dims,
        classes=plan.classes,
        channels=train[0].image.channels,
        voxel_size=sizes.pop() if len(sizes) == 1 else None,
        normalisation=Normalisation.estimate(samples, get_task(plan.task).scaling),
        notes=(plan.dims.reason, plan.sentence, *told),
        binary=plan.binary,
        start_from=plan.start.start_from,
        scale=plan.start.scale,
        diameter=plan.start.diameter,
        images=plan.images,
        warnings=tuple(finding.message for finding in plan.findings if finding.level == "warning"),
    )
