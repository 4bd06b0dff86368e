"""Arrays of a stored prediction, read part by part, also while blocks are written."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from ...evaluation.calibration import Calibration
from ...geometry import Region, triple
from ...inference.grid import Grid
from ...inference.stitching import PIECES, Pieces, block_file, first_id
from ...inference.store import PredictionInfo
from ...tasks.protocol import FloatArray, LabelArray
from ...volumes.chunk_files import ZarrFiles
from ...volumes.chunked import ChunkedArray
from .tile_grid import span_of

FOREGROUND = 2**30
"""Id of what is not decoded yet; it is drawn at any threshold, as all that has no score."""


class StoredArray:
    """An array of the store, z, y, x, read through the cache of chunks; what is not stored is known to be empty.

    Parameters
    ----------
    path : Path
        A zarr array; its first axis may be one of maps.
    """

    def __init__(self, path: Path) -> None:
        array = zarr.open_array(path, mode="r")
        self._array, self._files = ChunkedArray(array, ZarrFiles(array, path)), ZarrFiles(array, path)
        self._maps = array.ndim == 4
        self.heads = array.shape[0] if self._maps else 0
        self.shape: tuple[int, ...] = array.shape[-3:]
        self.chunks: tuple[int, ...] = array.chunks[-3:]

    def read(self, region: Region) -> npt.NDArray[Any] | None:
        """Return voxels, or None where no chunk is stored; the region must lie in one chunk for that."""
        if region.empty:
            return None
        chunk = tuple(a // c for a, c in zip(region.start, self.chunks, strict=True))
        last = tuple((b - 1) // c for b, c in zip(region.stop, self.chunks, strict=True))
        if chunk == last and self._files.stamp((0, *chunk) if self._maps else chunk) is None:
            return None
        return self[region.slices]

    def __getitem__(self, index: Any) -> npt.NDArray[Any]:
        return self._array[(slice(None), *index) if self._maps else tuple(index)]


class FromMaps:
    """Classes straight from the network's maps, for blocks that are not decoded yet.

    Parameters
    ----------
    maps : StoredArray
        255 × what the network says.
    info : PredictionInfo
        Its classes.
    """

    def __init__(self, maps: StoredArray, info: PredictionInfo) -> None:
        self._maps, self._classes = maps, np.asarray(info.classes, np.int32)
        self.shape, self.chunks = maps.shape, maps.chunks

    def read(self, region: Region) -> LabelArray | None:
        """Return the class of voxels; None if nothing is stored there."""
        maps = self._maps.read(region)
        return None if maps is None else self._named(maps)

    def __getitem__(self, index: Any) -> LabelArray:
        return self._named(self._maps[index])

    def _named(self, maps: npt.NDArray[Any]) -> LabelArray:
        found: LabelArray = self._classes[maps.argmax(axis=0)]
        # A block that has not been predicted is 0 in every map.
        return np.where(maps.any(axis=0), found, self._classes[0])


class Certainty:
    """255 × the probability of the most probable class."""

    def __init__(self, maps: StoredArray) -> None:
        self._maps = maps
        self.shape, self.chunks = maps.shape, maps.chunks

    def read(self, region: Region) -> npt.NDArray[np.uint8] | None:
        """Return it for voxels; None if nothing is stored there."""
        maps = self._maps.read(region)
        return None if maps is None else maps.max(axis=0)

    def __getitem__(self, index: Any) -> npt.NDArray[np.uint8]:
        most: npt.NDArray[np.uint8] = self._maps[index].max(axis=0)
        return most


class GrowingObjects:
    """Pieces of objects that are not stitched yet, numbered as they are met, with the scores that they have so far.

    Where a block is not decoded yet, whatever is probably foreground has the id `FOREGROUND`.

    Parameters
    ----------
    raw : StoredArray
        Decoded blocks.
    maps : StoredArray, optional
        What the network says.
    store : Path
        Where blocks keep the scores of their pieces.
    info : PredictionInfo
        Which blocks there are.
    calibration : Calibration, optional
        How features become scores.
    """

    def __init__(
        self,
        raw: StoredArray,
        maps: StoredArray | None,
        store: Path,
        info: PredictionInfo,
        calibration: Calibration | None,
    ) -> None:
        self._raw, self._maps, self._store, self._calibration = raw, maps, store, calibration
        self._grid = Grid(info.shape, info.decode_block, triple([o // 2 for o in info.overlap]))
        self.shape, self.chunks = raw.shape, raw.chunks
        self._lock = threading.Lock()
        self._first: dict[int, tuple[int, int]] = {}
        self._scores: list[FloatArray] = [np.zeros(1, np.float32)]
        self._count = 1

    @property
    def count(self) -> int:
        """Ids that were given, with that of the background."""
        return self._count

    def scores(self) -> FloatArray:
        """Return the scores of the pieces that were met, by id."""
        with self._lock:
            self._scores = [np.concatenate(self._scores)]
            return self._scores[0]

    def read(self, region: Region) -> LabelArray | None:
        """Return ids of voxels; None if nothing is stored there."""
        raw = self._raw.read(region)
        if raw is not None:
            return self._numbered(np.asarray(raw), region)
        maps = None if self._maps is None else self._maps.read(region)
        return None if maps is None else np.where(maps[0] > 127, np.int32(FOREGROUND), np.int32(0))

    def __getitem__(self, index: Any) -> LabelArray:
        spans = [span_of(part, n) for part, n in zip(index, self.shape, strict=True)]
        region = Region(triple([a for a, _ in spans]), triple([b for _, b in spans]))
        found = self._numbered(self._raw[region.slices], region)
        return found[tuple(slice(None) if isinstance(part, slice) else 0 for part in index)]

    def _numbered(self, raw: LabelArray, region: Region) -> LabelArray:
        out = np.zeros(raw.shape, np.int32)
        for index in self._grid.covering(region):
            part = self._grid[index].core.intersect(region).relative_to(region.start)
            values = raw[part.slices]
            if values.any():
                first = self._first_of(index)
                known = values - first_id(index) + (first - 1)
                out[part.slices] = np.where(values > 0, known if first else FOREGROUND, 0)
        return out

    def _first_of(self, index: int) -> int:
        """Return the first id of a block; 0 while its scores are not written, which comes last."""
        path = block_file(self._store / PIECES, index)
        with self._lock:
            try:
                stamp = path.stat().st_mtime_ns
                if self._first.get(index, (0, 0))[0] != stamp:
                    score = self._score(Pieces.load(path))
                    # A block that was done anew has new ids.
                    self._first[index] = stamp, self._count
                    self._scores.append(score)
                    self._count += len(score)
            except (OSError, KeyError, ValueError):
                return self._first.get(index, (0, 0))[1]
            return self._first[index][1]

    def _score(self, pieces: Pieces) -> FloatArray:
        if self._calibration is None:
            return np.asarray(pieces.score, np.float32)
        return np.asarray(self._calibration.apply(pieces.features), np.float32)
