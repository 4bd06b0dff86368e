"""The boxes for training as a person has drawn them by now, beside the crops that were frozen from earlier ones."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from ..annotation.boxes import Box
from ..geometry import Region, Triple, to_finest
from ..location import Location, located
from .config import TrainConfig
from .cropset import Crop
from .labelled import scan_labels
from .plan import PlannedCrop
from .separation import Separation
from .sources import SourceImage, open_sources

BoxKey = tuple[str, Triple, Region]


@dataclass(frozen=True)
class Wanted:
    """A box for training as it is now.

    Parameters
    ----------
    image : SourceImage
        Where it lies.
    box : Box
        The box.
    region : Region
        In voxels of the training magnification.
    """

    image: SourceImage
    box: Box
    region: Region

    @property
    def key(self) -> BoxKey:
        """What tells it from other boxes."""
        return _same(self.image.image), self.image.magnification, self.region

    def is_from(self, crop: Crop) -> bool:
        """Whether a frozen crop comes from the same image at the same magnification."""
        return (_same(self.image.image), self.image.magnification) == (_same(crop.source), crop.magnification)

    def holds(self, crop: Crop) -> bool:
        """Whether a frozen crop is this box or a part of it."""
        return self.is_from(crop) and self.region.contains(crop.region)

    def overlaps(self, crop: Crop) -> bool:
        """Whether a frozen crop shares voxels with it."""
        where = to_finest(self.region, self.image.magnification)
        return _same(self.image.image) == _same(crop.source) and where.overlaps(
            to_finest(crop.region, crop.magnification)
        )

    def planned(self, region: Region) -> PlannedCrop:
        """Return a part of it as it would be frozen now."""
        sparse, background = self.image.is_sparse(self.box), self.image.source.background_id
        found = scan_labels(self.image.open_labels(), region, sparse, background, chosen=self.image.chosen)
        return PlannedCrop(self.image, region, "train", self.box.label, self.box.status, sparse, found)


def wanted_boxes(config: TrainConfig, separation: Separation | None = None) -> list[Wanted]:
    """Return the boxes for training of a config, with objects told apart as when the training was planned.

    Raises
    ------
    AitrainError
        If a file cannot be opened.
    """
    opened = open_sources(config)
    if opened.problems:
        raise opened.problems[0]
    images = [replace(image, separation=separation) for image in opened.images]
    all_ = [Wanted(image, box, image.aligned(box)) for image in images for box in image.boxes]
    return [one for one in all_ if one.box.role == "train" and not one.region.empty]


def _same(place: Location | str) -> str:
    location = located(place)
    return os.path.normcase(os.path.abspath(location)) if isinstance(location, Path) else str(location)
