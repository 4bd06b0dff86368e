"""Sparse ground truth: painted at any magnification, a piece here and a piece there, of an image of any size.

What was painted at a magnification is a *sheet* of its own. The OME-Zarr that programs open is made from the sheets
where something changed; where two magnifications were painted over one another, the finer one is shown there. A change
is in the journal before it is anywhere else, and counts as done when the state file says so; what a killed process left
in between is done when the truth is opened again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import fastremap
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import VolumeError
from ..geometry import Region, Triple, format_magnification, magnified_shape, parse_magnification, to_finest, triple
from ..volumes.atomic import atomic_folder, atomic_write_text
from ..volumes.units import VoxelSize
from .sparse_change import Change, extent_of
from .sparse_journal import Journal
from .sparse_pyramid import Pyramid, coarser, pyramid_levels
from .sparse_sheet import Sheet

_STATE, _JOURNAL = "state.json", "journal"


class _State(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int = 1
    shape: Triple
    levels: tuple[Triple, ...]
    group: int = 0
    voxels: dict[str, dict[int, int]] = {}


class SparseTruth:
    """One frame of a sparse ground truth; use `create` or `open`.

    Parameters
    ----------
    path : Path
        The OME-Zarr labels on the voxels of the image. The sheets and the journal lie beside it.
    """

    def __init__(self, path: Path, state: _State) -> None:
        self.path, self._state = path, state
        self._folder = painted_folder(path)
        self._journal = Journal(self._folder / _JOURNAL)
        self._pyramid = Pyramid(path, state.levels)
        stored = self._folder.glob("*.zarr")
        self._sheets = {parse_magnification(one.stem): Sheet(one) for one in stored}
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
        state = _State(shape=shape, levels=levels)
        folder = painted_folder(path)
        if not (folder / _STATE).exists():
            with atomic_folder(folder) as part:
                atomic_write_text(part / _STATE, state.model_dump_json())
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
            If the disk is full or read-only.
        """
        file = painted_folder(path) / _STATE
        try:
            return cls(path, _State.model_validate_json(file.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            raise VolumeError(
                f"{file} cannot be read: {str(error).splitlines()[0]}",
                "the file that napari-aitrain wrote",
                f"restore it from a backup; {path.name} beside it can be opened as it is",
            ) from error

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
        return tuple(sorted(self._sheets, key=_coarseness))

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
        whole, chunk = Region.from_shape(self.shape), self._pyramid.sheets[0].chunk
        found = [to_finest(one, m).intersect(whole) for m in self.magnifications for one in self.painted(m)]
        return boxes_around(found, chunk)

    def commit(self, changes: Sequence[Change]) -> None:
        """Save changes: they are safe as soon as they are in the journal, and complete when this returns.

        Raises
        ------
        StorageError
            If the disk is full, read-only or has gone. What is in the journal then is done at the next call.
        """
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
        self._pyramid.update(self._touched(changes), self._compose)
        voxels = {name: dict(counts) for name, counts in self._state.voxels.items()}
        for change in changes:
            counts = voxels.setdefault(format_magnification(change.magnification), {})
            _count(counts, change.after, 1)
            _count(counts, change.before, -1)
        state = self._state.model_copy(update={"group": group, "voxels": voxels})
        atomic_write_text(self._folder / _STATE, state.model_dump_json())
        self._state = state

    def _sheet(self, magnification: Triple) -> Sheet:
        if magnification not in self._sheets:
            path = self._folder / f"{format_magnification(magnification)}.zarr"
            shape = magnified_shape(self.shape, magnification)
            self._sheets[magnification] = Sheet(path) if path.exists() else Sheet.create(path, shape)
        return self._sheets[magnification]

    def _touched(self, changes: Sequence[Change]) -> list[Region]:
        """Return what changed on the finest voxels, at most one region per chunk and change."""
        whole, chunk = Region.from_shape(self.shape), self._pyramid.sheets[0].chunk
        found = []
        for change in changes:
            m, mask = change.magnification, change.mask
            fine = to_finest(change.region, m).intersect(whole)
            first = [a // n for a, n in zip(fine.start, chunk, strict=True)]
            last = [-(-b // n) for b, n in zip(fine.stop, chunk, strict=True)]
            for place in itertools.product(*(range(a, b) for a, b in zip(first, last, strict=True))):
                cell = Region.from_shape(chunk, [p * n for p, n in zip(place, chunk, strict=True)]).intersect(fine)
                inside = coarser(cell, m).relative_to(change.region.start)
                extent = extent_of(mask[inside.slices])
                if extent is not None:
                    start = [a + b for a, b in zip(inside.start, change.region.start, strict=True)]
                    found.append(to_finest(extent.shift(start), m).intersect(cell))
        return found

    def _compose(self, region: Region) -> npt.NDArray[np.int32]:
        """Return the labels of a region of the finest voxels: of each the finest that was painted."""
        out = np.zeros(region.shape, np.int32)
        for m in reversed(self.magnifications):
            outer = coarser(region, m)
            values = self._sheets[m].read(outer)
            if not values.any():
                continue
            for axis, factor in enumerate(m):
                values = values.repeat(factor, axis=axis) if factor > 1 else values
            values = values[region.relative_to(to_finest(outer, m).start).slices]
            np.copyto(out, values, where=values != 0)
        return out


def painted_folder(path: Path) -> Path:
    """Return the folder of the sheets and the journal of a sparse ground truth."""
    return path.with_name(f"{path.stem}.painted")


def is_sparse(path: Path) -> bool:
    """Whether labels are a sparse ground truth."""
    return (painted_folder(path) / _STATE).is_file()


def _coarseness(m: Triple) -> tuple[int, Triple]:
    return m[0] * m[1] * m[2], m


def _count(counts: dict[int, int], labels: npt.NDArray[np.int32], sign: int) -> None:
    numbers, found = fastremap.unique(labels, return_counts=True)
    for number, voxels in zip(numbers.tolist(), found.tolist(), strict=True):
        if number:
            counts[number] = counts.get(number, 0) + sign * voxels


def boxes_around(regions: Iterable[Region], gap: Triple) -> list[Region]:
    """Return boxes around regions that are near to each other: those closer than a gap share one."""
    found: list[Region] = []
    for region in regions:
        while near := [other for other in found if other.grow(gap).overlaps(region)]:
            found = [other for other in found if other not in near]
            parts = [region, *near]
            region = Region(
                triple([min(p.start[axis] for p in parts) for axis in range(3)]),
                triple([max(p.stop[axis] for p in parts) for axis in range(3)]),
            )
        found.append(region)
    return found
