"""The file that a layer shows; one on a server is looked at beside the main thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from ...errors import AitrainError
from ...geometry import Region
from ...location import Url, located
from ...volumes import Volume, open_volume
from ...volumes.level import READ_ERRORS
from ..aside import Aside
from ..frames import LayerFrame
from .copies import StillCopying

if TYPE_CHECKING:
    from napari.layers import Image

Found = tuple[Volume, tuple[int, ...] | None] | None
"""The volume and which of its channels, None being all; None where a layer shows something else."""

_LOOK = (1, 64, 64)
_ASK_AGAIN = 60.0


def on_disk(image: Any, frame: LayerFrame) -> Found:
    """Return the file that a layer shows and which of its channels, all being None; None if it is not the same."""
    path = image.source.path
    if not path or frame.leading:
        return None
    try:
        volume = open_volume(path)
        if volume.shape != frame.shape:
            return None
        start = [max(0, (n - look) // 2) for n, look in zip(frame.shape, _LOOK, strict=True)]
        region = Region.from_shape(_LOOK, start).intersect(volume.region)
        stored = volume.read(region)
        shown = np.asarray(_finest(image)[frame.index(region)])
    except (AitrainError, *READ_ERRORS):
        return None
    shown = shown.transpose(2, 0, 1) if frame.rgb else shown.reshape(1, *region.shape)
    if frame.rgb:
        return (volume, None) if np.array_equal(shown[: len(stored)], stored[:, 0]) else None
    same = [number for number, channel in enumerate(stored) if np.array_equal(shown[0], channel)]
    if not same:
        return None
    return volume, None if len(stored) == 1 else (same[0],)


class FilesOfLayers:
    """Remembers which files on servers layers show.

    Parameters
    ----------
    ended : callable
        Called on the main thread when a server has answered, or has not.
    """

    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended = ended
        self._aside: Aside[Found] = Aside()
        # Of each layer the array and the path that were looked at, when, and what was found.
        self._known: WeakKeyDictionary[Image, tuple[Any, str, float, Found]] = WeakKeyDictionary()
        self._asked: set[str] = set()

    def get(self, image: Any, frame: LayerFrame, wait: bool) -> Found:
        """Return what `on_disk` does.

        Parameters
        ----------
        image : napari.layers.Image
            The layer.
        frame : LayerFrame
            Of the layer.
        wait : bool
            Whether to wait for a server.

        Raises
        ------
        StillCopying
            If not, and it has not answered yet.
        """
        path = str(image.source.path or "")
        if not isinstance(located(path), Url):
            return on_disk(image, frame)
        array, known = _finest(image), self._known.get(image)
        if known is not None and known[0] is array and known[1] == path:
            _, _, asked, found = known
            # A server that did not answer may do so later.
            if found is not None or time.monotonic() - asked < _ASK_AGAIN:
                return found
        if wait:
            return self._keep(image, array, path, on_disk(image, frame))
        if path not in self._asked:
            self._asked.add(path)
            self._aside.run(lambda: on_disk(image, frame), lambda found: self._on_found(image, array, path, found))
        raise StillCopying(image.name)

    def close(self) -> None:
        """Wait for no server."""
        self._aside.close()

    def _keep(self, image: Any, array: Any, path: str, found: Found) -> Found:
        self._known[image] = array, path, time.monotonic(), found
        return found

    def _on_found(self, image: Any, array: Any, path: str, found: Found) -> None:
        self._asked.discard(path)
        self._keep(image, array, path, found)
        self._ended()


def _finest(image: Any) -> Any:
    return image.data[0] if image.multiscale else image.data
