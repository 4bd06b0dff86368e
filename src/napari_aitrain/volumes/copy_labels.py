"""Labels of any format, written in another: ids as they are or counted anew, in the smallest type that holds them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..geometry import Region, Tile, tiles
from .labels import ANY_ID, check_values
from .pairing import explain_shape_mismatch
from .volume import Volume
from .write_placement import placement_on
from .write_pyramid import in_parallel
from .write_zarr import ZarrOptions
from .writers import LabelsWriter

_BLOCK = (64, 512, 512)
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Copied:
    """What was written.

    Parameters
    ----------
    max_id : int
        The largest id in the output.
    dtype : str
        Type of the output.
    ids : ndarray or None
        Where ids were counted anew: the old id of each new one; entry 0 is the background.
    """

    max_id: int
    dtype: str
    ids: npt.NDArray[Any] | None = None


def copy_labels(
    volume: Volume,
    out: Path,
    *,
    image: Volume | None = None,
    compact: bool = False,
    options: ZarrOptions | None = None,
) -> Copied:
    """Write labels in the format of the ending of `out`, in bounded memory.

    Parameters
    ----------
    volume : Volume
        Of one channel; ids up to 2⁶⁴ − 1.
    out : Path
        See `LabelsWriter`.
    image : Volume, optional
        Their image, of the same shape: the labels are laid on it, and its voxel size counts where they have none.
    compact : bool
        Whether ids become 1 … n in their order. All of them are held in memory, 8 bytes each.
    options : ZarrOptions, optional
        How an OME-Zarr is stored.

    Returns
    -------
    Copied

    Raises
    ------
    AitrainError
        If labels are damaged, negative or no whole numbers, if the shapes differ, and those of `LabelsWriter`.
    """
    if image is not None and image.shape != volume.shape:
        raise explain_shape_mismatch(image, volume)
    shown = image or volume
    size = volume.voxel_size or shown.voxel_size
    ids = find_ids(volume) if compact else None
    largest = len(ids) - 1 if ids is not None else largest_id(volume)
    writer = LabelsWriter(
        out,
        volume.shape,
        voxel_size=size,
        max_id=largest,
        place=volume.place if volume.cut_from is not None else shown.place,
        options=options,
        placement=placement_on(shown.path or "", size, shown.magnification),
        image=None if image is None else image.path,
    )

    def write(tile: Tile) -> None:
        labels = _read(volume, tile.core)
        writer.write(tile.core, labels if ids is None else np.searchsorted(ids, labels))

    with writer:
        block = [-(-b // u) * u for b, u in zip(_BLOCK, writer.unit, strict=True)]
        in_parallel(write, tiles(volume.region, block), (options or ZarrOptions()).workers)
    return Copied(largest, str(writer.dtype), ids)


def largest_id(volume: Volume) -> int:
    """Return the largest id; every voxel is read unless the type is the smallest."""
    if volume.dtype.itemsize == 1:
        return int(np.iinfo(np.uint8).max)
    return max((int(_read(volume, tile.core).max()) for tile in tiles(volume.region, _BLOCK)), default=0)


def find_ids(volume: Volume) -> npt.NDArray[np.uint64]:
    """Return all ids in their order, 0 first."""
    found: npt.NDArray[np.uint64] = np.zeros(1, np.uint64)
    for tile in tiles(volume.region, _BLOCK):
        found = np.union1d(found, np.unique(_read(volume, tile.core)).astype(np.uint64))
    return found


def _read(volume: Volume, region: Region) -> npt.NDArray[Any]:
    labels: npt.NDArray[Any] = volume.read(region)[0]
    check_values(labels, volume.name, region, ANY_ID)
    return labels.astype(np.uint64) if labels.dtype.kind == "f" else labels
