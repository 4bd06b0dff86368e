"""From layers and boxes to the training sources that a worker can read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...annotation.boxes import Box
from ...annotation.project import Project
from ...annotation.sparse import SparseTruth
from ...annotation.sparse_boxes import painted_boxes
from ...classification.marks import CLASSES, read_sheet
from ...errors import GroundTruthError, StorageError
from ...geometry import FINEST, format_magnification
from ...location import Location, located
from ...training.config import Source
from ...volumes import Volume
from ...volumes.building import build_volume
from ..frames import LayerFrame
from .file_of_layer import on_disk
from .image_of import image_layer
from .writing import Stored

if TYPE_CHECKING:
    from ..session import Session
    from .truths import GroundTruth


__all__ = ["frame_volume", "labels_frame", "on_disk", "shown_frame", "sources_of"]


def sources_of(session: Session, truth: GroundTruth, wait: bool) -> list[Source]:
    """Return the training sources of a ground truth, one per frame that has boxes; everything is on disk then.

    Raises
    ------
    StillCopying
        If the image has to be copied first and that is not to be waited for.
    AitrainError
        If it could not be saved, the image is not open, or it is nowhere on disk and too large to copy.
    """
    image = image_layer(session.viewer, truth.image)
    frame = LayerFrame.of(image)
    if not session.saver.flush():
        raise StorageError(session.saver.problem, "a project that can be saved", "mend that, and try again")
    project = session.saver.ensure_project()
    boxes = [box for box in session.boxes if box.image == truth.image]
    frames = sorted({box.frame for box in boxes}) if boxes else [shown_frame(session.viewer, frame)]
    writer = session.saver.writer(truth)
    found = []
    path: Location
    opened = session.saver.files.get(image, frame, wait)
    for at in frames:
        labels = writer.store(project, labels_frame(at, frame))
        if opened is None:
            volume = frame_volume(image, frame, at)
            path, channels = session.saver.copies.get(volume, project.folder / "images", wait), None
        else:
            path, channels = located(image.source.path), opened[1]
        found.append(
            Source(
                image=path,
                labels=labels.path,
                boxes=tuple(frame.to_box(box) for box in boxes if box.frame == at) or _painted(labels, truth),
                magnification=format_magnification(truth.magnification),
                voxel_size=frame.voxel_size,
                channels=channels,
                axes=opened[0].axes if opened is not None and opened[0].axes_guessed else None,
                background_id=truth.background_id,
                object_classes=_object_classes(session, project, truth),
            )
        )
    return found


def _object_classes(session: Session, project: Project, truth: GroundTruth) -> Path | None:
    """Return the file with the classes of the objects of a ground truth, if some have one."""
    path = project.folder / CLASSES / f"{truth.key}.json"
    session.classifying.sheets.flush()
    there = truth.mode == "instances" and path.is_file()
    return path if there and read_sheet(path).marks else None


def _painted(labels: Stored, truth: GroundTruth) -> tuple[Box, ...]:
    """Return boxes around what is painted of a sparse ground truth, of which nobody could read all; else none."""
    if not isinstance(labels, SparseTruth):
        return ()
    try:
        return painted_boxes(labels.path)
    except GroundTruthError as error:
        raise GroundTruthError(f"nothing is painted in {truth.layer} yet", error.expected, error.remedy) from error


def labels_frame(at: tuple[int, ...], frame: LayerFrame) -> tuple[int, ...]:
    """Return the frame of ground truth that belongs to one of its image: channels share theirs."""
    return tuple(0 if axis == frame.channel else index for axis, index in enumerate(at))


def shown_frame(viewer: Any, frame: LayerFrame) -> tuple[int, ...]:
    """Return the frame of the slice on screen."""
    first = viewer.dims.ndim - frame.ndim
    return tuple(
        min(n - 1, max(0, int(viewer.dims.current_step[first + axis]))) for axis, n in enumerate(frame.leading)
    )


def frame_volume(image: Any, frame: LayerFrame, at: tuple[int, ...]) -> Volume:
    """Return one frame of a layer as a volume."""
    spare = iter("tabdefghijk")
    letters = ["c" if axis == frame.channel else next(spare) for axis in range(len(frame.leading))]
    axes = "".join(letters) + ("yx" if frame.flat else "zyx") + ("c" if frame.rgb else "")
    fixed = {letter: index for letter, index in zip(letters, at, strict=True) if letter != "c"}
    array = image.data[0] if image.multiscale else image.data
    return build_volume([(array, FINEST)], image.name, None, "image", asked=axes, at=fixed, voxel_size=frame.voxel_size)
