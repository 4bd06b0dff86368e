"""Asks a worker process to segment."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..autosegment.asked import Asked
from ..autosegment.settings import AutosegmentSettings
from ..autosegment.starter import Scored
from ..location import Location
from ..tasks.protocol import FloatArray, VoxelSize
from .asker import Asker, Cancelled, Progress
from .segmenting import IMAGE, LABELS, SCORES

__all__ = ["Cancelled", "Progress", "SegmentedFile", "SegmentedFolder", "Segmenter"]


@dataclass(frozen=True)
class SegmentedFile:
    """What became of an image of a folder.

    Parameters
    ----------
    image, out : str
        The image, and where its labels are.
    objects : int
        How many were found.
    warning, error : str
        Empty if there is nothing to say.
    """

    image: str
    out: str
    objects: int
    warning: str
    error: str


@dataclass(frozen=True)
class SegmentedFolder:
    """What became of a folder: its images so far, and whether it was cancelled before the last."""

    images: tuple[SegmentedFile, ...]
    cancelled: bool


class Segmenter(Asker):
    """A worker process that segments, by any preset or by a starter model."""

    def image(
        self,
        image: FloatArray,
        settings: AutosegmentSettings,
        voxel_size: VoxelSize | None,
        cancelled: Cancelled,
        progress: Progress | None = None,
    ) -> Scored | None:
        """Find the objects of an image by a starter model, see `find_by_starter`; None if it was cancelled.

        Raises
        ------
        AitrainError
            If it cannot be done, or the worker has gone.
        """
        request = {"settings": settings.model_dump(), "voxel_size": voxel_size}

        def write(place: Path) -> None:
            np.save(place / IMAGE, image)

        def read(place: Path, told: dict[str, Any]) -> Scored:
            labels, scores = np.load(place / LABELS), np.load(place / SCORES)
            return Scored(labels, scores, told["diameter"], told["threshold"])

        return self.ask("image", request, write, read, cancelled, progress, wait=False)

    def folder(
        self, images: Location, out: Path, asked: Asked, cancelled: Cancelled, progress: Progress
    ) -> SegmentedFolder | None:
        """Segment the images of a folder, see `files.autosegment`; None if that was cancelled before it began.

        Raises
        ------
        AitrainError
            If nothing can be done, or the worker has gone.
        """
        request = {"image": str(images), "out": str(out), "asked": asdict(asked)}

        def read(_place: Path, told: dict[str, Any]) -> SegmentedFolder:
            keys = ("image", "out", "objects", "warning", "error")
            files = tuple(SegmentedFile(**{key: one[key] for key in keys}) for one in told["images"])
            return SegmentedFolder(files, bool(told["cancelled"]))

        return self.ask("folder", request, lambda _place: None, read, cancelled, progress, wait=True)
