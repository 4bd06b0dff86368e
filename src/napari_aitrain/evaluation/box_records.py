"""What an evaluation job keeps of each box while it runs: its results, and arrays to show."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import VolumeError
from ..tasks.protocol import FloatArray, LabelArray
from ..volumes.atomic import atomic_write_array, atomic_write_text, storage_errors
from .box_results import BoxResult, ObjectError

BOXES = "boxes"


class BoxRecord(BaseModel):
    """A box that is finished; ``boxes/NNN.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    """What shapes the result; with another one the box is evaluated again."""
    result: BoxResult
    errors: tuple[ObjectError, ...] = ()
    unknown: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()


def record_file(folder: Path, number: int) -> Path:
    """Return where the record of a box lies in the folder of a job."""
    return folder / BOXES / f"{number:03d}.json"


def read_record(folder: Path, number: int, key: str) -> BoxRecord | None:
    """Return the record of a box that is finished; None if it is not, or is of something else."""
    with contextlib.suppress(OSError, ValidationError):
        found = BoxRecord.model_validate_json(record_file(folder, number).read_bytes())
        return found if found.key == key else None
    return None


@dataclass(frozen=True)
class BoxArrays:
    """What is shown of a box, in voxels of the prediction.

    Parameters
    ----------
    image : ndarray of uint8, shape (c, z, y, x)
        As the network saw it, 255 for the brightest.
    labels : ndarray of int, shape (z, y, x)
        The prediction at the threshold.
    truth : ndarray of int, shape (z, y, x)
        −1 is unlabelled.
    scores : ndarray of float32, shape (n + 1,)
        By id of a predicted object; empty of classes and neurons.
    """

    image: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.integer[Any]]
    truth: npt.NDArray[np.integer[Any]]
    scores: FloatArray


def write_box(folder: Path, record: BoxRecord, arrays: BoxArrays) -> None:
    """Write a box: its arrays, and then its record, so that a record stands for a whole box."""
    place = record_file(folder, record.result.number)
    with storage_errors(place):
        place.parent.mkdir(exist_ok=True)
    for name, array in vars(arrays).items():
        atomic_write_array(_array_file(folder, record.result.number, name), array)
    atomic_write_text(place, record.model_dump_json())


def read_box(folder: Path, number: int) -> BoxArrays:
    """Open the arrays of a box; they are mapped from disk.

    Raises
    ------
    VolumeError
        If they are not there any more.
    """
    try:
        each = {
            name: np.load(_array_file(folder, number, name), mmap_mode="r", allow_pickle=False)
            for name in ("image", "labels", "truth", "scores")
        }
    except (OSError, ValueError, EOFError) as error:
        raise VolumeError(
            f"what was predicted in box {number} of {folder} cannot be shown: {error}",
            "the folder of an evaluation as it was written",
            "evaluate the model again",
        ) from error
    return BoxArrays(**each)


def as_small(labels: LabelArray) -> npt.NDArray[np.integer[Any]]:
    """Return labels in as few bytes as hold them; −1 stays."""
    small = int(labels.max(initial=0)) < 2**15
    return labels.astype(np.int16) if small else labels


def as_bytes(image: FloatArray) -> npt.NDArray[np.uint8]:
    """Return a normalised image as bytes."""
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)


def _array_file(folder: Path, number: int, name: str) -> Path:
    return folder / BOXES / f"{number:03d}-{name}.npy"
