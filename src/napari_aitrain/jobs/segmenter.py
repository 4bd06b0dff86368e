"""Asks a worker process to segment, so that a window neither waits nor imports what a network needs."""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..autosegment.asked import Asked
from ..autosegment.settings import AutosegmentSettings
from ..autosegment.starter import Scored
from ..errors import JobError
from ..home import home
from ..location import Location
from ..tasks.protocol import FloatArray, VoxelSize
from ..volumes.atomic import storage_errors
from .failure import as_error
from .launch import Worker
from .lines import plain
from .segmenting import ANSWER, CANCEL, IMAGE, LABELS, PROGRESS, REQUEST, SCORES

_POLL = 0.05

T = TypeVar("T")
Cancelled = Callable[[], bool]
Progress = Callable[[int, int, str], None]


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


class Segmenter:
    """A worker process of its own, started with the first question; answers one question after the other.

    Its methods wait: they are for threads, any of them.

    Parameters
    ----------
    make : callable
        Makes a `Worker`.
    """

    def __init__(self, make: Callable[..., Worker] = Worker) -> None:
        self._make = make
        self._asking, self._owning = threading.Lock(), threading.Lock()
        self._worker: Worker | None = None
        self._closed = False

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

        return self._ask(request, write, read, cancelled, progress, wait=False)

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

        return self._ask(request, lambda _place: None, read, cancelled, progress, wait=True)

    def close(self) -> None:
        """End the process; what is being asked comes to nothing, files that are written stay."""
        with self._owning:
            self._closed = True
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.discard()

    def _ask(
        self,
        request: dict[str, Any],
        write: Callable[[Path], None],
        read: Callable[[Path, dict[str, Any]], T],
        cancelled: Cancelled,
        progress: Progress | None,
        wait: bool,
    ) -> T | None:
        with self._asking, tempfile.TemporaryDirectory(prefix="aitrain-", ignore_cleanup_errors=True) as name:
            place = Path(name)
            worker = None if cancelled() else self._at_work()
            if worker is None:
                return None
            with storage_errors(place):
                write(place)
            (place / REQUEST).write_text(json.dumps(plain(request)), encoding="utf-8")
            worker.send({"autosegment": str(place)})
            while not (place / ANSWER).exists():
                if not worker.alive:
                    self._gone()
                    return None
                if cancelled():
                    (place / CANCEL).touch()
                    if not wait:
                        return None
                if progress is not None:
                    _tell(place / PROGRESS, progress)
                worker.wait_news(_POLL)
            told = json.loads((place / ANSWER).read_text(encoding="utf-8"))
            if "error" in told:
                raise as_error(told)
            return None if told.get("cancelled") and "images" not in told else read(place, told)

    def _at_work(self) -> Worker | None:
        with self._owning:
            if self._closed:
                return None
            if self._worker is None or not self._worker.alive:
                if self._worker is not None:
                    self._worker.close()
                self._worker = self._make(beside_window=True, notify=True)
            return self._worker

    def _gone(self) -> None:
        if not self._closed:
            raise JobError(
                "the process that was segmenting has gone",
                "a process that runs; perhaps there was too little memory",
                f"try it again, or a smaller part; {home() / 'worker.log'} may say more",
            )


def _tell(path: Path, progress: Progress) -> None:
    # Not there yet, or on Windows just being replaced.
    with contextlib.suppress(OSError, ValueError):
        told = json.loads(path.read_text(encoding="utf-8"))
        progress(told["done"], told["total"], told["name"])
