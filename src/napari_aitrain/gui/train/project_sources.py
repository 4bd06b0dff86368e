"""Training sources from an earlier project, without opening its layers."""

from __future__ import annotations

import contextlib

import numpy as np
from napari.layers import Image

from ...annotation.image_copy import copies_of
from ...annotation.project import KeptImage, KeptTruth, Project
from ...errors import AitrainError, VolumeError
from ...geometry import Triple, format_magnification
from ...location import Location, located
from ...training.config import Source
from ...volumes import open_volume
from ..annotate.kept import placing
from ..frames import LayerFrame


def sources_of_project(project: Project) -> list[Source]:
    """Return a source per ground truth and frame of a project.

    Raises
    ------
    VolumeError
        If it has none, or an image has gone.
    """
    sources = [source for truth in project.state.truths for source in _of_truth(project, truth)]
    if not sources:
        raise VolumeError(
            f"{project.folder} holds no ground truth", "a project in which something was painted", "choose another"
        )
    return sources


def _of_truth(project: Project, truth: KeptTruth) -> list[Source]:
    kept = next((image for image in project.state.images if image.name == truth.image), None)
    if kept is None:
        return []
    frame = LayerFrame.of(Image(np.broadcast_to(np.uint8(0), kept.shape), **placing(kept)))
    found = []
    for at in project.frames(truth.key):
        boxes = [box for box in project.state.boxes if box.image == truth.image and box.frame == at]
        found.append(
            Source(
                image=_image(project, kept, frame.shape),
                labels=project.labels_path(truth.key, at),
                boxes=tuple(frame.to_box(box) for box in boxes),
                magnification=format_magnification(truth.magnification),
                voxel_size=frame.voxel_size,
                background_id=truth.background_id,
            )
        )
    return found


def _image(project: Project, kept: KeptImage, shape: Triple) -> Location:
    """Return the image's own file, or the copy that the project has of it."""
    for path in [located(kept.path)] * bool(kept.path) + copies_of(kept.name, project.images):
        with contextlib.suppress(AitrainError):
            if open_volume(path).shape == shape:
                return path
    raise VolumeError(
        f"the image {kept.name} is not where it was: {kept.path or 'it was never on disk'}",
        "an image that can be read",
        "put it back, or open it and make its ground truth anew",
    )
