"""WKW (webknossos-wrap): cubes of compressed blocks, decoded by imagecodecs.

Written from the format's description, https://github.com/scalableminds/webknossos-wrap. Its C library (PyPI `wkw`,
MIT) reads folders only, trusts what a file says of itself, and has no build for Linux on ARM.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt

from ...errors import AitrainError, VolumeError
from ...geometry import Region, Triple, triple
from .archive import Files, too_large

_TYPES = ("u1", "u2", "u4", "u8", "f4", "f8", "i1", "i2", "i4", "i8")
_HEADER = 16
_MAX_CUBE = 1 << 37
_ENDLESS = 1 << 31
_CUBE = re.compile(r"z(\d+)/y(\d+)/x(\d+)\.wkw$")


@dataclass(frozen=True)
class Header:
    """The first 16 bytes of a file."""

    block: int
    blocks: int
    compressed: bool
    dtype: np.dtype[Any]
    channels: int
    data_offset: int

    @property
    def cube(self) -> int:
        """Extent of a file in voxels, along each axis."""
        return self.block * self.blocks

    @property
    def block_bytes(self) -> int:
        """Size of a decoded block."""
        return int(self.block**3 * self.channels * self.dtype.itemsize)


def parse_header(data: bytes, where: str) -> Header:
    """Read the header of a WKW file.

    Raises
    ------
    VolumeError
        If it is none, or of an unknown version or type.
    """
    good = len(data) >= _HEADER and data[:3] == b"WKW" and data[3] == 1 and data[5] in (1, 2, 3)
    good = good and 1 <= data[6] <= len(_TYPES) and data[7] > 0
    block, blocks = (1 << (data[4] & 15), 1 << (data[4] >> 4)) if good else (1, 1)
    dtype = np.dtype("<" + _TYPES[data[6] - 1]) if good else np.dtype("u1")
    if not good or data[7] % dtype.itemsize or block > 256 or blocks > 256:
        raise VolumeError(
            f"{where} is no WKW file of version 1",
            "files as webknossos-wrap writes them",
            "copy the dataset again, or convert it to zarr: webknossos convert-zarr",
        )
    return Header(block, blocks, data[5] > 1, dtype, data[7] // dtype.itemsize, int.from_bytes(data[8:16], "little"))


class WkwArray:
    """One magnification: read by slices like an array with the axes c, z, y, x; what is not stored is 0.

    Parameters
    ----------
    files : Files
        Where it lies.
    folder : str
        Its name there.
    missing : callable, optional
        Makes the error for a block that is not stored.
    """

    def __init__(self, files: Files, folder: str, missing: Callable[[str], AitrainError] | None = None) -> None:
        self._files, self._folder, self._missing = files, folder, missing
        name = f"{folder}/header.wkw"
        data = files.get(name, _HEADER)
        if data is None:
            name = next((name for name in files.under(folder) if _CUBE.search(name)), name)
            data = files.get(name, _MAX_CUBE, 0, _HEADER)
        if data is None:
            raise VolumeError(
                f"{folder} in {files.name} holds no header.wkw",
                "a magnification in WKW format",
                "copy the dataset again: a copy that was broken off looks like this",
            )
        self._header = parse_header(data, f"{name} in {files.name}")
        self.dtype = self._header.dtype

    @cached_property
    def stored(self) -> Region | None:
        """The voxels that stored files reach, None if nothing is stored; every file name is looked at."""
        found = [match for name in self._files.under(self._folder) if (match := _CUBE.search(name))]
        if not found:
            return None
        cubes = np.array([[int(number) for number in match.groups()] for match in found])
        side = self._header.cube
        return Region(triple(cubes.min(0) * side), triple((cubes.max(0) + 1) * side))

    @property
    def cube(self) -> Triple:
        """Extent of a file in voxels, the same along each axis."""
        return (self._header.cube,) * 3

    @property
    def shape(self) -> tuple[int, ...]:
        """Extent in c, z, y, x, from the origin of the dataset; nobody knows it where an unstored block is not 0."""
        stop = self.stored.stop if self.stored else (1, 1, 1)
        return (self._header.channels, *(stop if self._missing is None else (_ENDLESS,) * 3))

    def __getitem__(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        """Read by channels, and by slices with a start and a stop along z, y and x."""
        channels, *spans = key
        region = Region(triple([span.start for span in spans]), triple([span.stop for span in spans]))
        out = np.zeros((self._header.channels, *region.shape), self.dtype)
        side = self._header.cube
        for place in _grid(region, side):
            self._read_cube(place, region, out)
        found: npt.NDArray[Any] = out[channels]
        return found

    def _read_cube(self, place: Triple, region: Region, out: npt.NDArray[Any]) -> None:
        header, side = self._header, self._header.block
        cube = Region.from_shape([header.cube] * 3, [i * header.cube for i in place])
        file = _Cube(self._files, "{3}/z{0}/y{1}/x{2}.wkw".format(*place, self._folder), header)
        for block in _grid(region.intersect(cube), side):
            whole = Region.from_shape([side] * 3, [i * side for i in block])
            voxels = file.read(triple([i % header.blocks for i in block]))
            part = whole.intersect(region)
            if voxels is not None:
                out[:, *part.relative_to(region.start).slices] = voxels[:, *part.relative_to(whole.start).slices]
            elif self._missing is not None:
                raise self._missing(file.name)


class _Cube:
    """One file; opened when its first block is read."""

    def __init__(self, files: Files, name: str, template: Header) -> None:
        self.name = name
        self._files, self._template = files, template

    @property
    def _where(self) -> str:
        return f"{self.name} in {self._files.name}"

    @cached_property
    def _header(self) -> Header | None:
        data = self._files.get(self.name, _MAX_CUBE, 0, _HEADER)
        if data is None:
            return None
        header, template = parse_header(data, self._where), self._template
        # header.wkw of an annotation says how its blocks are made, and nothing of how many a file has.
        same = (header.block, header.blocks, header.dtype, header.channels)
        if same != (template.block, template.blocks, template.dtype, template.channels):
            raise VolumeError(
                f"{self._where} is made in another way than header.wkw beside it says",
                "one kind of file per magnification",
                "copy the dataset again",
            )
        return header

    @cached_property
    def _ends(self) -> npt.NDArray[np.uint64]:
        """Where each compressed block ends; the first entry is where the first one begins."""
        assert self._header is not None
        count = self._header.blocks**3 + 1
        data = self._files.get(self.name, _MAX_CUBE, 8, 8 * count)
        if data is None or len(data) < 8 * count:
            raise self._damaged("it ends within its list of blocks")
        return np.frombuffer(data, "<u8")

    def read(self, block: Triple) -> npt.NDArray[Any] | None:
        """Return a block, shape (c, z, y, x); None if there is no such file."""
        header = self._header
        if header is None:
            return None
        index = _morton(block)
        size = header.block_bytes
        start, stop = header.data_offset + index * size, header.data_offset + (index + 1) * size
        if header.compressed:
            start, stop = int(self._ends[index]), int(self._ends[index + 1])
        if not _HEADER <= start <= stop:
            raise self._damaged("its list of blocks is not in order")
        if stop - start > 2 * size + 64:
            raise too_large(self.name, self._files.name, stop - start, size)
        data = self._files.get(self.name, _MAX_CUBE, start, stop - start)
        if header.compressed and data:
            try:
                data = bytes(imagecodecs.lz4_decode(data, header=False, out=size))
            except RuntimeError as error:
                raise self._damaged(str(error)) from error
        if data is None or len(data) != size:
            raise self._damaged(f"a block has {len(data or b'')} of {size} bytes")
        shape = (header.block, header.block, header.block, header.channels)
        return np.moveaxis(np.frombuffer(data, header.dtype).reshape(shape), -1, 0)

    def _damaged(self, why: str) -> VolumeError:
        return VolumeError(f"{self._where} is damaged: {why}", "a complete WKW file", "copy the dataset again")


def _grid(region: Region, side: int) -> list[Triple]:
    """Return the indices of the cubes of a grid that a region touches."""
    if region.empty:
        return []
    ranges = [range(a // side, -(-b // side)) for a, b in zip(region.start, region.stop, strict=True)]
    return [triple(place) for place in itertools.product(*ranges)]


def _morton(block: Sequence[int]) -> int:
    """Return the place of a block in its file: the bits of x, y and z interleaved, those of x lowest."""
    z, y, x = block
    return sum((x >> i & 1) << 3 * i | (y >> i & 1) << 3 * i + 1 | (z >> i & 1) << 3 * i + 2 for i in range(16))
