"""How many objects or classes each box holds, counted in a thread when something was painted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import fastremap
import numpy as np
from psygnal import Signal

from ...annotation.world import WorldBox
from ...errors import AitrainError
from ...geometry import Region
from ..frames import LayerFrame
from ..jobs.main_thread import MainThread

if TYPE_CHECKING:
    from ..session import Session
    from .truths import GroundTruth


class BoxCounts:
    """Counts for the table of boxes.

    Parameters
    ----------
    session : Session
        Whose boxes and ground truths are counted.

    Signals
    -------
    changed
        After a new count; delivered on the main thread.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="napari-aitrain-counts")
        self._main = MainThread()
        self._counts: dict[tuple[Any, ...], int] = {}
        self._asked: set[tuple[Any, ...]] = set()
        session.saver.saved.connect(self.refresh)

    def count(self, box: WorldBox, truth: GroundTruth | None) -> int | None:
        """Return the number of ids in a box, background left out; None while it is not known."""
        if truth is None:
            return None
        key = (truth.key, box.start, box.stop, box.frame)
        if key not in self._asked:
            self._ask(key, box, truth)
        return self._counts.get(key)

    def refresh(self) -> None:
        """Count anew; the old figures are shown until then."""
        self._asked.clear()
        self.changed.emit()

    def close(self) -> None:
        """Let go of the thread."""
        self._session.saver.saved.disconnect(self.refresh)
        self._main.close()
        self._thread.shutdown(cancel_futures=True)

    def _ask(self, key: tuple[Any, ...], box: WorldBox, truth: GroundTruth) -> None:
        self._asked.add(key)
        layer = self._session.truths.layer(truth)
        try:
            frame = LayerFrame.of(layer)
        except AitrainError:
            return
        region = frame.to_region(box.start, box.stop).intersect(Region.from_shape(frame.shape))
        at = tuple(min(index, n - 1) for index, n in zip(box.frame, frame.leading, strict=False))
        if region.empty or len(at) < len(frame.leading):
            return
        view = layer.data[frame.index(region, at)]
        self._thread.submit(self._count, key, view, truth.background_id)

    def _count(self, key: tuple[Any, ...], view: Any, background: int | None) -> None:
        numbers = fastremap.unique(np.ascontiguousarray(view))
        found = sum(1 for number in numbers if number not in (0, background))
        self._main.post(lambda: self._take(key, found))

    def _take(self, key: tuple[Any, ...], found: int) -> None:
        if self._counts.get(key) != found:
            self._counts[key] = found
            self.changed.emit()
