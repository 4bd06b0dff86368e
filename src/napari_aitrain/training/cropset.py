"""Frozen crops: the copy of image and ground truth that a training reads."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from ..annotation.boxes import Role
from ..errors import JobError
from ..geometry import Region, Triple, triple
from ..volumes import Normalisation
from ..volumes.units import VoxelSize

FOLDER, INDEX, INDEX_VERSION = "crops", "index.json", 1


class Crop(BaseModel):
    """One box as it was when the job was made.

    Parameters
    ----------
    number : int
        Names its files, ``NNN-image.npy`` and ``NNN-labels.npy``.
    role : {'train', 'validation', 'test'}
        What it is used for.
    name : str
        The name of its box.
    source : str
        The image file it comes from.
    start, stop : tuple of int
        Where it lies, in z, y, x order, in voxels of the training magnification.
    magnification : tuple of int
        In z, y, x order.
    voxel_size : tuple of float or None
        Nanometres in z, y, x order at that magnification; None when unknown.
    sparse : bool
        Whether voxels may be unlabelled.
    labelled : int
        Labelled voxels, background included.
    objects : int
        Distinct ids above 0.
    class_voxels : dict of int to int
        Labelled voxels per class id; empty for instances.
    normalisation : Normalisation
        To be applied to `image`; see `freeze_crops` for what it is estimated on.
    truth : str
        The ground-truth file it comes from; empty in those of older versions.
    fingerprint : str
        Of the image file, see `volumes.fingerprint`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    role: Role
    name: str
    source: str
    start: Triple
    stop: Triple
    magnification: Triple
    voxel_size: VoxelSize | None
    sparse: bool
    labelled: int
    objects: int
    class_voxels: dict[int, int]
    normalisation: Normalisation
    truth: str = ""
    fingerprint: str = ""
    _folder: Path = Path()
    _prefix: str = ""

    @property
    def region(self) -> Region:
        """Where it lies in its image, in voxels of the training magnification."""
        return Region(self.start, self.stop)

    @property
    def shape(self) -> Triple:
        """Extent in z, y, x."""
        return self.region.shape

    @cached_property
    def image(self) -> npt.NDArray[Any]:
        """The voxels as they are in the file, mapped from disk, shape (c, z, y, x)."""
        return self._open("image")

    @cached_property
    def labels(self) -> npt.NDArray[np.int32]:
        """Ids, −1 where unlabelled and 0 for background, mapped from disk, shape (z, y, x)."""
        return self._open("labels")

    def _open(self, kind: str) -> npt.NDArray[Any]:
        path = crop_file(self._folder, self.number, self._prefix + kind)
        try:
            array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise _damaged(path, error) from error
        if triple(array.shape[-3:]) != self.shape:
            raise _damaged(path, f"its shape is {array.shape}, not {self.shape}")
        return array


class CropSet(BaseModel):
    """All frozen crops of a job.

    Parameters
    ----------
    version : int
        Of the index file's format.
    crops : tuple of Crop
        In the order of sources and boxes.
    dims : {2, 3}
        Whether to train slice by slice or on whole volumes.
    classes : tuple of int
        Ids of the classes in rising order; ``(0, 1)`` for instances.
    channels : tuple of str
        Names of the image's channels.
    voxel_size : tuple of float or None
        Of the training crops, nanometres in z, y, x order; None when unknown or not the same for all.
    normalisation : Normalisation
        Estimated on all training crops together: what the model card keeps.
    notes : tuple of str
        What was decided before the start, in sentences.
    binary : bool
        Whether connected pieces of the labels were taken for objects.
    start_from : str, optional
        ``scratch``, or the model that the training begins with; as the config says where not given.
    scale : float
        By how much the network sees images scaled.
    diameter : float, optional
        Median diameter of the training objects, in voxels of the finest axis of the image.
    images : int, optional
        Images of the training set, whether or not something of them is used.
    warnings : tuple of str
        What was warned of before the start.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = INDEX_VERSION
    crops: tuple[Crop, ...]
    dims: int
    classes: tuple[int, ...]
    channels: tuple[str, ...]
    voxel_size: VoxelSize | None
    normalisation: Normalisation
    notes: tuple[str, ...] = ()
    binary: bool = False
    start_from: str | None = None
    scale: float = 1.0
    diameter: float | None = None
    images: int | None = None
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.crops)

    def of_role(self, role: Role) -> list[Crop]:
        """Return the crops of a role, in order."""
        return [crop for crop in self.crops if crop.role == role]

    def sources(self) -> Iterator[str]:
        """Yield every image file once."""
        yield from dict.fromkeys(crop.source for crop in self.crops)

    @classmethod
    def load(cls, folder: Path) -> CropSet:
        """Read the index of ``folder/crops``; arrays are opened when they are asked for.

        Raises
        ------
        JobError
            If there is none, or it is damaged.
        """
        place = Path(folder) / FOLDER
        try:
            crops = cls.model_validate_json((place / INDEX).read_bytes())
        except (OSError, ValidationError) as error:
            raise _damaged(place / INDEX, error) from error
        for crop in crops.crops:
            crop._folder = place
        return crops


def crop_file(folder: Path, number: int, kind: str) -> Path:
    """Return the file of a crop's ``image`` or ``labels``."""
    return folder / f"{number:03d}-{kind}.npy"


def _damaged(path: Path, error: object) -> JobError:
    return JobError(
        f"the frozen crop file {path} cannot be used: {error}",
        "the file that was written when the job was made",
        "make the job again from its config",
    )
