"""An OME-Zarr that is written by region: labels with their pyramid, or maps with channels."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import zarr
from numcodecs import Blosc
from zarr.codecs import ZstdCodec

from ..errors import ConfigError
from ..geometry import FINEST, Region, Triple, magnified_shape, triple
from .atomic import sync_tree
from .downsample import downsample_mean, downsample_mode
from .units import VoxelSize
from .write_ome import OmeVersion, channels, image_label, multiscales
from .write_placement import Placement
from .write_pyramid import fill_level, put, pyramid_of, unit_of

_CHUNKS = (64, 256, 256)
_FLAT_CHUNKS = (1, 1024, 1024)
_INNER = (32, 128, 128)
"""Chunks inside a shard may be small, which viewers like: they cost no files."""

_SHARD = 4
"""A shard is this many chunks long along each axis: 64 in one file, and 128 MiB of int32 for its writer to hold."""


@dataclass(frozen=True)
class ZarrOptions:
    """How an OME-Zarr is stored.

    Parameters
    ----------
    version : {'0.5', '0.4'}
        0.4 is zarr 2, for programs that do not read 0.5 yet.
    shards : bool
        Many chunks per file, which file systems and buckets like; only with 0.5.
    chunks : tuple of int, optional
        z, y, x.
    pyramid : bool
        Whether coarser levels are made when all is written.
    workers : int
        Threads that make them.

    Raises
    ------
    ConfigError
        If the version is not known, or shards are asked of 0.4.
    """

    version: OmeVersion = "0.5"
    shards: bool = False
    chunks: Triple | None = None
    pyramid: bool = True
    workers: int = 2

    def __post_init__(self) -> None:
        if self.version not in ("0.5", "0.4"):
            raise ConfigError(f"OME-Zarr {self.version} cannot be written", "0.5 or 0.4", "leave it out for 0.5")
        if self.shards and self.version == "0.4":
            raise ConfigError(
                "OME-Zarr 0.4 has no shards", "shards with OME-Zarr 0.5", "leave out shards, or write 0.5"
            )


@dataclass(frozen=True)
class Described:
    """What is said of the voxels of an OME-Zarr.

    Parameters
    ----------
    kind : {'labels', 'image'}
        Of labels coarser levels take the most frequent id, of images the mean.
    name : str
        What viewers show.
    placement : Placement
        Where it lies.
    max_id : int or None
        The largest id of labels, if it is known.
    source : str or None
        Path of the image that labels belong to, relative to them.
    channels : tuple of str
        Names of the channels of an image; the arrays have an axis c then.
    """

    kind: Literal["labels", "image"] = "labels"
    name: str = "labels"
    placement: Placement = field(default_factory=Placement)
    max_id: int | None = None
    source: str | None = None
    channels: tuple[str, ...] = ()


class ZarrTarget:
    """An OME-Zarr folder under construction.

    Parameters
    ----------
    path : Path
        A new or empty folder.
    shape : tuple of int
        In z, y, x order.
    dtype : dtype
        Of the voxels.
    axes : str
        ``zyx``, or ``yx`` if z is 1.
    voxel_size : tuple of float or None
        Nanometres in z, y, x order; not used if `described` is given.
    chunks : tuple of int or None
        z, y, x; those of `options` if None.
    options : ZarrOptions
        How it is stored.
    described : Described, optional
        What is said of it.
    """

    def __init__(
        self,
        path: Path,
        shape: Triple,
        dtype: np.dtype[Any],
        axes: str,
        voxel_size: VoxelSize | None,
        chunks: Triple | None,
        options: ZarrOptions | None = None,
        described: Described | None = None,
    ) -> None:
        self._path, self._shape, self._dtype = path, shape, dtype
        self._options = options or ZarrOptions()
        self._described = described or Described(placement=Placement.of(voxel_size))
        self._axes = "c" * bool(self._described.channels) + axes
        self._chunks = chunks or self._options.chunks
        self._group = zarr.create_group(path, zarr_format=2 if self._options.version == "0.4" else 3)
        self._finest = self._create(0, shape)
        self._describe([FINEST])

    @property
    def unit(self) -> Triple:
        """What one writer should write at once, z, y, x: a chunk, or a shard."""
        return unit_of(self._finest)

    def write(self, region: Region, values: npt.NDArray[Any]) -> None:
        """Store labels, shape (z, y, x), or maps, shape (c, z, y, x), at a region."""
        put(self._finest, region, values.reshape((-1, *region.shape)))

    def finish(self) -> Path:
        """Make the coarser levels, flush everything to the disk, and return what to put into place."""
        if self._options.pyramid:
            self._make_pyramid()
        sync_tree(self._path)
        return self._path

    def _make_pyramid(self) -> None:
        levels = pyramid_of(self._shape, self._described.placement.scale)
        reduce = downsample_mode if self._described.kind == "labels" else downsample_mean
        finer = self._finest
        for number, (before, now) in enumerate(itertools.pairwise(levels), start=1):
            factor = triple([a // b for a, b in zip(now, before, strict=True)])
            coarser = self._create(number, magnified_shape(self._shape, now))
            fill_level(finer, coarser, factor, reduce, self._options.workers)
            finer = coarser
        self._describe(levels)

    def _create(self, number: int, shape: Triple) -> zarr.Array[Any]:
        chunks, shards = chunks_for(shape, self._chunks, self._options.shards)
        lead = (len(self._described.channels),) if self._described.channels else ()
        count = len(self._axes) - len(lead)
        old = self._options.version == "0.4"
        return self._group.create_array(
            str(number),
            shape=(*lead, *shape[-count:]),
            dtype=self._dtype,
            chunks=(*[1 for _ in lead], *chunks[-count:]),
            shards=(*[1 for _ in lead], *shards[-count:]) if shards else None,
            dimension_names=None if old else list(self._axes),
            chunk_key_encoding={"name": "v2", "separator": "/"} if old else None,
            compressors=_compressor(old),
            fill_value=0,
        )

    def _describe(self, levels: Sequence[Triple]) -> None:
        known, version = self._described, self._options.version
        method = "mode" if known.kind == "labels" else "mean"
        found: dict[str, Any] = {
            "multiscales": multiscales(version, known.name, self._axes, known.placement, levels, method)
        }
        if known.kind == "labels":
            found["image-label"] = image_label(version, known.max_id, known.source)
        else:
            found["omero"] = channels(known.channels)
        if version == "0.4":
            self._group.attrs.update(found)
        else:
            self._group.attrs["ome"] = {"version": version, **found}


def chunks_for(shape: Triple, chunks: Triple | None, sharded: bool) -> tuple[Triple, Triple | None]:
    """Return chunks and shards for an array of a shape, z, y, x; both are cut off where the array is smaller.

    Examples
    --------
    >>> chunks_for((500, 900, 900), None, False), chunks_for((40, 900, 900), None, True)
    (((64, 256, 256), None), ((32, 128, 128), (64, 512, 512)))
    """
    usual = _FLAT_CHUNKS if shape[0] == 1 else _INNER if sharded else _CHUNKS
    chunk = triple([max(1, min(n, c)) for n, c in zip(shape, chunks or usual, strict=True)])
    if not sharded:
        return chunk, None
    return chunk, triple([c * min(_SHARD, -(-n // c)) for n, c in zip(shape, chunk, strict=True)])


def _compressor(old: bool) -> Any:
    """Choose the codec.

    Labels of FIB-25 (uint32, chunks of 64 × 128 × 128) take 1/47 with plain Zstandard at level 3, in 9 ns of a
    processor per voxel; Blosc with Zstandard and shuffling takes 1/43 in 23 ns, with bits shuffled 1/21 in 33, and gzip
    1/43 in 19. Readers in Java know only Blosc and zlib in zarr 2, so 0.4 gets Blosc.
    """
    return Blosc(cname="zstd", clevel=3, shuffle=Blosc.SHUFFLE) if old else ZstdCodec(level=3)
