"""What is on screen of a volume of any size, read tile by tile in a thread: asking for it never waits."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ...errors import AitrainError
from ...geometry import Region, Triple, magnified_shape, triple
from ...volumes.lazy import READ_ERRORS
from .tile_grid import Tile, chunks_of, covering, extent_of, span_of

KEPT_BYTES = 2**28
"""Of tiles; the least used go first."""

_MOST_WANTED = 4096
_TELL_EVERY = 0.3
_LOOK_AGAIN = 2.0


class Parts(Protocol):
    """What tiles are read from, in a thread."""

    @property
    def shape(self) -> tuple[int, ...]:
        """z, y, x."""
        ...

    @property
    def chunks(self) -> tuple[int, ...]:
        """What is best read at once."""
        ...

    def read(self, region: Region) -> npt.NDArray[Any] | None:
        """Return voxels; None if nothing is stored there."""
        ...


@dataclass
class _Kept:
    """What is known of a tile; it is filled while it is shown."""

    values: npt.NDArray[Any]
    todo: list[Region] = field(default_factory=list)


class Tiles:
    """Levels of a volume, each a few times coarser than the one before, made of single voxels of the finest.

    Parameters
    ----------
    parts : Parts
        The finest level.
    steps : sequence of tuple of int
        z, y, x, per level: which voxels it has.
    dtype : dtype
        Of the voxels.
    arrived : callable
        Called in the thread, a few times a second, while something comes that was asked for.
    """

    def __init__(
        self, parts: Parts, steps: Sequence[Triple], dtype: npt.DTypeLike, arrived: Callable[[], None]
    ) -> None:
        self.parts, self.steps, self.dtype = parts, tuple(steps), np.dtype(dtype)
        self.shape = triple(parts.shape)
        self.trouble = ""
        """Why something could not be read, last time."""
        self._arrived = arrived
        self._kept: OrderedDict[Tile, _Kept] = OrderedDict()
        self._wanted: OrderedDict[Tile, None] = OrderedDict()
        self._lock = threading.Condition()
        self._closed = False
        self._told = 0.0
        self._thread: threading.Thread | None = None

    def levels(self) -> list[Level]:
        """Return the levels as arrays, the finest first."""
        return [Level(self, number) for number in range(len(self.steps))]

    @property
    def idle(self) -> bool:
        """Whether all that was asked for is there."""
        with self._lock:
            return not self._wanted

    def changed(self, region: Region) -> None:
        """Read a region again, which is in voxels of the finest level, as soon as it is asked for."""
        with self._lock:
            for tile, kept in self._kept.items():
                part = self.region(tile).intersect(region)
                if not part.empty and not any(there.contains(part) for there in kept.todo):
                    kept.todo.append(part)

    def get(self, level: int, index: tuple[Any, ...]) -> npt.NDArray[Any]:
        """Return what is there of a level, 0 where nothing is yet, and ask for the rest."""
        shape = self.level_shape(level)
        spans = [span_of(part, n) for part, n in zip(index, shape, strict=True)]
        out = np.zeros([max(0, b - a) for a, b in spans], self.dtype)
        if out.size:
            extent = extent_of(index, shape)
            with self._lock:
                missing = [tile for tile in covering(level, spans, extent) if not self._copy(tile, spans, out)]
                self._ask(missing, spans, coarse=level > 0 and level == len(self.steps) - 1)
        return out[tuple(0 if not isinstance(part, slice) else slice(None) for part in index)]

    def known(self, most: int) -> npt.NDArray[Any]:
        """Return voxels of tiles that were looked at last, about so many at most."""
        found, count = [], 0
        with self._lock:
            for kept in reversed(self._kept.values()):
                if count and count + kept.values.size > most:
                    break
                found.append(kept.values.ravel())
                count += kept.values.size
        return np.concatenate([np.zeros(0, self.dtype), *found])

    def prepare(self, other: Tiles) -> None:
        """Read what others were asked for last, so that these can take their place; in a thread of the caller's."""
        with other._lock:
            shown = list(other._kept)[-24:]
        for tile in shown:
            with self._lock:
                if self._closed:
                    return
                kept = self._make(tile)
            self._fill(tile, kept)

    def level_shape(self, level: int) -> Triple:
        """Return the shape of a level."""
        return magnified_shape(self.shape, self.steps[level])

    def region(self, tile: Tile) -> Region:
        """Return what a tile covers, in voxels of the finest level."""
        start = triple([p * e * s for p, e, s in zip(tile.place, tile.extent, self.steps[tile.level], strict=True)])
        size = triple([e * s for e, s in zip(tile.extent, self.steps[tile.level], strict=True)])
        return Region.from_shape(size, start).intersect(Region.from_shape(self.shape))

    def close(self) -> None:
        """End the thread, soon; a second call does nothing."""
        with self._lock:
            self._closed = True
            self._wanted.clear()
            self._lock.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _copy(self, tile: Tile, spans: Sequence[tuple[int, int]], out: npt.NDArray[Any]) -> bool:
        """Copy what is there of a tile, and return whether that is all and still true."""
        kept = self._kept.get(tile)
        if kept is None:
            return False
        self._kept.move_to_end(tile)
        target, source = [], []
        for place, extent, n, (a, b) in zip(tile.place, tile.extent, kept.values.shape, spans, strict=True):
            first = place * extent
            low, high = max(a, first), min(b, first + n)
            target.append(slice(low - a, high - a))
            source.append(slice(low - first, high - first))
        out[tuple(target)] = kept.values[tuple(source)]
        return not kept.todo

    def _ask(self, missing: list[Tile], spans: Sequence[tuple[int, int]], coarse: bool) -> None:
        """Have tiles read: the middle of the screen first, and the coarsest level, of the thumbnail, last."""
        if not missing or self._closed:
            return
        middle = [(a + b) / 2 for a, b in spans]

        def away(tile: Tile) -> float:
            at = [(p + 0.5) * e for p, e in zip(tile.place, tile.extent, strict=True)]
            return sum((a - m) ** 2 for a, m in zip(at, middle, strict=True))

        # The last one in the list is read first.
        for tile in sorted(missing, key=away, reverse=not coarse):
            self._wanted[tile] = None
            self._wanted.move_to_end(tile, last=not coarse)
        while len(self._wanted) > _MOST_WANTED:
            self._wanted.popitem(last=False)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="napari-aitrain-tiles", daemon=True)
            self._thread.start()
        self._lock.notify_all()

    def _run(self) -> None:
        while True:
            with self._lock:
                while not self._wanted and not self._closed:
                    self._lock.wait()
                if self._closed:
                    return
                tile, _ = self._wanted.popitem()
                kept = self._make(tile)
            try:
                self._fill(tile, kept, gives_way=True)
                self.trouble = ""
            except (AitrainError, *READ_ERRORS) as error:
                # Such as of a folder that somebody deleted: what was read stays on screen.
                self.trouble = str(error)
                self._lost(tile)
            self._tell(last=self.idle)

    def _make(self, tile: Tile) -> _Kept:
        kept = self._kept.get(tile)
        if kept is None:
            start = [p * e for p, e in zip(tile.place, tile.extent, strict=True)]
            level = self.level_shape(tile.level)
            size = [min(e, n - a) for e, n, a in zip(tile.extent, level, start, strict=True)]
            kept = self._kept[tile] = _Kept(np.zeros(size, self.dtype), [self.region(tile)])
            total = sum(one.values.nbytes for one in self._kept.values())
            while total > KEPT_BYTES and len(self._kept) > 1:
                total -= self._kept.popitem(last=False)[1].values.nbytes
        return kept

    def _fill(self, tile: Tile, kept: _Kept, gives_way: bool = False) -> None:
        """Read what a tile lacks, chunk by chunk; perhaps later, if something finer is asked for meanwhile."""
        while True:
            with self._lock:
                if not kept.todo:
                    return
                region = kept.todo.pop(0)
            parts = list(chunks_of(region, triple(self.parts.chunks)))
            for number, part in enumerate(parts):
                with self._lock:
                    newest = next(reversed(self._wanted), tile)
                    if self._closed:
                        return
                    if gives_way and newest.level < tile.level:
                        kept.todo[:0] = parts[number:]
                        self._wanted[tile] = None
                        self._wanted.move_to_end(tile, last=False)
                        return
                self._fill_part(tile, kept.values, part)
                self._tell()

    def _fill_part(self, tile: Tile, values: npt.NDArray[Any], part: Region) -> None:
        step, whole = self.steps[tile.level], self.region(tile)
        # Voxels of the level that lie in the part.
        first = [-(-a // s) for a, s in zip(part.start, step, strict=True)]
        stop = [-(-b // s) for b, s in zip(part.stop, step, strict=True)]
        if any(a >= b for a, b in zip(first, stop, strict=True)):
            return
        needed = Region(
            triple([a * s for a, s in zip(first, step, strict=True)]),
            triple([(b - 1) * s + 1 for b, s in zip(stop, step, strict=True)]),
        )
        read = self.parts.read(needed)
        target = tuple(slice(a - w // s, b - w // s) for a, b, s, w in zip(first, stop, step, whole.start, strict=True))
        values[target] = 0 if read is None else read[tuple(slice(None, None, s) for s in step)]

    def _lost(self, tile: Tile) -> None:
        with self._lock:
            kept = self._kept.get(tile)
            if kept is not None:
                kept.todo = [self.region(tile)]
            if not self._closed:
                # It is asked for again with the next look, but not in a loop.
                self._lock.wait(_LOOK_AGAIN)

    def _tell(self, last: bool = False) -> None:
        now = time.monotonic()
        if last or now - self._told > _TELL_EVERY:
            self._told = now
            self._arrived()


class Level:
    """A level of `Tiles` as an array.

    Parameters
    ----------
    tiles : Tiles
        Of which volume.
    number : int
        Which level.
    """

    def __init__(self, tiles: Tiles, number: int) -> None:
        self.tiles, self.number = tiles, number
        self.shape: tuple[int, ...] = tiles.level_shape(number)

    def __getitem__(self, index: Any) -> npt.NDArray[Any]:
        return self.tiles.get(self.number, index)
