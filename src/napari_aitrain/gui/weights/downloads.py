"""Downloads of weights, beside the main thread; they go on while no dialog shows them."""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from psygnal import Signal
from qtpy.QtCore import QTimer

from ...errors import AitrainError, DownloadStoppedError
from ...models import weights as catalogue
from ...models.weights import KnownWeights
from ..jobs.main_thread import MainThread

_TICK = 200
_SPAN = 5.0
"""Seconds over which the rate is measured."""
_PATIENCE = 2.0
"""Seconds to wait for a thread at the end: one that waits for a server cannot be broken off."""


@dataclass(frozen=True)
class Standing:
    """How it stands with some weights.

    Parameters
    ----------
    known : KnownWeights
        Which.
    place : Path
        Where the file goes.
    present : bool
        Whether it is there.
    here : int
        Bytes that are there, of a part too.
    free : int or None
        Bytes that are free on the disk; None if that cannot be asked.
    busy : str
        ``download`` or ``import`` while that runs.
    rate : float
        Bytes per second, 0 while it is not known.
    trouble : str
        Why it failed and what to do.
    """

    known: KnownWeights
    place: Path
    present: bool
    here: int
    free: int | None
    busy: str = ""
    rate: float = 0.0
    trouble: str = ""

    @property
    def fits(self) -> bool:
        """Whether there is room for what is missing."""
        return self.free is None or self.free >= self.known.size - self.here


@dataclass
class _Running:
    """A download, or the import of a file."""

    kind: str
    thread: threading.Thread | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    done: int = 0
    seen: deque[tuple[float, int]] = field(default_factory=deque)

    def note(self) -> None:
        """Remember how far it is by now."""
        now = time.monotonic()
        if self.done:
            self.seen.append((now, self.done))
        while len(self.seen) > 2 and now - self.seen[0][0] > _SPAN:
            self.seen.popleft()

    @property
    def rate(self) -> float:
        """Bytes per second."""
        if len(self.seen) < 2 or self.seen[-1][0] <= self.seen[0][0]:
            return 0.0
        return (self.seen[-1][1] - self.seen[0][1]) / (self.seen[-1][0] - self.seen[0][0])


class Downloads:
    """The known weights, and what is being fetched; free of widgets.

    Signals
    -------
    changed
        After progress, and when something has begun or ended.
    arrived : str
        Weights of this name are there now.
    """

    changed = Signal()
    arrived = Signal(str)

    def __init__(self) -> None:
        self._running: dict[str, _Running] = {}
        self._trouble: dict[str, str] = {}
        self._main = MainThread()
        self._timer = QTimer()
        self._timer.setInterval(_TICK)
        self._timer.timeout.connect(self._tick)

    def all(self) -> list[Standing]:
        """Return how it stands with all known weights; looks at the disk."""
        return [self._standing(known) for known in catalogue.KNOWN]

    @property
    def busy(self) -> bool:
        """Whether something is being fetched."""
        return bool(self._running)

    def start(self, name: str) -> None:
        """Download weights, or go on; to be called only when a person has agreed to source, size and licence."""
        known = catalogue.known_weights(name)

        def fetch(running: _Running) -> str:
            from ...models.download import download

            def progress(done: int, total: int) -> None:
                running.done = done

            folder = catalogue.weights_folder(known.kind)
            return download(known, folder, progress=progress, cancelled=running.stop.is_set).name

        self._begin(name, "download", fetch)

    def take(self, name: str, file: Path) -> None:
        """Copy a file to where weights are looked for; whose it is, is seen from the file."""
        self._begin(name, "import", lambda running: catalogue.import_weights(file).name)

    def cancel(self, name: str) -> None:
        """End a download; what has come stays."""
        if name in self._running:
            self._running[name].stop.set()

    def close(self) -> None:
        """End all downloads; what has come stays."""
        self._timer.stop()
        self._main.close()
        for running in self._running.values():
            running.stop.set()
        for running in self._running.values():
            if running.thread is not None:
                running.thread.join(_PATIENCE)

    def _begin(self, name: str, kind: str, work: Callable[[_Running], str]) -> None:
        if name in self._running:
            return
        running = self._running[name] = _Running(kind)
        self._trouble.pop(name, None)

        def run() -> None:
            try:
                there = work(running)
            except AitrainError as error:
                self._main.post(lambda error=error: self._end(name, "", error))  # type: ignore[misc]
            else:
                self._main.post(lambda: self._end(name, there, None))

        running.thread = threading.Thread(target=run, name="napari-aitrain-weights", daemon=True)
        running.thread.start()
        self._timer.start()
        self.changed.emit()

    def _end(self, name: str, there: str, error: AitrainError | None) -> None:
        del self._running[name]
        if not self._running:
            self._timer.stop()
        if error is not None and not isinstance(error, DownloadStoppedError):
            self._trouble[name] = f"{error.what}.\nWhat to do: {error.remedy}." if error.remedy else f"{error.what}."
        self.changed.emit()
        if there:
            self.arrived.emit(there)

    def _tick(self) -> None:
        for running in self._running.values():
            running.note()
        self.changed.emit()

    def _standing(self, known: KnownWeights) -> Standing:
        folder, running = catalogue.weights_folder(known.kind), self._running.get(known.name)
        place = folder / known.name
        present = catalogue.find_weights(known.name) is not None
        here = known.size if present else _size(place.with_name(f"{known.name}.part"))
        if running is not None and running.kind == "download":
            here = max(here, running.done)
        busy, rate = ("", 0.0) if running is None else (running.kind, running.rate)
        return Standing(known, place, present, here, _free(folder), busy, rate, self._trouble.get(known.name, ""))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _free(folder: Path) -> int | None:
    there = next((path for path in (folder, *folder.absolute().parents) if path.exists()), folder)
    try:
        return shutil.disk_usage(there).free
    except OSError:
        return None
