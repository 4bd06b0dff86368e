"""Boxes around what is painted of sparse ground truth, to train on where nobody has drawn any."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import GroundTruthError
from ..geometry import Region, Triple, to_finest, triple
from .boxes import Box
from .sparse_files import open_sheets, read_state
from .sparse_sheet import chunk_of

PAINTED = "painted"
"""Tag of the boxes that nobody has drawn."""


def painted_boxes(path: Path, known: Sequence[Box] = ()) -> tuple[Box, ...]:
    """Return boxes around what is painted of a sparse ground truth, in which 0 is unlabelled.

    Nothing is written, and it may be open in another process.

    Parameters
    ----------
    path : Path
        The OME-Zarr of the ground truth.
    known : sequence of Box
        Boxes that are there already, and stay as they are: of what is painted outside of them each chunk gets a box.

    Raises
    ------
    GroundTruthError
        If nothing is painted.
    VolumeError
        If it is damaged.
    """
    found = painted_regions(path)
    if not found:
        raise GroundTruthError(f"nothing is painted in {path.stem} yet", "painted voxels", "paint some")
    if not known:
        near = boxes_around(found, chunk_of(read_state(path).shape))
        return tuple(_box(region, f"painted {number}") for number, region in enumerate(near, start=1))
    chunks = _chunks(found, chunk_of(read_state(path).shape))
    new = [chunk for chunk in chunks if not any(box.region.overlaps(chunk) for box in known)]
    return (*known, *(_box(chunk, f"painted at {', '.join(map(str, chunk.start))}") for chunk in new))


def all_painted(boxes: Sequence[Box]) -> bool:
    """Return whether boxes are those that `painted_boxes` made."""
    return bool(boxes) and all(PAINTED in box.tags for box in boxes)


def painted_regions(path: Path) -> list[Region]:
    """Return the chunks that were painted at any magnification, in voxels of the image.

    Raises
    ------
    VolumeError
        If it is damaged.
    """
    whole = Region.from_shape(read_state(path).shape)
    sheets = sorted(open_sheets(path).items())
    return [to_finest(one, m).intersect(whole) for m, sheet in sheets for one in sheet.painted()]


def boxes_around(regions: Iterable[Region], gap: Triple) -> list[Region]:
    """Return boxes around regions that are near to each other: those closer than a gap share one."""
    found: list[Region] = []
    for region in regions:
        while near := [other for other in found if other.grow(gap).overlaps(region)]:
            found = [other for other in found if other not in near]
            parts = [region, *near]
            region = Region(
                triple([min(p.start[axis] for p in parts) for axis in range(3)]),
                triple([max(p.stop[axis] for p in parts) for axis in range(3)]),
            )
        found.append(region)
    return found


def _chunks(regions: Iterable[Region], chunk: Triple) -> list[Region]:
    """Return the chunks of the finest level that lie in regions, which begin where chunks do."""
    return sorted({Region.from_shape(chunk, start).intersect(one) for one in regions for start in _starts(one, chunk)})


def _starts(region: Region, chunk: Triple) -> list[Triple]:
    z, y, x = (range(a, b, n) for a, b, n in zip(region.start, region.stop, chunk, strict=True))
    return [(k, j, i) for k in z for j in y for i in x]


def _box(region: Region, name: str) -> Box:
    return Box(start=region.start, stop=region.stop, name=name, sparse=True, tags=(PAINTED,))
