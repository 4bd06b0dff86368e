"""Training crops with their targets, made once on first use and kept on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..geometry import Region, Triple
from ..tasks.protocol import FloatArray, Task
from ..volumes.atomic import atomic_write_array
from .cropset import Crop, crop_file
from .teacher import Teacher

MAX_CENTRES = 4096
_EXACT = 2048
"""Up to here float16 holds whole numbers, such as those of objects, exactly."""


class PreparedCrop:
    """One training crop, ready to give patches.

    Parameters
    ----------
    crop : Crop
        Image and ground truth.
    task : Task
        Makes the targets.
    dims : {2, 3}
        Slices or volumes.
    folder : Path
        Where targets are kept.
    seed : int
        Seed of the training; with the crop's number that of its centres.
    """

    def __init__(self, crop: Crop, task: Task, dims: int, folder: Path, seed: int) -> None:
        self.crop = crop
        self.shape: Triple = crop.shape
        values, weight = (crop_file(folder, crop.number, kind) for kind in ("values", "weight"))
        labels = np.asarray(crop.labels)
        if not (values.exists() and weight.exists()):
            targets = task.prepare(labels, labels >= 0, crop.voxel_size, dims)
            kind = np.float32 if np.abs(targets.values).max(initial=0) > _EXACT else np.float16
            atomic_write_array(values, targets.values.astype(kind))
            atomic_write_array(weight, targets.weight.astype(np.float16))
        self.values: npt.NDArray[np.floating] = np.load(values, mmap_mode="r")
        self.weight: npt.NDArray[np.float16] = np.load(weight, mmap_mode="r")
        self.centres = _centres(labels, self.weight, np.random.default_rng((seed, crop.number)))

    def centre(self, number: int) -> Triple:
        """Return where one of `centres` lies, z, y, x."""
        z, y, x = np.unravel_index(int(self.centres[number]), self.shape)
        return int(z), int(y), int(x)

    def patch(
        self, middle: Triple, shape: Triple, teacher: Teacher | None = None
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Cut a patch around a voxel; what lies outside the crop is mirrored and weighs nothing.

        Parameters
        ----------
        middle : tuple of int
            Where to cut, z, y, x.
        shape : tuple of int
            z, y, x extent.
        teacher : Teacher, optional
            Its probabilities are added to the maps.

        Returns
        -------
        image, values, weight : ndarray of float32, shapes (c, z, y, x), (k, z, y, x), (1, z, y, x)
            The image is normalised.
        """
        start = []
        for at, size, whole in zip(middle, shape, self.shape, strict=True):
            first = at - size // 2
            start.append(min(max(first, 0), whole - size) if size <= whole else -((size - whole) // 2))
        wanted = Region.from_shape(shape, start)
        inside = wanted.intersect(Region.from_shape(self.shape))
        z, y, x = inside.slices
        image = self.crop.normalisation.apply(np.asarray(self.crop.image[:, z, y, x]))
        values = self.values[:, z, y, x].astype(np.float32)
        weight = self.weight[None, z, y, x].astype(np.float32)
        if teacher is not None:
            values = np.concatenate([values, teacher.soft_labels(self.crop, inside)])
        if inside != wanted:
            around = [(0, 0)] + [
                (a - b, d - c) for a, b, c, d in zip(inside.start, wanted.start, inside.stop, wanted.stop, strict=True)
            ]
            image = np.pad(image, around, mode="symmetric")
            values = np.pad(values, around, mode="symmetric")
            weight = np.pad(weight, around)
        return image, values, weight


def _centres(
    labels: npt.NDArray[np.int32], weight: npt.NDArray[np.float16], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Choose voxels to centre patches on: half anywhere labelled, half on something other than background."""
    chosen = []
    for where in ((weight > 0) & (labels > 0), weight > 0):
        candidates = np.flatnonzero(where)
        if len(candidates):
            chosen.append(rng.choice(candidates, MAX_CENTRES // 2))
    return np.concatenate(chosen) if chosen else np.empty(0, np.int64)
