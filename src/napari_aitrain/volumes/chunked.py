"""An array read through the cache, chunk by chunk: each is decoded once, and one that is damaged is named."""

from __future__ import annotations

import itertools
import time
from collections.abc import Hashable
from concurrent.futures import Future
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AitrainError
from .cache import CHUNKS, Key, frozen
from .chunk_files import ChunkFiles, OneFile
from .chunk_grid import Box, ChunkGrid, Index, boxes_of, indices
from .counting import count
from .damage import DamagedChunk, DamagedError, DamageLog, OnDamage
from .lazy import READ_ERRORS, LazyArray

_AT_ONCE = 1 << 26
_numbers = itertools.count()
Spans = tuple[tuple[int, int], ...]


class ChunkedArray:
    """Array-like over one that is stored in chunks.

    Parameters
    ----------
    array : LazyArray
        With ``chunks``, as zarr, HDF5 and dask arrays have them.
    files : ChunkFiles, optional
        Which file holds which chunk.
    on_damage : {'stop', 'fill'}
        Raise an error at a chunk that cannot be decoded, or take 0 there.
    log : DamageLog, optional
        Where that is remembered.
    """

    def __init__(
        self,
        array: LazyArray,
        files: ChunkFiles | None = None,
        on_damage: OnDamage = "stop",
        log: DamageLog | None = None,
    ) -> None:
        self.inner = array
        self.shape = tuple(int(n) for n in array.shape)
        self.dtype = np.dtype(array.dtype)
        self._grid = ChunkGrid(self.shape, tuple(array.chunks))  # type: ignore[attr-defined]
        self._files = files or OneFile(None, "the array")
        self._on_damage, self._log = on_damage, log or DamageLog()
        self._number, self._opened = next(_numbers), time.time_ns()
        largest = [max(c) if isinstance(c, tuple) else min(c, n) for c, n in zip(self.chunks, self.shape, strict=True)]
        self._chunk_bytes = int(np.prod(largest, dtype=np.int64)) * self.dtype.itemsize

    @property
    def chunks(self) -> tuple[int | tuple[int, ...], ...]:
        """Extent of a chunk along each axis."""
        return self._grid.chunks

    def __del__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Forget what the cache keeps of the array."""
        CHUNKS.forget(self._number)

    def __getitem__(self, key: Any, /) -> npt.NDArray[Any]:
        """Read by integers and by slices without a step; axes that are left out are read whole."""
        keys = (*key, *[slice(None)] * (len(self.shape) - len(key)))
        spans: Spans = tuple(
            k.indices(n)[:2] if isinstance(k, slice) else (int(k) % n, int(k) % n + 1)
            for k, n in zip(keys, self.shape, strict=True)
        )
        out = np.empty([max(0, b - a) for a, b in spans], self.dtype)
        if out.size:
            self.visit(spans, out)
        return out[tuple(slice(None) if isinstance(k, slice) else 0 for k in keys)]

    def visit(self, spans: Spans, out: npt.NDArray[Any] | None = None) -> None:
        """Have all chunks that hold some voxels in the cache, and copy the voxels where that is asked for.

        Parameters
        ----------
        spans : tuple of (int, int)
            Half-open range of voxels along each axis.
        out : ndarray, optional
            Of the extent of `spans`.
        """
        for box in self._grid.parts(self._grid.covering(spans), max(1, _AT_ONCE // self.dtype.itemsize)):
            self._visit(box, spans, out)

    def fits(self, spans: Spans) -> bool:
        """Whether the chunks that hold some voxels fill less than half of the cache."""
        return bool(2 * self._grid.size(self._grid.covering(spans)) * self.dtype.itemsize <= CHUNKS.limit)

    def _visit(self, box: Box, spans: Spans, out: npt.NDArray[Any] | None) -> None:
        if 2 * self._chunk_bytes > CHUNKS.limit:
            if out is not None:
                self._read_past_the_cache(box, spans, out)
            return
        ours: dict[Index, Hashable] = {}
        waiting: dict[Index, Future[npt.NDArray[Any]]] = {}
        try:
            for chunk in indices(box):
                stamp = self._files.stamp(chunk)
                found = CHUNKS.claim((self._number, chunk), stamp)
                if found is None:
                    ours[chunk] = stamp
                elif isinstance(found, Future):
                    waiting[chunk] = found
                elif out is not None:
                    self._copy(found, chunk, spans, out)
            for part in boxes_of(ours):
                self._load(part, ours, spans, out)
        except BaseException as error:
            for chunk in ours:
                CHUNKS.abandon(self._key(chunk), error)
            raise
        for chunk, future in waiting.items():
            # What another thread met, a time-out perhaps, need not happen to this one.
            data = future.result() if future.exception() is None else self._decode_one(chunk)
            if out is not None:
                self._copy(data, chunk, spans, out)

    def _load(self, part: Box, ours: dict[Index, Hashable], spans: Spans, out: npt.NDArray[Any] | None) -> None:
        voxels = self._grid.voxels(part)
        chunks = list(indices(part))
        try:
            whole = self._decode(voxels)
        except AitrainError:
            raise
        except READ_ERRORS:
            whole = None
        for chunk in chunks:
            if whole is None:
                data = self._decode_one(chunk)
            else:
                bounds = [self._grid.bounds(i, n) for i, n in enumerate(chunk)]
                data = whole[tuple(slice(a - s, b - s) for (a, b), (s, _) in zip(bounds, voxels, strict=True))]
            data = frozen(data)
            self._look_at_time(chunk)
            CHUNKS.fulfil(self._key(chunk), ours.pop(chunk), data)
            if out is not None:
                self._copy(data, chunk, spans, out)

    def _key(self, chunk: Index) -> Key:
        return self._number, chunk

    def _decode(self, voxels: Spans) -> npt.NDArray[Any]:
        array: npt.NDArray[Any] = np.asarray(self.inner[tuple(slice(a, b) for a, b in voxels)])
        shape = tuple(b - a for a, b in voxels)
        if array.shape != shape:
            raise ValueError(f"{shape} voxels were expected, {array.shape} are there")
        count(decoded=array.nbytes)
        return array

    def _decode_one(self, chunk: Index) -> npt.NDArray[Any]:
        voxels = self._grid.voxels(tuple((n, n + 1) for n in chunk))
        try:
            return self._decode(voxels)
        except AitrainError:
            raise
        except READ_ERRORS as error:
            reason = str(error) or type(error).__name__
            file = self._files.name(chunk)
            if self._on_damage == "stop":
                raise DamagedError(f"chunk {chunk} in {file} is damaged: {reason}") from error
            start, stop = zip(*voxels, strict=True)
            self._log.add(DamagedChunk(file, chunk, reason, start, stop))
            return np.zeros([b - a for a, b in voxels], self.dtype)

    def _copy(self, data: npt.NDArray[Any], chunk: Index, spans: Spans, out: npt.NDArray[Any]) -> None:
        source, target = [], []
        for axis, (number, (start, stop)) in enumerate(zip(chunk, spans, strict=True)):
            a, b = self._grid.bounds(axis, number)
            low, high = max(a, start), min(b, stop)
            source.append(slice(low - a, high - a))
            target.append(slice(low - start, high - start))
        out[tuple(target)] = data[tuple(source)]

    def _look_at_time(self, chunk: Index) -> None:
        written = self._files.changed_at(chunk)
        if written is not None and written > self._opened:
            self._log.rewritten(self._files.name(chunk))

    def _read_past_the_cache(self, box: Box, spans: Spans, out: npt.NDArray[Any]) -> None:
        """Read chunks of which the cache could hold one at most: only the voxels asked for."""
        voxels = self._grid.voxels(box)
        wanted = tuple((max(a, s), min(b, t)) for (a, b), (s, t) in zip(voxels, spans, strict=True))
        target = tuple(slice(a - s, b - s) for (a, b), (s, _) in zip(wanted, spans, strict=True))
        try:
            out[target] = self._decode(wanted)
        except AitrainError:
            raise
        except READ_ERRORS:
            for chunk in indices(box):
                self._copy(self._decode_one(chunk), chunk, spans, out)
