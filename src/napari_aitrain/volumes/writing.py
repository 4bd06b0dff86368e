"""What all writers share: an output appears whole or not at all, and one process writes it."""

from __future__ import annotations

import contextlib
import itertools
import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy.typing as npt

from ..errors import VolumeError
from ..geometry import Region, Triple, triple
from .atomic import move_into_place, refuse_existing, storage_errors
from .level import describe
from .output_lock import OutputLock

_STRIPES = 64


class Target(Protocol):
    """A file format that voxels can be written to by region."""

    @property
    def unit(self) -> Triple:
        """What one writer should write at once, z, y, x: two may not write into one unit at a time."""
        ...

    def write(self, region: Region, values: npt.NDArray[Any]) -> None:
        """Store voxels at a region."""
        ...

    def finish(self) -> Path:
        """Flush everything to the disk, and return the file or folder to be put into place."""
        ...


class Writer(ABC):
    """A context manager that makes an output region by region; see `LabelsWriter`."""

    def __init__(self, path: str | Path, shape: Sequence[int]) -> None:
        self.path, self.shape = Path(path), triple(shape)
        self._locks = [threading.Lock() for _ in range(_STRIPES)]
        self._lock: OutputLock | None = None
        self._target: Target | None = None

    @property
    def unit(self) -> Triple:
        """The regions, z, y, x, that are best written at once, beginning at 0: chunks or shards."""
        return self._opened.unit

    @property
    def _opened(self) -> Target:
        if self._target is None:
            raise RuntimeError(f"{type(self).__name__} must be entered before it is used")
        return self._target

    @abstractmethod
    def _make(self, part: Path) -> Target:
        """Begin an output at `part`."""

    def __enter__(self) -> Self:
        with storage_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = OutputLock(self.path)
            lock.__enter__()
            try:
                self._target = self._make(lock.part)
            except BaseException:
                lock.__exit__(None, None, None)
                raise
        self._lock = lock
        return self

    def _check(self, region: Region, values: npt.NDArray[Any]) -> None:
        """Raise `VolumeError` unless an array has the shape of a region inside the output."""
        if values.shape[-3:] != region.shape or not Region.from_shape(self.shape).contains(region):
            raise VolumeError(
                f"voxels of shape {values.shape[-3:]} do not fit {describe(region)} of {self.path.name}",
                f"the shape {region.shape} of the region, inside {self.shape}",
                "write an array of the region's own shape",
            )

    def _store(self, region: Region, values: npt.NDArray[Any]) -> None:
        """Write values; two threads never write into the same unit at a time."""
        target = self._opened
        if region.empty:
            return
        with contextlib.ExitStack() as held, storage_errors(self.path):
            for number in sorted(stripes(region, target.unit)):
                held.enter_context(self._locks[number])
            target.write(region, values)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        target, self._target = self._target, None
        lock, self._lock = self._lock, None
        if target is None or lock is None:
            return
        try:
            if kind is None:
                refuse_existing(self.path)
                with storage_errors(self.path):
                    move_into_place(target.finish(), self.path)
        finally:
            # Windows cannot remove a file that something still holds.
            target = None
            lock.__exit__(kind, error, trace)


def stripes(region: Region, unit: Triple) -> set[int]:
    """Return the numbers of the locks that stand for the units a region touches; one stands for many units."""
    spans = [range(start // u, -(-stop // u)) for start, stop, u in zip(region.start, region.stop, unit, strict=True)]
    if math.prod(len(span) for span in spans) >= _STRIPES:
        return set(range(_STRIPES))
    return {hash(place) % _STRIPES for place in itertools.product(*spans)}
