"""Ground truth that was painted over a layer of its dataset: what was not changed stands in that layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from ...errors import GroundTruthError
from ...geometry import Region, tiles, triple
from ..axes import Layout
from ..level import Level
from .layer import StoredLayer, StoredLevel
from .wkw import WkwArray


class NotStoredError(GroundTruthError):
    """A chunk is not in the annotation, since nothing in it was changed."""


def not_stored(name: str, fallback: str) -> Callable[[str], NotStoredError]:
    """Return what makes the error for a chunk that is not in an annotation.

    Parameters
    ----------
    name : str
        What errors call the volume layer.
    fallback : str
        The layer that it was painted over.
    """

    def error(chunk: str) -> NotStoredError:
        return NotStoredError(
            f"{name} was painted over the layer {fallback!r} of the dataset, and holds only what was changed:"
            f" {chunk} is not in it",
            "ground truth that is complete wherever it is used",
            f"give the dataset, with its layer {fallback!r}, as the image; or in WEBKNOSSOS merge the annotation with"
            " its fallback layer and download that; or use boxes in which everything was painted",
        )

    return error


def painted_over(edited: StoredLayer, below: StoredLayer) -> StoredLayer:
    """Return an annotation over the layer that it changes, at the magnifications that both have."""
    under = {level.magnification: level for level in below.levels}
    levels = [
        StoredLevel(_Over(level, under[level.magnification]), Layout("czyx"), level.magnification, level.folder)
        for level in edited.levels
        if level.magnification in under
    ]
    if not levels:
        raise GroundTruthError(
            f"{edited.name} and {below.name}, over which it was painted, have no magnification in common",
            "the dataset that was annotated",
            "give that dataset as the image",
        )
    return StoredLayer(edited.name, below.region, tuple(levels))


class _Over:
    """An array with the axes c, z, y, x: chunk by chunk what was changed, or else what was there."""

    def __init__(self, edited: Level, below: Level) -> None:
        self._edited, self._below = edited, below
        array = edited.array
        self._chunk = array.cube if isinstance(array, WkwArray) else _chunk(array, edited.layout)
        self.dtype = np.promote_types(array.dtype, below.array.dtype)
        self.shape = (1, *(max(pair) for pair in zip(edited.shape, below.shape, strict=True)))

    def __getitem__(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        channels, *spans = key
        region = Region(triple([span.start for span in spans]), triple([span.stop for span in spans]))
        out = np.zeros((1, *region.shape), self.dtype)
        first = triple([a // n * n for a, n in zip(region.start, self._chunk, strict=True)])
        for tile in tiles(Region(first, region.stop), self._chunk):
            part = tile.core.intersect(region)
            try:
                found = _read(self._edited, part)
            except NotStoredError:
                found = None
            found = found or _read(self._below, part)
            if found is not None:
                out[:, *found[0].relative_to(region.start).slices] = found[1]
        voxels: npt.NDArray[Any] = out[channels]
        return voxels


def _read(level: Level, region: Region) -> tuple[Region, npt.NDArray[Any]] | None:
    inside = region.intersect(Region.from_shape(level.shape))
    return None if inside.empty else (inside, level.read(inside, [0], "the layer"))


def _chunk(array: object, layout: Layout) -> tuple[int, int, int]:
    assert isinstance(array, zarr.Array)
    return triple([array.chunks[layout.axes.index(axis)] for axis in "zyx"])
