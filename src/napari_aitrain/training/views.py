"""Live views: arrays that a window asks to have predicted while a training runs, and the files of the answers."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import JobError
from ..tasks.protocol import FloatArray, VoxelSize
from ..volumes.atomic import storage_errors
from .cropset import Crop, CropSet
from .previews import MAX_VOXELS

KEPT = 3
"""Answers that stay: a reader may still have the last ones open."""


@dataclass(frozen=True)
class View:
    """What somebody looks at, normalised as the training sees it.

    Parameters
    ----------
    request : int
        The number that the answers carry.
    pixels : ndarray of float32, shape (c, z, y, x)
        Normalised.
    voxel_size : tuple of float or None
        Nanometres in z, y, x order.
    """

    request: int
    pixels: FloatArray
    voxel_size: VoxelSize | None

    @property
    def key(self) -> tuple[object, ...]:
        """The request."""
        return "view", self.request

    def image(self) -> FloatArray:
        """Return the normalised image."""
        return self.pixels


def read_view(folder: Path, asked: Mapping[str, Any], crops: CropSet) -> View:
    """Read what a message asks to have predicted.

    Parameters
    ----------
    folder : Path
        The job folder.
    asked : mapping
        ``request``, ``file`` and perhaps ``source``: see `jobs.inbox.preview_view`.
    crops : CropSet
        Of the training: its normalisation is used, that of the same image where it is known.

    Raises
    ------
    AitrainError
        If the file is none, or does not fit the training.
    """
    try:
        request, path = int(asked["request"]), folder / str(asked["file"])
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{path} is outside the job folder")
        raw = np.lib.format.open_memmap(path, mode="r")
    except (KeyError, TypeError, ValueError, OSError, EOFError) as error:
        raise _unusable(f"cannot be read: {error}") from error
    if raw.ndim != 4 or raw.dtype.kind not in "buif" or not 0 < raw[:1].size <= MAX_VOXELS:
        raise _unusable(f"has shape {raw.shape} and type {raw.dtype}")
    like = _like(asked.get("source"), crops)
    normalisation = crops.normalisation if like is None else like.normalisation
    pixels = normalisation.apply(np.asarray(raw))
    return View(request, pixels, crops.voxel_size if like is None else like.voxel_size)


def _like(source: object, crops: CropSet) -> Crop | None:
    """Return a crop of the same image; without a name, one of the only image there is."""
    images = set(crops.sources())
    named = str(source) if source is not None else None
    if named is None and len(images) == 1:
        named = next(iter(images))
    return next((crop for crop in crops.crops if crop.source == named), None)


def _unusable(why: str) -> JobError:
    return JobError(
        f"the view to be previewed {why}",
        f"an array of shape (c, z, y, x) with the channels of the training and at most {MAX_VOXELS:,} voxels",
        "ask for another view",
    )


class Answers:
    """Writes what views look like as NPY files, to be mapped by readers; keeps the last few.

    Parameters
    ----------
    folder : Path
        ``previews`` of the job.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._serial = max((_serial(path) for path in folder.glob("view-*.npy")), default=0)

    def write(self, shown: Mapping[str, npt.NDArray[Any]]) -> dict[str, str]:
        """Write arrays under names that were never used before, and return these; older files are removed.

        Nobody knows the names before they are told, so that the files need not appear at once.
        """
        self._serial += 1
        names = {kind: f"view-{self._serial:06d}-{kind}.npy" for kind in shown}
        with storage_errors(self._folder):
            self._folder.mkdir(exist_ok=True)
            for kind, values in shown.items():
                np.save(self._folder / names[kind], values, allow_pickle=False)
        for path in self._folder.glob("view-*.npy"):
            if _serial(path) <= self._serial - KEPT:
                # Windows keeps files that a reader has open; they go next time.
                with contextlib.suppress(OSError):
                    path.unlink()
        return names


def _serial(path: Path) -> int:
    number = path.name.split("-")[1]
    return int(number) if number.isdigit() else 0
