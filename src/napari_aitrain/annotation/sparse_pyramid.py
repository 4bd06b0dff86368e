"""The sparse ground truth that programs open: an OME-Zarr whose levels are kept in step with what is painted."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from ..geometry import FINEST, Region, Triple, magnified_shape, to_finest, triple
from ..volumes.atomic import atomic_folder, storage_errors
from ..volumes.downsample import downsample_mode
from ..volumes.units import VoxelSize
from .sparse_sheet import Sheet, add_array, chunk_of

_SMALL = 256
_STEEPEST = 4


def pyramid_levels(shape: Triple, wanted: Iterable[Triple]) -> tuple[Triple, ...]:
    """Return the magnifications of a pyramid, in z, y, x order, the finest first.

    Those that are wanted, as far as each is a whole multiple of the one before; steps of more than 4 are divided, and
    halving goes on until a level is small.

    Parameters
    ----------
    shape : tuple of int
        Of the finest level.
    wanted : iterable of tuple of int
        Such as those of the image.
    """
    levels = [FINEST]
    for m in sorted(set(wanted), key=lambda m: (m[0] * m[1] * m[2], m)):
        if m == FINEST or any(a % b for a, b in zip(m, levels[-1], strict=True)):
            continue
        while max(ratio := [a // b for a, b in zip(m, levels[-1], strict=True)]) > _STEEPEST:
            if not any(r > 2 and r % 2 == 0 for r in ratio):
                break
            pairs = zip(levels[-1], ratio, strict=True)
            levels.append(triple([b * (2 if r > 2 and r % 2 == 0 else 1) for b, r in pairs]))
        levels.append(m)
    while max(extents := magnified_shape(shape, levels[-1])) > _SMALL:
        levels.append(triple([m * (2 if n > _SMALL else 1) for m, n in zip(levels[-1], extents, strict=True)]))
    return tuple(dict.fromkeys(levels))


class Pyramid:
    """Arrays of one OME-Zarr labels image.

    Parameters
    ----------
    path : Path
        As `create` makes it.
    levels : sequence of tuple of int
        Their magnifications, in z, y, x order, the finest first; each divides the next.
    """

    def __init__(self, path: Path, levels: Sequence[Triple]) -> None:
        self.path, self.levels = path, tuple(levels)
        self.sheets = tuple(Sheet(path / str(number)) for number in range(len(self.levels)))

    @classmethod
    def create(cls, path: Path, shape: Triple, levels: Sequence[Triple], voxel_size: VoxelSize | None) -> Pyramid:
        """Make an empty pyramid at a path where there is nothing yet.

        Raises
        ------
        StorageError
            If the disk is full or read-only.
        """
        count = 2 if shape[0] == 1 else 3
        axes = "zyx"[-count:]
        with atomic_folder(path) as part, storage_errors(path):
            group = zarr.create_group(part, zarr_format=3)
            for number, level in enumerate(levels):
                extent = magnified_shape(shape, level)
                add_array(part / str(number), extent[-count:], axes, chunk_of(shape)[-count:])
            group.attrs["ome"] = _metadata(path.stem, axes, levels, voxel_size)
        return cls(path, levels)

    def update(self, touched: Iterable[Region], compose: Callable[[Region], npt.NDArray[np.int32]]) -> None:
        """Bring every level in step with what was painted.

        Parameters
        ----------
        touched : iterable of Region
            In voxels of the finest level; nothing else is read or written.
        compose : callable
            Gives the labels of a region of the finest level.

        Raises
        ------
        StorageError
            If the disk is full, read-only or has gone.
        """
        finest = self.sheets[0]
        regions = list(touched)
        for region in regions:
            finest.write(region, compose(region))
        for fine, coarse, (a, b) in zip(
            self.sheets[:-1], self.sheets[1:], itertools.pairwise(self.levels), strict=True
        ):
            factor = triple([m // n for m, n in zip(b, a, strict=True)])
            regions = _by_chunk([coarser(region, factor) for region in regions], coarse.chunk)
            for region in regions:
                source = to_finest(region, factor).intersect(Region.from_shape(fine.shape))
                values = fine.read(source)
                mode = downsample_mode(values[None], factor)[0] if values.any() else np.zeros(region.shape, np.int32)
                coarse.write(region, mode)


def coarser(region: Region, factor: Triple) -> Region:
    """Return the voxels of a coarser level that a region reaches into."""
    return Region(
        triple([a // f for a, f in zip(region.start, factor, strict=True)]),
        triple([-(-b // f) for b, f in zip(region.stop, factor, strict=True)]),
    )


def _by_chunk(regions: Iterable[Region], chunk: Triple) -> list[Region]:
    """Return one region for all that begin in the same chunk."""
    found: dict[Triple, Region] = {}
    for region in regions:
        place = triple([a // n for a, n in zip(region.start, chunk, strict=True)])
        other = found.get(place, region)
        found[place] = Region(
            triple([min(a, b) for a, b in zip(region.start, other.start, strict=True)]),
            triple([max(a, b) for a, b in zip(region.stop, other.stop, strict=True)]),
        )
    return list(found.values())


def _metadata(name: str, axes: str, levels: Sequence[Triple], voxel_size: VoxelSize | None) -> dict[str, Any]:
    unit = {"unit": "nanometer"} if voxel_size else {}
    size = voxel_size or (1.0, 1.0, 1.0)
    count = len(axes)

    def transforms(level: Triple) -> list[dict[str, Any]]:
        scale = [s * m for s, m in zip(size, level, strict=True)]
        # The middle of the first voxel of a coarser level lies further in.
        shift = [s * (m - 1) / 2 for s, m in zip(size, level, strict=True)]
        return [{"type": "scale", "scale": scale[-count:]}, {"type": "translation", "translation": shift[-count:]}]

    return {
        "version": "0.5",
        "multiscales": [
            {
                "name": name,
                "type": "mode",
                "axes": [{"name": axis, "type": "space", **unit} for axis in axes],
                "datasets": [
                    {"path": str(number), "coordinateTransformations": transforms(level)}
                    for number, level in enumerate(levels)
                ],
            }
        ],
        "image-label": {"version": "0.5"},
    }
