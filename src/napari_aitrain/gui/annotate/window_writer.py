"""Writes the window of a sparse ground truth, and moves it to another part of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...annotation.project import Project
from ...annotation.sparse import SparseTruth
from ...annotation.sparse_change import Change, difference
from ...annotation.sparse_sheet import chunk_of
from ...geometry import Region, Triple, magnified_shape
from .changes import Tile
from .truth import Window
from .writing import TruthWriter, spread

if TYPE_CHECKING:
    from ..session import Session
    from .truths import GroundTruth

_AT_ONCE = 64 * 2**20


class WindowWriter(TruthWriter):
    """Writes what changed in a window through the journal of its sparse ground truth.

    Parameters
    ----------
    session : Session
        Of which the image is taken.
    truth : GroundTruth
        With a window, of which nothing is loaded yet.
    saved : bool
        Whether the layer is as it is on disk.
    """

    def __init__(self, session: Session, truth: GroundTruth, saved: bool) -> None:
        assert truth.window is not None
        self.window: Window = truth.window
        super().__init__(session, truth, saved)
        self._truths: dict[tuple[int, ...], SparseTruth] = {}
        self._collected: dict[Tile, tuple[npt.NDArray[np.int32], Change]] = {}

    def close(self) -> None:
        """Follow the layer no longer, and let another window have the ground truth."""
        super().close()
        for store in self._truths.values():
            store.close()

    def _tile_shape(self, layer: Any) -> Triple:
        return chunk_of(magnified_shape(self.window.image_shape, self.magnification))

    @property
    def counts(self) -> dict[int, int]:
        """Saved voxels per id painted at the magnification, inside the window and out of it; 0 left out."""
        total: dict[int, int] = {}
        for store in list(self._truths.values()):
            for number, voxels in store.counts(self.magnification).items():
                total[number] = total.get(number, 0) + voxels
        return total

    def store(self, project: Project, frame: tuple[int, ...]) -> SparseTruth:
        """Return the sparse ground truth of a frame.

        Raises
        ------
        AitrainError
            If it is damaged, or the disk is full or read-only.
        """
        path = project.labels_path(self.key, frame)
        if frame not in self._truths or self._truths[frame].path != path or not path.exists():
            shape, levels = self.window.image_shape, self.window.levels
            self._truths[frame] = project.sparse(self.key, frame, shape, levels, self.finest_voxel_size)
        return self._truths[frame]

    def write(self, project: Project, tile: Tile) -> Region | None:
        """Collect a tile if it is not as saved, and return the part that is new; `finish` writes it."""
        values = self.changes.read(tile)
        if not self.changes.is_new(tile, values):
            return None
        region = self.changes.region(tile).shift(self.window.region.start)
        before = self.store(project, tile.frame).read(self.magnification, region)
        change = difference(self.magnification, region, before, values)
        # A tile may come twice, once because it was painted and once to be compared.
        self._collected.pop(tile, None)
        if change is None:
            self.changes.saved(tile, values)
            return None
        self._collected[tile] = values, change
        if sum(values.nbytes + change.nbytes for values, change in self._collected.values()) > _AT_ONCE:
            self.finish(project)
        return spread(before, values, self.changes.region(tile))

    def finish(self, project: Project) -> None:
        """Save what was collected, as one step.

        Raises
        ------
        StorageError
            If the disk is full, read-only or has gone.
        """
        collected, self._collected = self._collected, {}
        for frame in sorted({tile.frame for tile in collected}):
            here = {tile: found for tile, found in collected.items() if tile.frame == frame}
            self.store(project, frame).commit([change for _, change in here.values()])
            for tile, (values, _) in here.items():
                self.changes.saved(tile, values)

    def load(self, project: Project, into: npt.NDArray[Any]) -> None:
        """Read what is stored of the window into an array of the layer's shape."""
        frame, window = self.changes.frame, self.window.region
        for at in project.frames(self.key):
            store = self.store(project, at)
            for chunk in store.painted(self.magnification):
                region = chunk.intersect(window)
                if region.empty:
                    continue
                values, inside = store.read(self.magnification, region), region.relative_to(window.start)
                into[frame.index(inside, at)] = values[0] if frame.flat else values
                self.changes.saved(Tile(at, self._place(inside)), values)

    def largest_id(self) -> int:
        """Return the largest id that was painted in any frame opened so far."""
        return max((store.largest_id for store in self._truths.values()), default=0)

    def load_history(self, project: Project, layer: Any) -> int:
        """Give napari's undo the steps that the journal holds of the window, and return how many."""
        history, frames = getattr(layer, "_undo_history", None), project.frames(self.key)
        # Steps of several frames have no order among each other.
        if history is None or len(frames) != 1:
            return 0
        frame, window = self.changes.frame, self.window.region
        steps = self.store(project, frames[0]).steps_back(self.magnification, window)
        for step in reversed(steps):
            history.append([_atom(change, window, frame.flat, frames[0]) for change in step])
        return len(steps)

    def _place(self, region: Region) -> Triple:
        z, y, x = (start // size for start, size in zip(region.start, self._tile, strict=True))
        return z, y, x


def writer_of(session: Session, truth: GroundTruth, saved: bool) -> TruthWriter:
    """Return what writes a ground truth."""
    if truth.window is None:
        return TruthWriter(session, truth, saved)
    # A new window is empty, as on disk; what is stored of it is loaded next.
    return WindowWriter(session, truth, saved=True)


def fits(writer: TruthWriter, truth: GroundTruth) -> bool:
    """Whether a writer writes the part that a ground truth shows now."""
    return not isinstance(writer, WindowWriter) or (
        writer.window == truth.window and writer.magnification == truth.magnification
    )


def _atom(change: Change, window: Region, flat: bool, frame: tuple[int, ...]) -> tuple[Any, Any, Any]:
    """Return an entry of napari's history: where, what was there before, and what after."""
    inside = change.region.relative_to(window.start).slices[1 if flat else 0 :]
    shape = [1] * len(frame) + [part.stop - part.start for part in inside]
    where = (*(slice(index, index + 1) for index in frame), *inside)
    return where, change.before.reshape(shape), change.after.reshape(shape)
