"""Sparse ground truth: painted at any magnification, a piece here and a piece there, of an image of any size.

What was painted at a magnification is a *sheet* of its own. The OME-Zarr that programs open is made from the sheets
where something changed; where two magnifications were painted over one another, the finer one is shown there. A change
is in the journal before it is anywhere else, and counts as done when the state file says so; what a killed process left
in between is done when the truth is opened again.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..geometry import Region, Triple, format_magnification, magnified_shape
from ..volumes.atomic import atomic_folder, atomic_write_text
from ..volumes.units import VoxelSize
from .sparse_boxes import boxes_around, painted_regions
from .sparse_change import Change
from .sparse_compose import coarseness, compose, counted, touched
from .sparse_files import JOURNAL, STATE, State, is_sparse, open_sheets, painted_folder, read_state
from .sparse_journal import Journal
from .sparse_lock import hold, release
from .sparse_pyramid import Pyramid, pyramid_levels
from .sparse_sheet import Sheet

__all__ = ["SparseTruth", "is_sparse", "painted_folder"]


class SparseTruth:
    """One frame of a sparse ground truth; use `create` or `open`.

    Only one process has it at a time, until `close`, or until nothing refers to it.

    Parameters
    ----------
    path : Path
        The OME-Zarr labels on the voxels of the image. The sheets and the journal lie beside it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folder = painted_folder(path)
        self._state = read_state(path)
        self._lock = hold(self._folder)
        self._released = weakref.finalize(self, release, self._lock)
        # Another process may have painted until now.
        self._state = read_state(path)
        self._journal = Journal(self._folder / JOURNAL)
        self._pyramid = Pyramid(path, self._state.levels)
        self._sheets = open_sheets(path)
        self._journal.mend()
        self._behind = True
        self.recovered = self._catch_up()

    @classmethod
    def create(
        cls, path: Path, shape: Triple, magnifications: Iterable[Triple] = (), voxel_size: VoxelSize | None = None
    ) -> SparseTruth:
        """Make an empty one; nothing is written for voxels.

        Parameters
        ----------
        path : Path
            Ends with ``.zarr``; there is nothing yet.
        shape : tuple of int
            Of the image, in z, y, x order.
        magnifications : iterable of tuple of int
            Of the image's own levels, which the pyramid gets as well.
        voxel_size : tuple of float, optional
            Of the image, in nm.

        Raises
        ------
        StorageError
            If the disk is full or read-only.
        """
        levels = pyramid_levels(shape, magnifications)
        folder = painted_folder(path)
        if not (folder / STATE).exists():
            with atomic_folder(folder) as part:
                atomic_write_text(part / STATE, State(shape=shape, levels=levels).model_dump_json())
        Pyramid.create(path, shape, levels, voxel_size)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> SparseTruth:
        """Open one, and do what a killed process left undone.

        Raises
        ------
        VolumeError
            If it is damaged.
        StorageError
            If another process has it, or the disk is full or read-only.
        """
        return cls(path)

    def close(self) -> None:
        """Let another process have it; nothing can be saved from here then."""
        self._released()

    @property
    def shape(self) -> Triple:
        """Of the image, in z, y, x order."""
        return self._state.shape

    @property
    def levels(self) -> tuple[Triple, ...]:
        """Magnifications of the pyramid."""
        return self._state.levels

    @property
    def magnifications(self) -> tuple[Triple, ...]:
        """Those at which something was painted, the finest first."""
        return tuple(sorted(self._sheets, key=coarseness))

    @property
    def largest_id(self) -> int:
        """The largest id that was ever painted."""
        return max((number for counts in self._state.voxels.values() for number in counts), default=0)

    def counts(self, magnification: Triple) -> dict[int, int]:
        """Return the voxels per id painted at a magnification, 0 left out."""
        counts = self._state.voxels.get(format_magnification(magnification), {})
        return {number: voxels for number, voxels in counts.items() if voxels}

    def read(self, magnification: Triple, region: Region) -> npt.NDArray[np.int32]:
        """Return what was painted at a magnification, shape (z, y, x); 0 elsewhere.

        Parameters
        ----------
        magnification : tuple of int
            In z, y, x order.
        region : Region
            In voxels of it.

        Raises
        ------
        VolumeError
            If a chunk is damaged.
        StorageError
            If what is in the journal alone cannot be written.
        """
        self._catch_up()
        sheet = self._sheets.get(magnification)
        return np.zeros(region.shape, np.int32) if sheet is None else sheet.read(region)

    def painted(self, magnification: Triple) -> Iterator[Region]:
        """Yield the chunks that were painted at a magnification, in its voxels."""
        if magnification in self._sheets:
            yield from self._sheets[magnification].painted()

    def extents(self) -> list[Region]:
        """Return boxes around everything that is painted, in voxels of the image; chunks near each other share one."""
        return boxes_around(painted_regions(self.path), self._pyramid.sheets[0].chunk)

    def commit(self, changes: Sequence[Change]) -> None:
        """Save changes: they are safe as soon as they are in the journal, and complete when this returns.

        Raises
        ------
        StorageError
            If the disk is full, read-only or has gone. What is in the journal then is done at the next call. Or if
            another process has taken over.
        """
        self._lock.check()
        self._catch_up()
        if changes:
            self._journal.append(self._state.group + 1, changes)
            self._behind = True
            self._apply(self._state.group + 1, changes)
            self._behind = False
            self._journal.shorten()

    def steps_back(
        self, magnification: Triple, region: Region, most: int = 100, most_bytes: int = 2**27
    ) -> list[list[Change]]:
        """Return what was saved together inside a region, the newest first, as far as it can be undone there.

        Parameters
        ----------
        magnification : tuple of int
            What was painted at others is left as it is.
        region : Region
            In voxels of the magnification. A change that also lies outside ends the list.
        most, most_bytes : int
            How many steps at most, and how large they may be in memory.
        """
        found: list[list[Change]] = []
        entries = reversed(list(self._journal.entries()))
        for _, group in itertools.groupby(entries, key=lambda entry: entry.group):
            here = [one for one in group if one.magnification == magnification and one.region.overlaps(region)]
            most_bytes -= sum(8 * one.region.size for one in here)
            if len(found) == most or most_bytes < 0 or not all(region.contains(one.region) for one in here):
                break
            if here:
                found.append([entry.change for entry in here])
        return found

    def _catch_up(self) -> int:
        """Do what the journal holds and the state does not, and return how many changes that were."""
        if not self._behind:
            return 0
        late = [entry for entry in self._journal.entries() if entry.group > self._state.group]
        for group, entries in itertools.groupby(late, key=lambda entry: entry.group):
            self._apply(group, [entry.change for entry in entries])
        self._behind = False
        return len(late)

    def _apply(self, group: int, changes: Sequence[Change]) -> None:
        for change in changes:
            self._sheet(change.magnification).write(change.region, change.after)
        where = touched(changes, self.shape, self._pyramid.sheets[0].chunk)
        self._pyramid.update(where, lambda region: compose(self._sheets, region))
        voxels = counted(self._state.voxels, changes)
        state = self._state.model_copy(update={"group": group, "voxels": voxels})
        atomic_write_text(self._folder / STATE, state.model_dump_json())
        self._state = state

    def _sheet(self, magnification: Triple) -> Sheet:
        if magnification not in self._sheets:
            path = self._folder / f"{format_magnification(magnification)}.zarr"
            shape = magnified_shape(self.shape, magnification)
            self._sheets[magnification] = Sheet(path) if path.exists() else Sheet.create(path, shape)
        return self._sheets[magnification]
