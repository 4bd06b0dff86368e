"""Which image on screen a training learns from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...errors import AitrainError
from ...geometry import Triple
from ...jobs import JobFolder
from ...location import Location, absolute
from ...training.config import Source, TrainConfig
from ...training.cropset import CropSet

if TYPE_CHECKING:
    from ..annotate.truths import GroundTruth
    from ..session import Session


@dataclass
class Training:
    """What live predictions need to know of a training.

    Parameters
    ----------
    job : JobFolder
        Its folder.
    config : TrainConfig
        Its settings.
    """

    job: JobFolder
    config: TrainConfig

    @classmethod
    def of(cls, job: JobFolder) -> Training | None:
        """Read the config of a job; None if it is no training, or not there yet."""
        try:
            config = job.settings()
        except AitrainError:
            return None
        return cls(job, config) if isinstance(config, TrainConfig) else None

    @cached_property
    def crops(self) -> CropSet:
        """What was decided when the job was made: slices or volumes, and the classes."""
        return CropSet.load(self.job.path)

    @property
    def instances(self) -> bool:
        """Whether it learns objects instead of classes."""
        return self.config.task != "semantic"


@dataclass(frozen=True)
class ShownSource:
    """A training source whose image is in the viewer."""

    source: Source
    image: Any
    truth: GroundTruth | None

    @property
    def magnification(self) -> Triple:
        """Of the training, z, y, x."""
        return self.source.magnification_zyx


def shown_source(session: Session, config: TrainConfig) -> ShownSource | None:
    """Return the training source to look at: that of the current ground truth, else of the uppermost visible image."""
    layers = session.viewer.layers
    found = []
    for source in config.sources:
        truth = _truth_of(session, source)
        if truth is not None and truth.image in layers:
            found.append(ShownSource(source, layers[truth.image], truth))
            continue
        same = (layer for layer in layers if layer.source.path and _same(layer.source.path, source.image))
        found += [ShownSource(source, layer, None) for layer in same if hasattr(layer, "contrast_limits")]
    current = session.truths.current
    of_current = [one for one in found if current is not None and one.truth == current]
    visible = sorted((one for one in found if one.image.visible), key=lambda one: -layers.index(one.image))
    return next(iter([*of_current, *visible, *found]), None)


def _truth_of(session: Session, source: Source) -> GroundTruth | None:
    name = source.labels.name
    return next((truth for truth in session.truths.all() if truth.key and name.startswith(truth.key)), None)


def _same(path: str, other: Location) -> bool:
    return absolute(path) == absolute(other)
