"""Writes marks into the project in a thread of its own, the newest only: a click waits for no disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ...classification.marks import MarkSheet
from ...errors import StorageError
from ...volumes.atomic import storage_errors


class SheetWriter:
    """Writes sheets one after the other.

    Parameters
    ----------
    failed : callable
        Called from the thread with the error of a sheet that could not be written.
    """

    def __init__(self, failed: Callable[[StorageError], None]) -> None:
        self._failed = failed
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="napari-aitrain-marks")
        self._lock = threading.Lock()
        self._wanted: dict[Path, MarkSheet] = {}

    def put(self, path: Path, sheet: MarkSheet) -> None:
        """Have a sheet written soon."""
        with self._lock:
            self._wanted[path] = sheet
        self._pool.submit(self._write)

    def flush(self) -> None:
        """Wait until all is written."""
        self._pool.submit(lambda: None).result()

    def close(self) -> None:
        """Write what is not written yet."""
        self._pool.shutdown(wait=True)

    def _write(self) -> None:
        with self._lock:
            wanted, self._wanted = self._wanted, {}
        for path, sheet in wanted.items():
            try:
                with storage_errors(path):
                    path.parent.mkdir(exist_ok=True)
                sheet.save(path)
            except StorageError as error:
                with self._lock:
                    self._wanted.setdefault(path, sheet)
                self._failed(error)
