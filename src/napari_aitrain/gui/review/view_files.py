"""Cuts what is on screen out of an image and leaves it in the job folder, in a thread of its own; reads answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import AitrainError
from ...geometry import Region, Triple
from ...jobs import Event
from ...tasks import make_task
from ...tasks.merge_tree import MergeTree
from ...volumes.atomic import storage_errors
from ..annotate.sources import frame_volume
from ..frames import LayerFrame
from .maps import Maps
from .shown_source import Training

VIEWS = "views"
MERGES = "merges_"
"""Begins the names of the files that hold a tree of merges."""
_KEPT = 3


@dataclass(frozen=True)
class View:
    """A part of an image that is to be predicted.

    Parameters
    ----------
    number : int
        Of the request.
    folder : Path
        The job folder.
    image : napari.layers.Image
        What to read from.
    frame : tuple of int
        Index along the axes before z, y and x.
    magnification : tuple of int
        z, y, x.
    region : Region
        In voxels of the magnification.
    """

    number: int
    folder: Path
    image: Any
    frame: tuple[int, ...]
    magnification: Triple
    region: Region

    @property
    def file(self) -> str:
        """Name of its file, relative to the job folder."""
        return f"{VIEWS}/{self.number:012d}.npy"


def write_view(view: View) -> None:
    """Write the raw intensities of a view, shape (c, z, y, x), and remove those of old requests.

    Raises
    ------
    AitrainError
        If the image cannot be read, or the disk is full.
    """
    volume = frame_volume(view.image, LayerFrame.of(view.image), view.frame).at(view.magnification)
    array = volume.read(view.region)
    path = view.folder / view.file
    with storage_errors(path):
        path.parent.mkdir(exist_ok=True)
        np.save(path, array)
        for old in sorted(path.parent.glob("*.npy"))[:-_KEPT]:
            old.unlink(missing_ok=True)


class ViewThread:
    """Writes the newest view that was asked for; older ones that have not been begun are left out.

    Parameters
    ----------
    done : callable
        Called in the thread with each view that was written.
    failed : callable
        Called in the thread with the error of a view that could not be.
    """

    def __init__(self, done: Callable[[View], None], failed: Callable[[AitrainError], None]) -> None:
        self._done, self._failed = done, failed
        self._next: View | None = None
        self._closing = False
        self._condition = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="napari-aitrain-views", daemon=True)
        self._thread.start()

    def ask(self, view: View) -> None:
        """Have a view written."""
        with self._condition:
            self._next = view
            self._condition.notify()

    def close(self) -> None:
        """End the thread."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._closing or self._next is not None)
                if self._closing:
                    return
                view, self._next = self._next, None
            assert view is not None
            try:
                write_view(view)
            except AitrainError as error:
                self._failed(error)
            else:
                self._done(view)


def merges_of(folder: Path, event: Event) -> MergeTree | None:
    """Return the tree of merges that came with a preview; None where nothing is joined."""
    names = {name.removeprefix(MERGES): file for name, file in event.data.items() if name.startswith(MERGES)}
    return MergeTree.from_arrays({name: np.load(folder / file) for name, file in names.items()}) if names else None


def maps_of(folder: Path, event: Event, training: Training) -> Maps | None:
    """Return the maps that came with a preview, in memory; None where no slider can be moved on them."""
    if "maps" not in event.data:
        return None
    stored = np.load(folder / event.data["maps"])
    task = make_task(training.config.task, event.data["settings"], training.crops.classes)
    size = event.data["voxel_size"]
    voxel_size = None if size is None else (float(size[0]), float(size[1]), float(size[2]))
    return Maps(task, training.crops.dims, voxel_size, lambda region: stored[(slice(None), *region.slices)])
