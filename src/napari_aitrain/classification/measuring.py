"""Features of all objects of an image, read block by block, or of boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, GroundTruthError
from ..geometry import Region, Tile, Triple, tiles, triple
from ..inference.blocks import Cancelled, PredictionCancelledError
from ..volumes import Normalisation, Volume, read_labels, sample_voxels
from ..volumes.units import VoxelSize
from .directions import Spacing
from .features import make_table
from .intensities import halo
from .summing import sum_block
from .sums import Sums, join
from .table import FeatureTable

BLOCK_2D: Triple = (1, 2048, 2048)
BLOCK_3D: Triple = (64, 256, 256)
MOST_BOX = 2**24
"""Voxels of a box that are looked at; of larger ones the middle."""
_NM_PER_UM = 1000.0
_MAGNIFICATIONS = {1, 2, 3, 4, 6, 8, 16, 32}

Told = Callable[[int, int], None]


def measure_objects(
    labels: Volume,
    image: Volume | None,
    *,
    dims: Literal[2, 3] | None = None,
    block_shape: Triple | None = None,
    voxel_size: VoxelSize | None = None,
    progress: Told | None = None,
    cancelled: Cancelled | None = None,
) -> FeatureTable:
    """Measure all objects of labels; memory does not grow with the volume, only with the number of objects.

    Intensities are measured in those of the image: its first percentile is 0, and its 99.8th is 1. Lengths are in µm
    where the voxel size is known, else in voxels.

    Parameters
    ----------
    labels : Volume
        0 is background.
    image : Volume or None
        Of the same shape, or finer by a whole magnification; None measures shapes alone.
    dims : {2, 3}, optional
        With 2 every slice is on its own; not given, what has one slice is flat.
    block_shape : tuple of int, optional
        z, y, x extent of what is read at once, without what is looked at around it.
    voxel_size : tuple of float, optional
        nm, z, y, x, of the labels; that of the labels or the image if not given.
    progress : callable, optional
        Called with blocks done and blocks in all.
    cancelled : callable, optional
        Asked before each block.

    Raises
    ------
    GroundTruthError
        If image and labels are of different shapes, or a label is not a whole number.
    PredictionCancelledError
        If `cancelled` said so.
    """
    seen = None if image is None else at_labels(image, labels)
    flat = 2 if labels.shape[0] == 1 else 3
    dims = dims or (2 if flat == 2 else 3)
    spacing, unit = lengths(voxel_size or labels.voxel_size or (None if seen is None else seen.voxel_size))
    around = halo(spacing, dims)
    blocks = list(tiles(labels.region, block_shape or (BLOCK_2D if dims == 2 else BLOCK_3D), around))
    parts = _summed(labels, seen, blocks, spacing, dims, progress, cancelled)
    return make_table(join(parts), spacing, unit, dims, () if seen is None else seen.channels)


def measure_boxes(
    image: Volume, boxes: Sequence[Region], *, voxel_size: VoxelSize | None = None, cancelled: Cancelled | None = None
) -> FeatureTable:
    """Measure what is in boxes: intensity and texture; rows are numbered from 1 in the order of `boxes`.

    Raises
    ------
    ConfigError
        If a box is outside the image.
    PredictionCancelledError
        If `cancelled` said so.
    """
    spacing, unit = lengths(voxel_size or image.voxel_size)
    scaled = normalisation_of(image)
    dims: Literal[2, 3] = 2 if image.shape[0] == 1 else 3
    parts = []
    for number, box in enumerate(boxes, start=1):
        if cancelled is not None and cancelled():
            raise PredictionCancelledError("measuring was stopped", "", "start it again")
        core = middle_of(box.intersect(image.region))
        if core.empty:
            raise ConfigError(f"box {number} is outside {image.name}", "boxes in the image", "leave this box out")
        outer = core.grow(halo(spacing, dims)).intersect(image.region)
        ids = np.full(outer.shape, number, np.int32)
        parts.append(sum_block(ids, scaled.apply(image.read(outer)), outer, core, spacing, dims))
    if not parts:
        raise ConfigError("there are no boxes", "boxes in the image", "draw some boxes first")
    return make_table(join(parts), spacing, unit, dims, image.channels, "boxes")


def _summed(
    labels: Volume,
    image: Volume | None,
    blocks: Sequence[Tile],
    spacing: Spacing,
    dims: int,
    progress: Told | None,
    cancelled: Cancelled | None,
) -> list[Sums]:
    """Return the sums of blocks with objects, and of the first in any case: it says how many columns there are."""
    scaled = None if image is None else normalisation_of(image)
    parts: list[Sums] = []
    for number, tile in enumerate(blocks):
        if cancelled is not None and cancelled():
            raise PredictionCancelledError("measuring was stopped", "", "start it again")
        if progress is not None:
            progress(number, len(blocks))
        ids = read_labels(labels, tile.outer)
        if not ids[tile.core_in_outer.slices].any() and parts:
            continue
        if image is None or scaled is None:
            values = np.zeros((0, *tile.outer.shape), np.float32)
        else:
            values = scaled.apply(image.read(tile.outer))
        parts.append(sum_block(ids, values, tile.outer, tile.core, spacing, dims))
    if progress is not None:
        progress(len(blocks), len(blocks))
    return parts


def middle_of(box: Region) -> Region:
    """Return a box, or of a very large one the middle."""
    shape = list(box.shape)
    while np.prod(shape, dtype=np.int64) > MOST_BOX:
        longest = int(np.argmax(shape))
        shape[longest] = max(1, shape[longest] // 2)
    start = [a + (n - m) // 2 for a, n, m in zip(box.start, box.shape, shape, strict=True)]
    return Region.from_shape(shape, start)


def lengths(voxel_size: VoxelSize | None) -> tuple[Spacing, str]:
    """Return the length of a voxel, and its unit: µm, or the voxel itself where its size is not known."""
    if voxel_size is None:
        return (1.0, 1.0, 1.0), "voxel"
    z, y, x = (float(nm) / _NM_PER_UM for nm in voxel_size)
    return (z, y, x), "µm"


def normalisation_of(image: Volume) -> Normalisation:
    """Return what makes intensities of images comparable."""
    return Normalisation.estimate(sample_voxels(image, [image.region]))


def at_labels(image: Volume, labels: Volume) -> Volume:
    """Return the image at the magnification of its labels.

    Raises
    ------
    GroundTruthError
        If there is none at which it has their shape.
    """
    if image.shape == labels.shape:
        return image
    m = triple([max(1, round(a / b)) for a, b in zip(image.shape, labels.shape, strict=True)])
    seen = image.at(m)
    if seen.shape != labels.shape or not set(m) <= _MAGNIFICATIONS:
        raise GroundTruthError(
            f"{image.name} has {_shape(image.shape)} voxels, its labels {_shape(labels.shape)}",
            "labels of the shape of the image, or of a whole magnification of it",
            "check that these labels belong to this image",
        )
    return seen


def _shape(shape: Triple) -> str:
    return " × ".join(f"{n:,}" for n in reversed(shape))


def labels_volume(labels: npt.NDArray[np.integer], voxel_size: VoxelSize | None = None) -> Volume:
    """Return labels in memory as a volume."""
    return Volume.from_array(labels, name="labels", kind="labels", voxel_size=voxel_size)
