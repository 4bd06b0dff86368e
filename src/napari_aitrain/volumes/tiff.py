"""TIFF, plain or with ImageJ or OME metadata: mapped into memory where it can be, else read strip by strip."""

from __future__ import annotations

import struct
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr

from ..errors import AitrainError
from ..geometry import FINEST, Triple
from ..location import Location
from .axes import MAX_GUESSED_CHANNELS
from .level import READ_ERRORS, LazyArray
from .opened import Opened, damaged, magnification_of
from .tiff_metadata import imagej_metadata, ome_metadata, shaped_voxel_size

_LETTERS = {"S": "c", "C": "c", "Z": "z", "Y": "y", "X": "x", "T": "t"}


def open_tiff(path: Location, source: Any = None) -> Opened:
    """Open the first image of a TIFF file.

    The axes are those of its ImageJ or OME metadata. Pages without such metadata are sections (z); 2 to 4 pages
    count as channels, as `axes.guess_axes` says.

    Parameters
    ----------
    path : Path or Url
        The file.
    source : file object, optional
        What to read from instead of a path.

    Raises
    ------
    VolumeError
        If the file is damaged or cut short.
    """
    try:
        file = tifffile.TiffFile(str(path) if source is None else source)
    except AitrainError:
        raise
    except READ_ERRORS as error:
        raise damaged(path, error) from error
    try:
        series = file.series[0]
        _check_complete(file, series)
        arrays = _levels(path, file, series)
    except AitrainError:
        file.close()
        raise
    except (*READ_ERRORS, TypeError) as error:
        file.close()
        raise damaged(path, error) from error
    channels, voxel_size = None, None
    if file.is_ome and file.ome_metadata:
        channels, voxel_size = ome_metadata(file.ome_metadata, "Z" in series.axes)
    elif file.is_imagej:
        channels, voxel_size = imagej_metadata(file, "Z" in series.axes)
    elif file.is_shaped:
        voxel_size = shaped_voxel_size(file)
    page = series.keyframe
    alpha = page.photometric == tifffile.PHOTOMETRIC.RGB and page.samplesperpixel == 4
    if isinstance(arrays[0][0], np.memmap):
        file.close()
    else:
        weakref.finalize(arrays[0][0], file.close)
    return Opened(arrays, _axes(series), channels=channels, voxel_size=voxel_size, alpha=alpha)


def _axes(series: Any) -> str | None:
    """Name the axes as the file does, or None where it leaves them open."""
    if series.axes == "SYX":
        # Some writers declare any stack of three or four sections as separate planes of colour.
        return None
    letters = [_LETTERS.get(axis) for axis in series.axes]
    unknown = [i for i, letter in enumerate(letters) if letter is None]
    if not unknown:
        return "".join(str(letter) for letter in letters)
    if len(unknown) > 1 or "z" in letters:
        return None
    # Pages that nothing is said of: few of them are channels, unless the pixels have colours already.
    few = series.shape[unknown[0]] <= MAX_GUESSED_CHANNELS and "c" not in letters
    return None if few else "".join(letter or "z" for letter in letters)


def _levels(path: Location, file: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> list[tuple[LazyArray, Triple]]:
    offset = None if series.is_pyramidal or series.is_multifile else series.dataoffset
    if offset is not None and isinstance(path, Path):
        mapped: Any = np.memmap(path, series.dtype.newbyteorder(file.byteorder), "r", offset, series.shape)
        return [(mapped, FINEST)]
    arrays: list[tuple[LazyArray, Triple]] = []
    for number, level in enumerate(series.levels):
        magnification = magnification_of(_zyx(level), _zyx(series.levels[0])) if number else FINEST
        if magnification and len(level.shape) == len(series.shape):
            array: Any = zarr.open_array(series.aszarr(level=number), mode="r")
            arrays.append((array, magnification))
    return arrays


def _zyx(level: Any) -> list[int]:
    return [level.shape[level.axes.index(axis)] if axis in level.axes else 1 for axis in "ZYX"]


def _check_complete(file: tifffile.TiffFile, series: Any) -> None:
    """Raise ValueError if the file ends before its pages or their data do."""
    size = file.filehandle.size
    if series.dataoffset is not None and series.dataoffset + series.nbytes > size:
        raise ValueError(f"it is cut short: {series.dataoffset + series.nbytes:,} bytes are needed, {size:,} are there")
    pages = [file.pages.first, file.pages[-1]]
    for page in pages:
        ends = [a + b for a, b in zip(page.dataoffsets, page.databytecounts, strict=False)]
        if ends and max(ends) > size:
            raise ValueError(f"it is cut short: {max(ends):,} bytes are needed, {size:,} are there")
    if _next_page(file, int(pages[-1].offset)):
        raise ValueError(f"it is cut short: page {len(file.pages) + 1} is announced but not there")


def _next_page(file: tifffile.TiffFile, offset: int) -> int:
    """Return the offset of the page after the one whose directory is at `offset`; 0 after the last."""
    tiff = file.tiff
    handle = file.filehandle
    handle.seek(offset)
    (count,) = struct.unpack(tiff.tagnoformat, handle.read(tiff.tagnosize))
    handle.seek(offset + tiff.tagnosize + count * tiff.tagsize)
    (following,) = struct.unpack(tiff.offsetformat, handle.read(tiff.offsetsize))
    return int(following)
