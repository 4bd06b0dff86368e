"""What happens to chunks that cannot be read: reading stops and names them, or they are filled and reported."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Literal

from .chunk_grid import Index

OnDamage = Literal["stop", "fill"]
_log = logging.getLogger(__name__)


class DamagedError(OSError):
    """A chunk cannot be read; the text names it and its file. `Level.read` makes of it what people see."""


@dataclass(frozen=True)
class DamagedChunk:
    """A chunk that could not be read and was filled with 0.

    Parameters
    ----------
    file : str
        That holds it.
    chunk : tuple of int
        Its number along each axis of the array.
    reason : str
        What the reader said.
    start, stop : tuple of int
        Its voxels along each axis of the array.
    """

    file: str
    chunk: Index
    reason: str
    start: Index
    stop: Index

    def __str__(self) -> str:
        return f"chunk {self.chunk} in {self.file}: {self.reason}"


class DamageLog:
    """The chunks of a volume that were filled, and the files that were written after it was opened."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._filled: dict[tuple[str, Index], DamagedChunk] = {}
        self._rewritten = ""

    def __reduce__(self) -> tuple[type[DamageLog], tuple[()]]:
        # In another process a log of its own begins.
        return DamageLog, ()

    def add(self, damaged: DamagedChunk) -> None:
        """Remember a chunk that was filled, and tell it in the log when it is the first time."""
        with self._lock:
            new = (damaged.file, damaged.chunk) not in self._filled
            self._filled[damaged.file, damaged.chunk] = damaged
        if new:
            _log.warning("filled with 0: %s", damaged)

    def rewritten(self, file: str) -> None:
        """Remember that a file was written while the volume was read; the first one is kept."""
        self._rewritten = self._rewritten or file

    @property
    def filled(self) -> tuple[DamagedChunk, ...]:
        """The chunks that were filled so far, each once."""
        with self._lock:
            return tuple(self._filled.values())

    @property
    def first_rewritten(self) -> str:
        """A file that was written while the volume was read; empty if there is none."""
        return self._rewritten
