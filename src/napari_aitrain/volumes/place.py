"""Where a volume lies: its corner in the coordinates of the dataset that it was cut from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ..geometry import FINEST, Region, Triple, format_magnification, magnified_shape, to_finest, triple


@dataclass(frozen=True)
class Place:
    """A part of a dataset, on the grid of one of its magnifications.

    Parameters
    ----------
    shape : tuple of int
        In z, y, x order, in voxels of `magnification`.
    origin : tuple of int
        The first voxel, in voxels of `magnification`.
    magnification : tuple of int
        Relative to the finest voxels of the dataset, in z, y, x order.
    in_dataset : bool
        Whether the coordinates are those of a dataset; a plain file knows of none, and begins at 0.
    dataset : Path or None
        The dataset, if it is at hand.
    """

    shape: Triple
    origin: Triple = (0, 0, 0)
    magnification: Triple = FINEST
    in_dataset: bool = False
    dataset: Path | None = None

    @property
    def region(self) -> Region:
        """The part, in voxels of `magnification`."""
        return Region.from_shape(self.shape, self.origin)

    @property
    def finest(self) -> Region:
        """The part, in the finest voxels of the dataset."""
        return to_finest(self.region, self.magnification)

    def part(self, region: Region) -> Place:
        """Return the place of a region of a volume, in voxels of that."""
        return replace(self, shape=region.shape, origin=region.shift(self.origin).start)

    def at(self, magnification: Triple) -> Place:
        """Return the place as seen at a magnification relative to this one; the origin is rounded to whole voxels."""
        return replace(
            self,
            shape=magnified_shape(self.shape, magnification),
            origin=triple([round(o / m) for o, m in zip(self.origin, magnification, strict=True)]),
            magnification=triple([a * b for a, b in zip(self.magnification, magnification, strict=True)]),
        )

    def __str__(self) -> str:
        (z, y, x), (dz, dy, dx) = self.origin, self.shape
        at = "" if self.magnification == FINEST else f" at magnification {format_magnification(self.magnification)}"
        return f"x {x}, y {y}, z {z} of {dx}×{dy}×{dz} voxels{at}"
