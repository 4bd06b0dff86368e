"""Which parts of a labels layer may differ from what is saved."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from ...geometry import Region, Triple
from ..frames import LayerFrame
from .new_layer import check_ids


class Tile(NamedTuple):
    """A part of a labels layer that is saved as one chunk: frame, and number of the tile along z, y, x."""

    frame: tuple[int, ...]
    place: Triple


class LayerChanges:
    """Follows what is painted on a labels layer, undone strokes included.

    What other code writes straight into the array tells nobody; `next_suspects` finds it by comparing checksums.

    Parameters
    ----------
    layer : napari.layers.Labels
        Of one scale.
    tile : tuple of int
        Shape of a tile in voxels of the layer, in z, y, x order.
    saved : bool
        Whether the layer is as it is on disk; else every tile that holds a label counts as changed.
    """

    def __init__(self, layer: Any, tile: Triple, saved: bool) -> None:
        self.layer, self.frame = layer, LayerFrame.of(layer)
        self._tile = tile
        self._changed: set[Tile] = set()
        self._sums: dict[Tile, int] = {}
        self._history = self._strokes()
        self._sweep = iter(self.tiles())
        if not saved:
            self._changed.update(self.tiles())
        layer.events.paint.connect(self._on_paint)
        layer.events.data.connect(self._on_data)

    def close(self) -> None:
        """Follow no longer."""
        self.layer.events.paint.disconnect(self._on_paint)
        self.layer.events.data.disconnect(self._on_data)

    def take(self) -> list[Tile]:
        """Return the tiles that may have changed since the last call; they then count as saved."""
        before, self._history = self._history, self._strokes()
        for stroke in before.keys() ^ self._history.keys():
            for atom in (before.get(stroke) or self._history[stroke])[1]:
                self._changed.update(self._touched(atom))
        for stroke in before.keys() & self._history.keys():
            if before[stroke][0] != self._history[stroke][0]:
                for atom in before[stroke][1]:
                    self._changed.update(self._touched(atom))
        taken, self._changed = sorted(self._changed), set()
        return taken

    def put_back(self, tiles: list[Tile]) -> None:
        """Count tiles as changed again, as when they could not be saved."""
        self._changed.update(tiles)

    @property
    def pending(self) -> bool:
        """Whether something is known to have changed."""
        return bool(self._changed) or self._history.keys() != self._strokes().keys()

    def tiles(self) -> Iterator[Tile]:
        """Yield every tile of the layer."""
        counts = [range(-(-n // t)) for n, t in zip(self.frame.shape, self._tile, strict=True)]
        for frame in itertools.product(*(range(n) for n in self.frame.leading)):
            for z, y, x in itertools.product(*counts):
                yield Tile(frame, (z, y, x))

    def region(self, tile: Tile) -> Region:
        """Return the voxels of a tile."""
        start = [p * t for p, t in zip(tile.place, self._tile, strict=True)]
        return Region.from_shape(self._tile, start).intersect(Region.from_shape(self.frame.shape))

    def read(self, tile: Tile) -> npt.NDArray[np.int32]:
        """Return a copy of the labels of a tile, shape (z, y, x).

        Raises
        ------
        GroundTruthError
            If an id does not fit into 32 bits.
        """
        found = np.asarray(self.layer.data[self.frame.index(self.region(tile), tile.frame)])
        if not np.can_cast(found.dtype, np.int32):
            check_ids(self.layer.name, found)
        values = found.astype(np.int32)
        return values[None] if self.frame.flat else values

    def is_new(self, tile: Tile, values: npt.NDArray[np.int32]) -> bool:
        """Whether labels of a tile differ from those of the last `saved`."""
        return _sum(values) != self._sums.get(tile, 0)

    def saved(self, tile: Tile, values: npt.NDArray[np.int32]) -> None:
        """Take note of what is on disk."""
        self._sums[tile] = _sum(values)

    def next_suspects(self, voxels: int) -> Iterator[Tile]:
        """Yield the next tiles to be compared with what is saved, of about so many voxels; all in turn."""
        size = int(np.prod(self._tile))
        for _ in range(max(1, voxels // size)):
            tile = next(self._sweep, None)
            if tile is None:
                self._sweep = iter(self.tiles())
                return
            yield tile

    def _strokes(self) -> dict[int, tuple[str, list[Any]]]:
        """Return napari's history, undone or not, by what stays the same when a stroke is undone."""
        found = {}
        for name in ("_undo_history", "_redo_history"):
            for item in getattr(self.layer, name, ()):
                if item:
                    found[min(id(item[0]), id(item[-1]))] = (name, item)
        return found

    def _on_paint(self, event: Any) -> None:
        for atom in event.value:
            self._changed.update(self._touched(atom))

    def _on_data(self) -> None:
        self._changed.update(self.tiles())

    def _touched(self, atom: Any) -> set[Tile]:
        """Return the tiles that an entry of napari's history lies in."""
        # Entries are a named tuple with slices, or (before napari 0.9, and for single voxels) begin with index arrays.
        key = atom[0]
        key = key if isinstance(key, tuple) else (key,)
        leading = len(self.frame.leading)
        sizes = [1] * leading + list(self._tile[1 if self.frame.flat else 0 :])
        if all(isinstance(part, slice) for part in key):
            ranges = [
                range((part.start or 0) // size, -(-(n if part.stop is None else part.stop) // size))
                for part, size, n in zip(key, sizes, self.layer.data.shape, strict=True)
            ]
            places = list(itertools.product(*ranges))
        else:
            arrays = np.broadcast_arrays(*(np.asarray(part) for part in key))
            stacked = np.stack([a.ravel() // size for a, size in zip(arrays, sizes, strict=True)], axis=1)
            places = [tuple(int(n) for n in row) for row in np.unique(stacked, axis=0)]
        return {self._as_tile(place, leading) for place in places}

    def _as_tile(self, place: tuple[int, ...], leading: int) -> Tile:
        z, y, x = (0, *place[leading:]) if self.frame.flat else place[leading:]
        return Tile(place[:leading], (z, y, x))


def _sum(values: npt.NDArray[np.int32]) -> int:
    return crc32(np.ascontiguousarray(values).data) if values.any() else 0
