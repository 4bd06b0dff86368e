"""The ground truth of an image as it is on disk, for threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import StorageError
from ...geometry import Region
from ...suggestions.retraining import count_annotations
from ...tasks.protocol import BoolArray, LabelArray
from ...volumes import open_volume
from ...volumes.labels import read_labels
from ..annotate.image_of import image_layer
from ..frames import LayerFrame

if TYPE_CHECKING:
    from ..annotate.truth import GroundTruth
    from ..session import Session


@dataclass(frozen=True)
class TruthFile:
    """A ground truth that is saved.

    Parameters
    ----------
    path : Path
        Its labels, on the voxels of the image.
    instances : bool
        Whether labels are ids of objects.
    background : int or None
        The id that was painted as background.
    """

    path: Path
    instances: bool
    background: int | None

    def read(self, region: Region, sparse: bool) -> tuple[LabelArray, BoolArray]:
        """Return the labels of a region as training sees them, and where they are known."""
        labels = read_labels(open_volume(self.path, kind="labels"), region)
        known = labels > 0 if sparse else np.ones(labels.shape, bool)
        if self.background is not None:
            labels = np.where(labels == self.background, np.int32(0), labels)
        return labels, known

    def count(self, regions: Sequence[Region]) -> dict[int, int]:
        """Return how many annotations there are in some regions, by class."""
        volume = open_volume(self.path, kind="labels")
        parts = (read_labels(volume, region.intersect(volume.region)) for region in regions)
        return count_annotations(parts, self.instances, () if self.background is None else (self.background,))


def truth_file(session: Session, truth: GroundTruth, frame: tuple[int, ...]) -> TruthFile:
    """Return where one frame of a ground truth is, as far as it is saved.

    Raises
    ------
    AitrainError
        If it cannot be made.
    """
    place = LayerFrame.of(session.truths.layer(truth))
    at = tuple(min(index, n - 1) for index, n in zip(frame, place.leading, strict=False))
    store = session.saver.writer(truth).store(session.saver.ensure_project(), at)
    return TruthFile(store.path, truth.mode == "instances", truth.background_id)


def save(session: Session) -> None:
    """Save what is painted.

    Raises
    ------
    StorageError
        If that fails.
    """
    if not session.saver.flush():
        raise StorageError(session.saver.problem, "a project that can be saved", "mend that, and try again")


def labelled_boxes(session: Session, truth: GroundTruth) -> list[tuple[TruthFile, list[Region]]]:
    """Return the boxes around what a ground truth teaches, by frame; those that are rejected are left out.

    Raises
    ------
    AitrainError
        If the image is not open.
    """
    place = LayerFrame.of(image_layer(session.viewer, truth.image))
    boxes = [box for box in session.boxes if box.image == truth.image and box.status != "rejected"]
    return [
        (truth_file(session, truth, frame), [place.to_region(b.start, b.stop) for b in boxes if b.frame == frame])
        for frame in sorted({box.frame for box in boxes})
    ]


def truth_for(session: Session, image: str, instances: bool) -> GroundTruth | None:
    """Return the ground truth of an image that a model of this kind is compared with."""
    wanted = "instances" if instances else "classes"
    found = [truth for truth in session.truths.of_image(image) if truth.mode == wanted]
    current = session.truths.current
    return current if current in found else next(iter(found), None)
