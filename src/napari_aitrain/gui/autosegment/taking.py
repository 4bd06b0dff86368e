"""Objects that were found become ground truth, with a note of how they were made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...autosegment.files import provenance
from ...autosegment.finding import Found
from ...autosegment.settings import AutosegmentSettings
from ...errors import GroundTruthError
from ...volumes.atomic import storage_errors
from ..annotate.truth import GroundTruth
from ..annotate.write_voxels import MOST_VOXELS, write_voxels
from ..frames import LayerFrame
from .part import Part

if TYPE_CHECKING:
    from ..session import Session

NOTES = "autosegment.jsonl"
"""A line per use, in the folder of the project."""


@dataclass(frozen=True)
class Taken:
    """What was written: objects, and how many were left out because a person had painted there."""

    objects: int
    kept: int


def truth_of(session: Session, image: Any) -> GroundTruth | None:
    """Return the ground truth of objects of an image: the current one, or another one, if there is any."""
    current = session.truths.current
    found = [truth for truth in session.truths.of_image(image.name) if truth.mode == "instances"]
    return current if current in found else next(iter(found), None)


def new_truth(session: Session, image: Any) -> GroundTruth:
    """Make an empty ground truth of objects of an image.

    Raises
    ------
    AitrainError
        If the image is too large to be painted at once, or rotated.
    """
    truth = session.truths.of_layer(session.truths.create(image, "instances").name)
    assert truth is not None
    return truth


def take(session: Session, truth: GroundTruth, part: Part, found: Found, settings: AutosegmentSettings) -> Taken:
    """Write objects into a ground truth as one step of its history; what is painted stays.

    An object of which less than half would be new is left out. How they were made is noted in the project.

    Raises
    ------
    GroundTruthError
        If that is too much to be undone, or the part is not in what the layer shows; nothing is written or noted then.
    StorageError
        If the note cannot be kept, as the disk is full or read-only; nothing is written then.
    """
    layer = session.truths.layer(truth)
    start = np.array((0, 0, 0) if truth.window is None else truth.window.region.start)
    target = LayerFrame.of(layer)
    inside = part.region if truth.window is None else part.region.intersect(truth.window.region)
    if inside.empty:
        raise GroundTruthError(
            f"this part is not in what {truth.layer} shows", "a part of the image that is being painted",
            "move the ground truth there in the Annotate dock",
        )  # fmt: skip
    frame = part.frame[: len(target.leading)]
    labels = found.labels[inside.relative_to(part.region.start).slices]
    region = inside.shift([-int(n) for n in start])
    there = np.asarray(layer.data[target.index(region, frame)]).reshape(labels.shape)
    free = np.where(there == 0, labels, 0)
    whole, new = (np.bincount(one.ravel(), minlength=found.count + 1)[1:] for one in (labels, free))
    wanted = np.concatenate([[False], (new > 0) & (2 * new >= whole)])
    kept = int(np.count_nonzero((whole > 0) & ~wanted[1:]))
    where = np.nonzero(wanted[free])
    if len(where[0]) > MOST_VOXELS:
        raise GroundTruthError(
            "these objects have too many voxels to be written in one step",
            f"at most {MOST_VOXELS:,} voxels, so that the step can be undone",
            "draw a box and segment that, or make the ground truth at a coarser magnification",
        )
    keep_provenance(session, truth, part, found, settings)
    if len(where[0]):
        first = session.truths.next_id(truth)
        numbers = np.cumsum(wanted) - 1 + first
        write_voxels(layer, frame, np.stack(where) + np.array(region.start)[:, None], numbers[free[where]])
    return Taken(int(wanted.sum()), kept)


def keep_provenance(
    session: Session, truth: GroundTruth, part: Part, found: Found, settings: AutosegmentSettings
) -> None:
    """Add a line to the project that says how objects were made.

    Raises
    ------
    StorageError
        If the disk is full or read-only.
    """
    folder = session.saver.ensure_project().folder
    region = {"start": part.region.start, "stop": part.region.stop}
    line = provenance(
        part.volume, settings, found, ground_truth=truth.key, **region, magnification=part.magnification,
        frame=part.frame,
    )  # fmt: skip
    with storage_errors(folder), (folder / NOTES).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
