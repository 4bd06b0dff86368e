"""What the saver's thread does: no widgets, no signals."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import fastremap
import numpy as np
import numpy.typing as npt

from ...annotation.labels_store import LabelsStore
from ...annotation.project import Project, ProjectState
from ...geometry import Region, Triple, triple
from ...volumes.units import VoxelSize
from ..frames import LayerFrame
from .changes import LayerChanges, Tile
from .image_of import finest_shape

if TYPE_CHECKING:
    from ..session import Session
    from .truths import GroundTruth


class Stored(Protocol):
    """Labels on disk."""

    path: Path


class TruthWriter:
    """Writes the changed tiles of one ground truth, and counts its labels on the way.

    Parameters
    ----------
    session : Session
        Of which the image is taken.
    truth : GroundTruth
        What is written.
    saved : bool
        Whether the layer is as it is on disk.
    """

    def __init__(self, session: Session, truth: GroundTruth, saved: bool) -> None:
        layer = session.truths.layer(truth)
        self.key, self.magnification = truth.key, truth.magnification
        self.shape = finest_shape(session.viewer, truth, layer)
        self._tile = self._tile_shape(layer)
        self.changes = LayerChanges(layer, self._tile, saved)
        self._stores: dict[tuple[int, ...], LabelsStore] = {}
        self._counts: dict[Tile, dict[int, int]] = {}

    def _tile_shape(self, layer: Any) -> Triple:
        """Return the shape of what is written at once."""
        return LabelsStore.tile_of(LayerFrame.of(layer).shape)

    @property
    def finest_voxel_size(self) -> VoxelSize | None:
        """Of the image, in nm."""
        size = self.changes.frame.voxel_size
        finest = size and tuple(s / m for s, m in zip(size, self.magnification, strict=True))
        return (finest[0], finest[1], finest[2]) if finest else None

    @property
    def counts(self) -> dict[int, int]:
        """Saved voxels per id, 0 left out."""
        total: dict[int, int] = {}
        for counts in list(self._counts.values()):
            for number, voxels in counts.items():
                total[number] = total.get(number, 0) + voxels
        return total

    def close(self) -> None:
        """Follow the layer no longer."""
        self.changes.close()

    def store(self, project: Project, frame: tuple[int, ...]) -> Stored:
        """Return where the labels of a frame are kept.

        Raises
        ------
        StorageError
            If the disk is full or read-only.
        """
        return self._store(project, frame)

    def _store(self, project: Project, frame: tuple[int, ...]) -> LabelsStore:
        path = project.labels_path(self.key, frame)
        if frame not in self._stores or self._stores[frame].path != path or not path.exists():
            flat, size = self.changes.frame.flat, self.finest_voxel_size
            self._stores[frame] = project.labels(
                self.key, frame, self.shape, flat=flat, magnification=self.magnification, voxel_size=size
            )
        return self._stores[frame]

    def write(self, project: Project, tile: Tile) -> Region | None:
        """Write a tile if it is not as saved, and return the part that is new, in voxels of the layer, or None."""
        values = self.changes.read(tile)
        if not self.changes.is_new(tile, values):
            return None
        store, region = self._store(project, tile.frame), self.changes.region(tile)
        before = store.read(region)
        store.write(region, values)
        self.loaded(tile, values)
        return spread(before, values, region)

    def finish(self, project: Project) -> None:
        """Write what `write` has only collected; here nothing."""

    def loaded(self, tile: Tile, values: npt.NDArray[np.int32]) -> None:
        """Take note of what is on disk."""
        self.changes.saved(tile, values)
        numbers, counts = fastremap.unique(values, return_counts=True)
        self._counts[tile] = {int(n): int(c) for n, c in zip(numbers, counts, strict=True) if n}

    def load(self, project: Project, into: npt.NDArray[Any]) -> None:
        """Read everything that is stored into an array of the layer's shape."""
        frame = self.changes.frame
        for at in project.frames(self.key):
            for region, values in self._store(project, at).stored():
                into[frame.index(region, at)] = values[0] if frame.flat else values
                self.loaded(Tile(at, _place(region, LabelsStore.tile_of(self.shape))), values)


class Written(NamedTuple):
    """A part of a ground truth that was saved anew: its writer, its frame, and where, in voxels of the layer."""

    writer: TruthWriter
    frame: tuple[int, ...]
    part: Region


@dataclass
class Work:
    """What is to be written in one go.

    Parameters
    ----------
    project : Project
        Where to.
    state : ProjectState
        Boxes and ground truths as they are now.
    tiles : list of (TruthWriter, list of Tile)
        What is known to have changed.
    sweep : int
        Voxels per ground truth that are compared with what is saved.
    wrote : bool
        Whether anything was written.
    written : list of Written
        What of ground truth was.
    """

    project: Project
    state: ProjectState
    tiles: list[tuple[TruthWriter, list[Tile]]]
    sweep: int
    wrote: bool = field(default=False)
    written: list[Written] = field(default_factory=list)


def write_all(work: Work) -> None:
    """Write what changed.

    Raises
    ------
    StorageError
        If the disk is full, read-only or has gone.
    GroundTruthError
        If an id does not fit into 32 bits.
    """
    # First, so that what is painted is found again, even if this process is killed in between.
    work.wrote |= work.state != work.project.state
    work.project.save_state(work.state)
    for writer, tiles in work.tiles:
        for tile in [*tiles, *writer.changes.next_suspects(work.sweep)]:
            if (part := writer.write(work.project, tile)) is not None:
                work.written.append(Written(writer, tile.frame, part))
        writer.finish(work.project)
    work.wrote |= bool(work.written)


def spread(before: npt.NDArray[np.int32], after: npt.NDArray[np.int32], region: Region) -> Region | None:
    """Return the smallest part of a region in which labels differ; None where they are the same."""
    differs = before != after
    spans = [np.flatnonzero(differs.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
    if not all(len(span) for span in spans):
        return None
    starts = [first + int(span[0]) for first, span in zip(region.start, spans, strict=True)]
    return Region.from_shape(triple([int(span[-1] - span[0]) + 1 for span in spans]), starts)


def _place(region: Region, tile: Triple) -> Triple:
    z, y, x = (start // size for start, size in zip(region.start, tile, strict=True))
    return z, y, x
