"""Labels must be whole numbers from 0: a cheap look when they are opened, and every voxel that is read."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AitrainError, GroundTruthError
from ..geometry import Region, triple
from .level import describe
from .volume import Volume

MAX_LABEL = int(np.iinfo(np.int32).max)
ANY_ID = int(np.iinfo(np.uint64).max)
_LOOK = (4, 256, 256)
_REMEDY = 'save them as whole numbers, for example labels.astype("uint16"), after checking that they are labels'


def read_labels(volume: Volume, region: Region) -> npt.NDArray[np.int32]:
    """Read labels and check every one of them.

    Parameters
    ----------
    volume : Volume
        Of one channel.
    region : Region
        In voxels of the volume.

    Returns
    -------
    ndarray of int32, shape (z, y, x)
        The ids as they are in the file.

    Raises
    ------
    GroundTruthError
        If a label is negative, not a whole number, or above 2³¹ − 1; the first such voxel is named. Ids are never
        changed to make them fit.
    VolumeError
        If the file is damaged there.
    """
    if len(volume.channels) != 1:
        raise GroundTruthError(
            f"the labels in {volume.name} have {len(volume.channels)} channels",
            "one number per voxel",
            f"choose one channel of {', '.join(volume.channels)}",
        )
    array = volume.read(region)[0]
    check_values(array, volume.name, region)
    ids: npt.NDArray[np.int32] = array.astype(np.int32, copy=False)
    return ids


def check_values(array: npt.NDArray[Any], name: str, region: Region, most: int = MAX_LABEL) -> None:
    """Raise `GroundTruthError` at the first value that cannot be a label.

    Parameters
    ----------
    array : ndarray, shape (z, y, x)
        What was read.
    name : str
        What the error names.
    region : Region
        Where `array` begins.
    most : int
        The largest id that can be used.
    """
    if array.size == 0:
        return
    if array.dtype.kind == "f":
        wrong = ~(np.isfinite(array) & (array == np.trunc(array)))
        if wrong.any():
            raise _wrong(array, wrong, name, region, "not a whole number", _REMEDY)
    if array.dtype.kind != "u" and array.min() < 0:
        remedy = "use 0 for background or unlabelled voxels and ids from 1 for objects"
        raise _wrong(array, array < 0, name, region, "negative", remedy)
    if array.max().item() > most:
        remedy = (
            "number the objects from 1, for example with skimage.segmentation.relabel_sequential, and save them as"
            " uint32 or smaller; this is not done for you, since the ids would no longer be those you know"
        )
        raise _wrong(array, array > most, name, region, f"above {most:,}", remedy)


def check_labels(volume: Volume) -> None:
    """Look at the type and at a bounded piece in the middle of freshly opened labels; ids may still be any number.

    Raises
    ------
    GroundTruthError
        If they are floating-point, or the piece holds a value that cannot be a label.
    """
    start = triple([max(0, (n - look) // 2) for n, look in zip(volume.shape, _LOOK, strict=True)])
    region = Region.from_shape(_LOOK, start).intersect(volume.region)
    piece = volume.read(region)[0]
    if volume.dtype.kind == "f":
        whole = bool((np.isfinite(piece) & (piece == np.trunc(piece))).all())
        raise GroundTruthError(
            f"the labels in {volume.name} are floating-point numbers ({volume.dtype})",
            "whole numbers: 0 for background or unlabelled, ids from 1",
            _REMEDY if whole else "this looks like an image or a map of probabilities: were image and labels swapped?",
        )
    check_values(piece, volume.name, region, ANY_ID)


def _wrong(
    array: npt.NDArray[Any], wrong: npt.NDArray[np.bool_], name: str, region: Region, what: str, remedy: str
) -> AitrainError:
    place = np.unravel_index(int(wrong.argmax()), wrong.shape)
    voxel = Region.from_shape((1, 1, 1), triple([int(p) + s for p, s in zip(place, region.start, strict=True)]))
    count = int(wrong.sum())
    where = ", ".join(part.split("–")[0] for part in describe(voxel).split(", "))
    return GroundTruthError(
        f"{name} has {count} label{'s' if count > 1 else ''} that {'are' if count > 1 else 'is'} {what}; "
        f"the first is {array[place]} at {where}",
        "whole numbers from 0 (background or unlabelled) up",
        remedy,
    )
