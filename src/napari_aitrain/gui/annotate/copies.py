"""Copies of images that are nowhere on disk; large ones are made in a thread, so that the window stays usable."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from psygnal import Signal

from ...annotation.image_copy import bytes_of, copy_image, copy_path
from ...errors import AitrainError
from ...volumes import Volume
from ..jobs.main_thread import MainThread

AT_ONCE = 32 * 2**20
"""Bytes that are copied so quickly that nobody notices."""
MOST_COPIED = 4 * 2**30
_TELL_EVERY = 0.2


class StillCopying(AitrainError):
    """The copy that is needed is being made; `ImageCopies.ended` tells when to ask again."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the image {name} is still being copied", "a copy that a worker can read", "wait a moment")


class _Closed(Exception):
    """Ends the thread when the window closes."""


class ImageCopies:
    """Copies images into the project; not in the thread that saves, which would have to wait for it.

    Signals
    -------
    copying : str, float
        The name of the image, and how much of it is copied, from 0 to 1; on the main thread.
    ended : AitrainError or None
        After a copy in the thread: why it could not be made, None when it was.
    """

    copying = Signal(str, float)
    ended = Signal(object)

    def __init__(self) -> None:
        self._main = MainThread()
        self._thread: threading.Thread | None = None
        self._closed = False

    def get(self, volume: Volume, folder: Path, wait: bool) -> Path:
        """Return the copy of an image, made now if there is none.

        Parameters
        ----------
        volume : Volume
            The image.
        folder : Path
            Where copies lie.
        wait : bool
            Whether to wait for a large image; else its copy is begun.

        Raises
        ------
        StillCopying
            If not to be waited for.
        AitrainError
            If the image is too large to be copied unasked, or cannot be read or written.
        """
        path = copy_path(volume, folder)
        if path.exists():
            return path
        size = bytes_of(volume)
        if size <= AT_ONCE or size > MOST_COPIED:
            return copy_image(volume, folder, MOST_COPIED)
        if wait:
            if self._thread is not None:
                self._thread.join()
            return copy_image(volume, folder, MOST_COPIED)
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._copy, args=(volume, folder), name="napari-aitrain-copy", daemon=True
            )
            self._thread.start()
        raise StillCopying(volume.name)

    def close(self) -> None:
        """Give up what is being copied."""
        self._closed = True
        self._main.close()
        if self._thread is not None:
            self._thread.join()

    def _copy(self, volume: Volume, folder: Path) -> None:
        told = 0.0

        def tell(fraction: float) -> None:
            nonlocal told
            if self._closed:
                raise _Closed
            if time.monotonic() - told > _TELL_EVERY:
                told = time.monotonic()
                self._main.post(lambda: self.copying.emit(volume.name, fraction))

        try:
            tell(0.0)
            copy_image(volume, folder, MOST_COPIED, tell)
        except AitrainError as error:
            self._main.post(lambda error=error: self._end(error))  # type: ignore[misc]
        except _Closed:
            return
        else:
            self._main.post(lambda: self._end(None))

    def _end(self, error: AitrainError | None) -> None:
        if self._thread is not None:
            self._thread.join()
        self._thread = None
        self.ended.emit(error)
