"""Previews: what the model makes of a region while it trains."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..geometry import Region
from ..inference.predictor import Network, predict_array
from ..tasks.protocol import FloatArray, Task, VoxelSize
from ..volumes.atomic import atomic_write_bytes
from .crops import Crop

MAX_VOXELS = 2**24
EXTENT = {2: (1, 512, 512), 3: (32, 160, 160)}


class Place(Protocol):
    """Something that is predicted again and again."""

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from all other places of the training."""
        ...

    @property
    def voxel_size(self) -> VoxelSize | None:
        """Nanometres in z, y, x order."""
        ...

    def image(self) -> FloatArray:
        """Return the normalised image, shape (c, z, y, x)."""
        ...


@dataclass(frozen=True)
class PreviewRegion:
    """A part of a crop that is predicted again and again.

    Parameters
    ----------
    crop : Crop
        Where the image comes from.
    region : Region
        In voxels of the crop.
    """

    crop: Crop
    region: Region

    @classmethod
    def of_labels(cls, crop: Crop, dims: int, most: int = 1) -> list[PreviewRegion]:
        """Return parts of a crop that hold labels, each small enough to be predicted within a fraction of a second.

        Parameters
        ----------
        crop : Crop
            Of any size; its labels are read once.
        dims : {2, 3}
            Slices or volumes.
        most : int
            How many; in 2-D the slices are spread over those that hold labels.
        """
        shape = [min(a, b) for a, b in zip(crop.shape, EXTENT[dims], strict=True)]
        planes = np.asarray([np.count_nonzero(plane >= 0) for plane in crop.labels])
        painted = np.flatnonzero(planes > planes.max() // 4)
        count = min(most if dims == 2 else 1, len(painted))
        chosen = painted[[int((i + 0.5) * len(painted) / count) for i in range(count)]]
        return [cls(crop, _around_labels(crop, int(z), shape)) for z in chosen]

    @classmethod
    def whole_of(cls, crop: Crop) -> PreviewRegion:
        """Return a whole crop; of one that is too large for memory, the middle."""
        shape = list(crop.shape)
        while math.prod(shape) > MAX_VOXELS:
            axis = shape.index(max(shape))
            shape[axis] = -(-shape[axis] // 2)
        return cls(crop, Region.from_shape(shape, [(a - b) // 2 for a, b in zip(crop.shape, shape, strict=True)]))

    @property
    def key(self) -> tuple[object, ...]:
        """The crop's number and the region."""
        return self.crop.number, self.region

    @property
    def voxel_size(self) -> VoxelSize | None:
        """Of the crop."""
        return self.crop.voxel_size

    def image(self) -> FloatArray:
        """Return the normalised image, shape (c, z, y, x)."""
        z, y, x = self.region.slices
        return self.crop.normalisation.apply(np.asarray(self.crop.image[:, z, y, x]))

    def labels(self) -> npt.NDArray[np.int32]:
        """Return the ground truth, −1 where unlabelled, shape (z, y, x)."""
        return np.asarray(self.crop.labels[self.region.slices])


def predict_preview_maps(network: Network, task: Task, place: Place, dims: int) -> FloatArray:
    """Return the activated maps of a place, shape (heads, z, y, x)."""
    return predict_array(network, task.activate, place.image(), dims)


def describe(maps: FloatArray, task: Task, voxel_size: VoxelSize | None, dims: int) -> dict[str, npt.NDArray[Any]]:
    """Return what a preview shows of activated maps.

    Returns
    -------
    dict
        ``labels`` (int32), ``scores`` (float32), and, as uint8 × 255, ``uncertainty`` and ``probability``: of each
        class, or of the foreground, shape (c, z, y, x). Of fragments also the arrays of their tree of merges, called
        ``merges_`` and as `MergeTree.arrays` calls them. Of tasks with sliders also ``maps``, as uint8 × 255, to be
        decoded again.
    """
    stored = _to_bytes(maps) if task.sliders else None
    objects = task.decode(stored if stored is not None and task.takes_bytes else maps, voxel_size, dims)  # type: ignore[arg-type]
    probability = task.class_probability(maps)[1:] if objects.probability is None else objects.probability
    tree = {} if objects.merges is None else objects.merges.arrays()
    return {
        **({} if stored is None else {"maps": stored}),
        **{f"merges_{name}": values for name, values in tree.items()},
        "labels": objects.labels,
        "scores": objects.scores,
        "uncertainty": _to_bytes(task.uncertainty(maps)),
        "probability": _to_bytes(probability),
    }


def _to_bytes(values: FloatArray) -> npt.NDArray[np.uint8]:
    return np.round(values * 255).astype(np.uint8)


def write_preview(
    folder: Path, preview: PreviewRegion, shown: Mapping[str, npt.NDArray[Any]], step: int, seconds: float
) -> Path:
    """Write a preview as ``NNNNNN.npz``: image, truth, labels, uncertainty, scores, start, step and seconds."""
    folder.mkdir(exist_ok=True)
    z, y, x = preview.region.slices
    buffer = io.BytesIO()
    np.savez(
        buffer,
        image=np.asarray(preview.crop.image[:, z, y, x]),
        truth=preview.labels(),
        start=np.asarray(preview.region.start),
        step=np.asarray(step),
        seconds=np.asarray(seconds),
        labels=shown["labels"],
        uncertainty=shown["uncertainty"],
        scores=shown["scores"],
    )
    path = folder / f"{step:06d}.npz"
    atomic_write_bytes(path, buffer.getvalue())
    return path


def _around_labels(crop: Crop, z: int, shape: Sequence[int]) -> Region:
    rows, columns = np.nonzero(crop.labels[z] >= 0)
    middle = (z, int(rows.mean()), int(columns.mean()))
    start = [max(0, min(at - n // 2, whole - n)) for at, n, whole in zip(middle, shape, crop.shape, strict=True)]
    return Region.from_shape(shape, start)
