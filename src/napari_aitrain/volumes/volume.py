"""The volume: a lazy, possibly multiscale array with axes and voxel size."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, VolumeError
from ..geometry import FINEST, Region, Triple, magnified_shape, to_finest, triple
from ..location import Location, Url
from .axes import Kind
from .channels import find_channels
from .chunk_files import OneFile
from .chunked import ChunkedArray
from .damage import DamagedChunk, DamageLog
from .downsample import downsample_mean, downsample_mode
from .fingerprint import fingerprint_of
from .lazy import LazyArray
from .level import Level, describe, native_dtype
from .place import Place
from .units import VoxelSize, magnified


@dataclass(frozen=True, eq=False)
class Volume:
    """A lazy image or labels array with named channels and a voxel size.

    Parameters
    ----------
    name : str
        What people call it.
    path : Path, Url or None
        Where it lies; None for an array in memory.
    kind : {'image', 'labels'}
        Images are averaged when downsampled; of labels the most frequent id is taken.
    levels : tuple of Level
        The finest first; all of one layout.
    channel_indices : tuple of int
        The channels of the file that `read` gives.
    channels : tuple of str
        Their names; numbers from 0 where the file has none.
    finest_voxel_size : tuple of float or None
        Nanometres in z, y, x order at the finest level of the file; None when unknown.
    magnification : tuple of int
        Of this volume relative to the finest level of the file, in z, y, x order.
    cut_from : Place or None
        Where the finest level lies in the dataset that it is a part of, if the file says so.
    remarks : tuple of str
        What people should know, such as that a level of the pyramid is left out.
    damage : DamageLog
        What reading met; `filled` and `changed` tell it.
    """

    name: str
    path: Location | None
    kind: Kind
    levels: tuple[Level, ...]
    channel_indices: tuple[int, ...]
    channels: tuple[str, ...]
    finest_voxel_size: VoxelSize | None = None
    magnification: Triple = FINEST
    cut_from: Place | None = None
    remarks: tuple[str, ...] = ()
    damage: DamageLog = field(default_factory=DamageLog)

    @classmethod
    def from_array(
        cls,
        array: LazyArray,
        *,
        name: str = "array",
        kind: Kind = "image",
        axes: str | None = None,
        channels: Sequence[str] | None = None,
        voxel_size: VoxelSize | None = None,
        cache: bool = False,
    ) -> Volume:
        """Return a volume of an array in memory, or of anything that is indexed like one.

        Parameters
        ----------
        array : array-like
            Two to four axes.
        name : str
            What people call it.
        kind : {'image', 'labels'}
            Labels have no channels.
        axes : str, optional
            One letter per axis; None guesses as `axes.guess_axes` does.
        channels : sequence of str, optional
            Names of all channels.
        voxel_size : tuple of float, optional
            Nanometres in z, y, x order.
        cache : bool
            Keep decoded chunks of an array that has ``chunks``. Only for arrays that nobody writes into.

        Raises
        ------
        VolumeError
            If the axes or the dtype cannot be used.
        """
        from .building import build_volume

        if cache and getattr(array, "chunks", None):
            array = ChunkedArray(array, OneFile(None, name))
        return build_volume([(array, FINEST)], name, None, kind, asked=axes, names=channels, voxel_size=voxel_size)

    @property
    def axes(self) -> str:
        """The axes of the file that are read, in its order, such as ``zyx``, ``yx`` or ``yxc``."""
        return self.levels[0].layout.used

    @property
    def axes_guessed(self) -> bool:
        """Whether the axes are a guess from the shape alone."""
        return self.levels[0].layout.guessed

    @property
    def shape(self) -> Triple:
        """Extent in z, y, x, in voxels of this volume's magnification."""
        return magnified_shape(self.levels[0].shape, self.magnification)

    @property
    def place(self) -> Place:
        """Where the volume lies, at its magnification; a file that says nothing of that begins at 0."""
        return (self.cut_from or Place(self.levels[0].shape)).at(self.magnification)

    @property
    def region(self) -> Region:
        """The whole volume."""
        return Region.from_shape(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type that `read` gives, in native byte order."""
        return native_dtype(self.levels[0].array.dtype)

    @property
    def voxel_size(self) -> VoxelSize | None:
        """Nanometres in z, y, x order at this magnification; None when unknown."""
        return magnified(self.finest_voxel_size, self.magnification)

    @property
    def magnifications(self) -> tuple[Triple, ...]:
        """Magnifications that are stored, relative to this volume; `at` computes any other."""
        found = [FINEST]
        for level in self.levels:
            pairs = list(zip(level.magnification, self.magnification, strict=True))
            if all(stored % own == 0 for stored, own in pairs):
                found.append(triple([stored // own for stored, own in pairs]))
        return tuple(sorted(set(found)))

    def at(self, magnification: Sequence[int]) -> Volume:
        """Return the volume seen at a magnification of this one; nothing is read or computed yet.

        A stored level of just that magnification is used. Otherwise an image is averaged from the coarsest level
        that divides it, and labels take the most frequent id of the finest level.

        Parameters
        ----------
        magnification : tuple of int
            Downsampling in z, y, x order.

        Raises
        ------
        ConfigError
            If a number is below 1.
        """
        m = triple(magnification)
        if min(m) < 1:
            raise ConfigError(f"magnification {m} is below 1", "whole numbers from 1", "choose 1 or more per axis")
        return replace(self, magnification=triple([a * b for a, b in zip(self.magnification, m, strict=True)]))

    def select(self, channels: Sequence[str | int] | None) -> Volume:
        """Return the volume with only some channels, by name or number from 0; None keeps all.

        Raises
        ------
        ConfigError
            If there is no such channel; those that exist are listed.
        """
        if channels is None:
            return self
        places = find_channels(channels, self.channels, self.name)
        return replace(
            self,
            channel_indices=tuple(self.channel_indices[i] for i in places),
            channels=tuple(self.channels[i] for i in places),
        )

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Read voxels; only the pages, tiles or chunks that hold them are touched.

        Parameters
        ----------
        region : Region
            In voxels of this volume's magnification, inside the volume.

        Returns
        -------
        ndarray, shape (c, z, y, x)
            In native byte order.

        Raises
        ------
        VolumeError
            If the region is not inside the volume, or the file is damaged there.
        """
        if not self.region.contains(region):
            raise VolumeError(
                f"the region {describe(region)} is not inside {self.name}",
                f"a region inside {describe(self.region)}",
                "move the region into the volume or cut it off at the border",
            )
        if region.empty:
            return np.zeros((len(self.channels), *region.shape), self.dtype)
        level, factor, inside = self._stored(region)
        array = level.read(inside, self.channel_indices, self.name)
        if factor != FINEST:
            array = (downsample_mode if self.kind == "labels" else downsample_mean)(array, factor)
        missing = [n - have for n, have in zip(region.shape, array.shape[1:], strict=True)]
        if any(missing):
            array = np.pad(array, [(0, 0), *((0, n) for n in missing)], mode="edge")
        return array

    def prefetch(self, region: Region) -> Future[None] | None:
        """Read the chunks that hold a region into the cache, in another thread, so that `read` will find them there.

        Parameters
        ----------
        region : Region
            In voxels of this volume's magnification; what lies outside the volume is left out.

        Returns
        -------
        Future or None
            None where nothing is read ahead, since the array has no chunks or they would not fit into the cache.
        """
        region = region.intersect(self.region)
        if region.empty:
            return None
        level, _, inside = self._stored(region)
        return level.prefetch(inside, self.channel_indices)

    @property
    def filled(self) -> tuple[DamagedChunk, ...]:
        """The damaged chunks that were filled with 0 so far, each once; see `opening.open_volume`."""
        return self.damage.filled

    def changed(self) -> str:
        """Say whether the volume was written since it was opened.

        Returns
        -------
        str
            What has changed, for a warning; empty if nothing was noticed. A file on this computer is noticed if a chunk
            of it was read, of others only metadata and what the fingerprint looks at.
        """
        if self.damage.first_rewritten:
            return f"{self.damage.first_rewritten} was written while {self.name} was read"
        if isinstance(self.path, Url):
            for level in self.levels:
                # Nobody tells of chunks on a server that they are not what is kept of them.
                level.forget()
        same = fingerprint_of(self.path, self) == self.fingerprint
        return "" if same else f"{self.name} is not what it was when it was opened"

    def _stored(self, region: Region) -> tuple[Level, Triple, Region]:
        """Return the level to read a region from, what is left to downsample, and the region of that level."""
        level, factor = self._source
        wanted = to_finest(region, factor)
        # A level that was rounded down lacks the last voxel of an axis; the one before it is shown there.
        last = triple([min(start, n - 1) for start, n in zip(wanted.start, level.shape, strict=True)])
        return level, factor, Region(last, wanted.stop).intersect(Region.from_shape(level.shape))

    @cached_property
    def _source(self) -> tuple[Level, Triple]:
        """The level to read from, and what is left to downsample."""
        exact = [level for level in self.levels if level.magnification == self.magnification]
        if exact:
            return exact[0], FINEST
        fitting = [
            level
            for level in (self.levels if self.kind == "image" else self.levels[:1])
            if all(m % own == 0 for m, own in zip(self.magnification, level.magnification, strict=True))
        ]
        level = max(fitting, key=lambda fit: sum(fit.magnification))
        return level, triple([m // own for m, own in zip(self.magnification, level.magnification, strict=True)])

    @cached_property
    def fingerprint(self) -> str:
        """A short text that changes when the voxels do, as `fingerprint.fingerprint_of` makes it."""
        return fingerprint_of(self.path, self)
