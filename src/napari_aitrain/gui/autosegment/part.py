"""Which part of an image is segmented: the slice on screen, a box, or all of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...autosegment.files import read_image
from ...autosegment.finding import Found, find_objects
from ...autosegment.settings import AutosegmentSettings, Classical
from ...autosegment.suggesting import suggest
from ...errors import BoxError, VolumeError
from ...geometry import FINEST, Region, Triple, triple
from ...tasks.maps import outline_spacing
from ...volumes import Volume
from ..annotate.sources import frame_volume
from ..frames import LayerFrame
from ..review.viewing import leading_index, seen, seen_region

if TYPE_CHECKING:
    from ..session import Session

MOST_SHOWN = 2**22
"""Voxels of a slice that are segmented while numbers move; of a larger one what is on screen."""


@dataclass(frozen=True)
class Part:
    """A part of one frame of an image layer.

    Parameters
    ----------
    volume : Volume
        The frame, at the magnification that is segmented.
    region : Region
        In its voxels.
    magnification : tuple of int
        z, y, x.
    frame : tuple of int
        Which frame it is: index along the axes before z, y and x.
    depth : int
        Slices of the whole image: of a volume, objects are meant in 3-D even where one slice is looked at.
    """

    volume: Volume
    region: Region
    magnification: Triple
    frame: tuple[int, ...]
    depth: int

    @property
    def dims(self) -> int:
        """2 for a slice, 3 for a part with depth."""
        return 2 if self.region.shape[0] == 1 else 3

    def middle(self) -> Part:
        """Return the middle slices of a large part, which say how large objects are."""
        plane = self.region.shape[1] * self.region.shape[2]
        depth = min(self.region.shape[0], max(1, MOST_SHOWN // plane))
        start = self.region.start[0] + (self.region.shape[0] - depth) // 2
        low, high = self.region.start[1:], self.region.stop[1:]
        return replace(self, region=Region((start, *low), (start + depth, *high)))

    def around(self, slices: int) -> Part:
        """Return the part with so many more slices to either side, as far as there are any."""
        grown = self.region.grow((slices, 0, 0)).intersect(self.volume.region)
        return replace(self, region=grown)

    def find(self, settings: AutosegmentSettings) -> Found:
        """Find objects; reads the part."""
        image = read_image(self.volume, self.region)
        return find_objects(image, self.fitted(settings), self.volume.voxel_size, self.dims)

    def suggest(self, preset: Classical, dark: bool) -> AutosegmentSettings:
        """Return settings that suit the part; reads it."""
        image = read_image(self.volume, self.region)
        return suggest(image, preset, self.volume.voxel_size, self.dims, dark)

    def fitted(self, settings: AutosegmentSettings) -> AutosegmentSettings:
        """Return the same lengths and sizes at this magnification, and of objects of a volume in one slice of it."""
        m, size = self.magnification, settings.minimum_size / math.prod(self.magnification)
        if settings.by_starter:
            diameter = None if settings.diameter is None else max(1.0, settings.diameter / min(m[1:]))
            return settings.model_copy(update={"diameter": diameter})
        if self.depth > 1 and self.dims == 2:
            spacing = outline_spacing(self.volume.voxel_size)
            radius = (3 / (4 * math.pi) * size * math.prod(spacing)) ** (1 / 3)
            size = math.pi * radius**2 / math.prod(spacing[1:])
        return settings.model_copy(update={"minimum_size": max(1, round(size)), "sigma": settings.sigma / min(m[1:])})


def slice_on_screen(viewer: Any, image: Any) -> Part:
    """Return the slice on screen, whole unless it is large.

    Raises
    ------
    VolumeError
        If nothing of the image is on screen, or the view is 3-D.
    """
    frame = LayerFrame.of(image)
    region = None if viewer.dims.ndisplay == 3 else seen_region(viewer, frame, FINEST)
    if region is None:
        raise VolumeError(f"no slice of {image.name} is on screen", "a slice of it", "go back to the 2-D view")
    hidden = [n == 1 for n in region.shape]
    start = triple([a if one else 0 for a, one in zip(region.start, hidden, strict=True)])
    stop = triple([b if one else n for b, n, one in zip(region.stop, frame.shape, hidden, strict=True)])
    whole = Region(start, stop)
    if whole.size > MOST_SHOWN:
        part = seen(viewer, frame, FINEST, 2)
        whole = region if part is None or region.size <= MOST_SHOWN else part.wanted
    return _part(viewer, image, frame, whole)


def selected_box(session: Session, image: Any, magnification: Triple) -> Part:
    """Return what is in the selected box.

    Raises
    ------
    BoxError
        If no box of the image is selected.
    """
    box, frame = session.boxes.selected, LayerFrame.of(image)
    if box is None or box.image != image.name:
        raise BoxError(f"no box of {image.name} is selected", "a box", "draw one, or click one in the Annotate dock")
    fine = frame.to_region(box.start, box.stop).intersect(Region.from_shape(frame.shape))
    return _part(session.viewer, image, frame, fine, magnification)


def whole_image(viewer: Any, image: Any, magnification: Triple) -> Part:
    """Return all of the frame of an image that is on screen."""
    frame = LayerFrame.of(image)
    return _part(viewer, image, frame, Region.from_shape(frame.shape), magnification)


def at_magnification(part: Part, viewer: Any, image: Any, magnification: Triple) -> Part:
    """Return the same part at another magnification."""
    return _part(viewer, image, LayerFrame.of(image), part.region, magnification)


def _part(viewer: Any, image: Any, frame: LayerFrame, fine: Region, magnification: Triple = FINEST) -> Part:
    index = leading_index(viewer, image, frame)
    volume = frame_volume(image, frame, index).at(magnification)
    start = triple([a // m for a, m in zip(fine.start, magnification, strict=True)])
    stop = triple([-(-b // m) for b, m in zip(fine.stop, magnification, strict=True)])
    return Part(volume, Region(start, stop).intersect(volume.region), magnification, index, frame.shape[0])
