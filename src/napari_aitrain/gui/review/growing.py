"""Shows a stored prediction in its layer while it grows; nothing is opened or read on the main thread."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from ...errors import AitrainError
from ...geometry import Region
from ...inference.store import MAPS, RAW, PredictionInfo, StoredPrediction, read_info
from ...volumes.lazy import READ_ERRORS
from ..class_names import colours_of, named
from ..jobs.main_thread import MainThread
from .maps import Maps
from .prediction import Prediction
from .prediction_layer import Placement
from .run import Run
from .stored import stored_data, stored_maps
from .stored_arrays import GrowingObjects
from .thresholded import Thresholded

if TYPE_CHECKING:
    from ..session import Session

_REFRESH = 250
"""Milliseconds between looks at new blocks."""

_TELL = 2.0
"""Seconds between new histograms."""


@dataclass(frozen=True)
class _Opened:
    """What a thread has found in the store."""

    info: PredictionInfo
    data: Thresholded
    stored: StoredPrediction | None
    maps: Maps | None


class Growing:
    """One layer of one prediction job.

    Parameters
    ----------
    session : Session
        Of the window.
    run : Run
        The job.
    """

    def __init__(self, session: Session, run: Run) -> None:
        self._session, self.run = session, run
        self._main = MainThread()
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REFRESH)
        self._timer.timeout.connect(self._refresh)
        self._regions: list[Region] = []
        self._thread: threading.Thread | None = None
        self._again = self._closed = False
        self._told = 0.0

    def look(self) -> None:
        """Show what is stored by now; returns at once."""
        if self._closed or self.run.dismissed:
            return
        if self._thread is not None:
            self._again = True
            return
        self._again = False
        shown = self.run.shown
        before = None if shown is None else shown.data
        self._thread = threading.Thread(
            target=self._open, args=(before,), name="napari-aitrain-open-prediction", daemon=True
        )
        self._thread.start()

    def block(self, data: dict[str, Any]) -> None:
        """Take in that a block can be read."""
        shown = self.run.shown
        if shown is None:
            self.look()
            return
        array = data.get("array", RAW)
        if array not in (MAPS, RAW):
            # Of the last stage, which is shown when it is complete.
            return
        whole = shown.whole
        start, stop = data.get("start", whole.start), data.get("stop", whole.stop)
        self._regions.append(Region(tuple(start), tuple(stop)))
        if not self._timer.isActive():
            self._timer.start()

    def dismiss(self) -> None:
        """Stop reading: a person has removed the layer."""
        self.run.dismissed = True
        self._let_go()

    def bring_back(self) -> None:
        """Show it again."""
        self.run.dismissed = False
        self.look()

    def close(self) -> None:
        """End threads and timers."""
        self._closed = True
        self._main.close()
        self._timer.stop()
        if self._thread is not None:
            self._thread.join()
        self._let_go()

    def _let_go(self) -> None:
        if self.run.shown is not None:
            self.run.shown.data.close()
        self.run.shown = None

    def _open(self, before: Thresholded | None) -> None:
        found: _Opened | None = None
        trouble = ""
        try:
            found = self._find(before)
        except (AitrainError, *READ_ERRORS) as error:
            # Nothing was stored before it ended; the job itself says why.
            trouble = str(error) if before is not None else ""
        self._main.post(lambda: self._take(found, trouble))

    def _find(self, before: Thresholded | None) -> _Opened | None:
        run, store = self.run, self.run.job.prediction
        info = read_info(store)
        data = stored_data(
            store, info, run.leading, run.flat, calibration=run.calibration, arrived=lambda: self._main.post(self._came)
        )
        if data is None:
            return None
        if before is not None and len(before.tiles) == len(data.tiles):
            # What is on screen is read before it takes the place of what is there: nothing goes dark meanwhile.
            for old, new in zip(before.tiles, data.tiles, strict=True):
                new.prepare(old)
        stored = StoredPrediction(store, info) if info.finished and info.instances else None
        if stored is not None:
            # Read here, once.
            _ = stored.objects
        return _Opened(info, data, stored, stored_maps(store, info, run.calibration))

    def _take(self, found: _Opened | None, trouble: str) -> None:
        if self._thread is not None:
            self._thread.join()
        self._thread = None
        self.run.trouble = trouble
        if found is not None and (self.run.dismissed or self._closed):
            found.data.close()
        elif found is not None:
            self._show(found)
        if self._again:
            self.look()
        self._session.predictions.runs.changed.emit()

    def _show(self, found: _Opened) -> None:
        run, info = self.run, found.info
        before, run.failed = run.shown, info.failed
        names = {} if info.instances else named(info.classes, run.class_names)
        truths = self._session.truths.of_image(run.image.name)
        truth = next((one for one in truths if one.mode == "classes"), None)
        run.shown = one = Prediction(
            model=run.model,
            data=found.data,
            placement=Placement(run.image, info.magnification, info.start, run.frame),
            layer=run.layer,
            voxel_size=info.voxel_size,
            class_names=names,
            class_colours=colours_of(names, truth),
            growing=not info.finished,
            agglomerates=info.agglomerates,
            maps=found.maps,
        )
        if found.stored is not None:
            one.take_table(found.stored)
        self._session.predictions.propose_threshold(run.model, info.threshold)
        self._session.predictions.show(one)
        if before is not None:
            before.data.close()

    def _refresh(self) -> None:
        """Have new blocks read, as far as they are on screen."""
        shown, regions = self.run.shown, self._regions
        self._regions = []
        if shown is None:
            return
        for tiles in shown.data.tiles:
            for region in regions:
                tiles.changed(region)
        shown.data.forget_slices()
        shown.layer.refresh()
        self._learn(shown)

    def _came(self) -> None:
        """Show what was read in the background."""
        shown = self.run.shown
        if shown is None:
            return
        self.run.trouble = next((tiles.trouble for tiles in shown.data.tiles if tiles.trouble), "")
        self._learn(shown)
        shown.layer.refresh()

    def _learn(self, shown: Prediction) -> None:
        """Take the scores of the pieces that were met."""
        labels = shown.data.labels
        if (
            isinstance(labels, GrowingObjects)
            and shown.data.scores is not None
            and labels.count > len(shown.data.scores)
        ):
            shown.data.take_scores(labels.scores())
        if time.monotonic() - self._told > _TELL:
            self._told = time.monotonic()
            self._session.predictions.changed.emit()
