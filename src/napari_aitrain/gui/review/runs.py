"""Predictions with a chosen model, of the view, of a box, or of the whole volume: jobs whose results stream in."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from ...errors import AitrainError
from ...evaluation.calibration import Calibration
from ...jobs import ACTIVE, ENDED, Event, JobFolder
from ...jobs.predict_config import PredictConfig
from ...models import ModelCard, read_card
from ...words import sentence
from ..frames import LayerFrame
from ..jobs.main_thread import MainThread
from ..jobs.places import new_folder
from ..notify import report, reported
from .finding import Finder, found_run
from .forecast import AT_ONCE, Forecast, forecast_of
from .growing import Growing
from .predicting import config_of, near_of, region_of
from .prediction import model_key
from .prediction_layer import PredictionLayer
from .run import Run, Where
from .viewing import leading_index

if TYPE_CHECKING:
    from ..session import Session

_OF = {"view": "of the view", "box": "of a box", "volume": "of all"}


class Runs:
    """Starts prediction jobs, finds those of earlier windows, and shows what they have by now.

    Parameters
    ----------
    session : Session
        Of the window.

    Signals
    -------
    changed
        After progress, when a job has begun or ended, and when something is asked.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._growing: dict[Path, Growing] = {}
        self._gone: set[str] = set()
        self._main = MainThread()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._start: Callable[[], None] = lambda: None
        self.preparing = False
        self.asked: Forecast | None = None
        """What a person is to agree to before it begins."""
        self.trouble = ""
        """Why the last one failed, and what to do; empty unless it did."""
        jobs, layers = session.jobs, session.viewer.layers.events
        self._signals = ((jobs.event, self._on_event), (jobs.changed, self._on_changed), 
                         (jobs.failed, self._on_job_failed), (jobs.removed, self._on_job_removed))  # fmt: skip
        for signal, slot in self._signals:
            signal.connect(slot)
        self._finder = Finder(session, self)
        layers.removed.connect(self._on_removed)

    def all(self) -> list[Run]:
        """Return the jobs that are known, the newest last."""
        return [growing.run for growing in self._growing.values()]

    def knows(self, path: Path) -> bool:
        """Whether a job is among them."""
        return path in self._growing

    def running(self) -> Run | None:
        """Return the newest job that has not ended."""
        return next((run for run in reversed(self.all()) if not run.finished), None)

    def start(self, model: Path, image: Any, where: Where) -> None:
        """Predict a part of an image, or all of it; returns at once. Of a large volume `asked` comes first.

        Parameters
        ----------
        model : Path
            Model folder.
        image : napari.layers.Image
            If it is no file, it is copied into the project first.
        where : {'view', 'box', 'volume'}
            What is on screen, the selected box, or the whole volume.

        Raises
        ------
        AitrainError
            If there is nothing of the image there, or the model cannot be read.
        """
        session = self._session
        frame = LayerFrame.of(image)
        card = read_card(model)
        region = region_of(session, image, frame, where, card.dims)
        index = leading_index(session.viewer, image, frame)
        near = near_of(session.viewer, frame)
        copies = session.saver.ensure_project().folder / "images"
        place = new_folder("prediction", ()).parent
        asks = where == "volume" and math.prod(frame.shape) > AT_ONCE

        def prepare() -> None:
            config = config_of(model, image, frame, index, region, copies, near)
            if not asks:
                self._main.post(lambda: self._begin(config, card, image, index, where))
                return
            measured = session.jobs.estimate_prediction(config, lambda: self._closed)
            forecast = forecast_of(config, card, frame.shape, place, measured)
            self._main.post(lambda: self._ask(forecast, lambda: self._begin(config, card, image, index, where)))

        self.asked = None
        self._in_thread(prepare)

    def confirm(self) -> None:
        """Begin what was asked."""
        if self.asked is not None and self.asked.fits:
            self.asked = None
            self._start()

    def decline(self) -> None:
        """Leave it."""
        self.asked = None
        self.changed.emit()

    def pause(self, run: Run) -> None:
        """Have a job wait."""
        self._session.jobs.pause(run.job)

    def resume(self, run: Run) -> None:
        """Go on with a job that waits or has ended; finished blocks are not repeated."""
        run.finished, run.failed, self.trouble = False, (), ""
        self._session.jobs.resume(run.job)
        self.changed.emit()

    def stop(self, run: Run) -> None:
        """End a job; what it has stays."""
        self._session.jobs.stop(run.job)

    def forget(self, run: Run) -> None:
        """Speak no more of a job that has ended; its layer and its folder stay."""
        run.forgotten = True
        self.changed.emit()

    def reopen(self, job: JobFolder) -> None:
        """Show the result of a job, such as one of an earlier session, with all corrections.

        Raises
        ------
        AitrainError
            If the image is not open, or the job cannot be read.
        """
        growing = self._growing.get(job.path)
        if growing is None or growing.run.image not in self._session.viewer.layers:
            growing = self.add(*found_run(self._session, job))
        growing.bring_back()

    def close(self) -> None:
        """Let go of the session; jobs go on."""
        self._closed = True
        for signal, slot in self._signals:
            signal.disconnect(slot)
        self._finder.close()
        self._session.viewer.layers.events.removed.disconnect(self._on_removed)
        self._main.close()
        for thread in self._threads:
            thread.join()
        for growing in self._growing.values():
            growing.close()

    # Jobs of this window

    def _in_thread(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except AitrainError as error:
                self._main.post(lambda error=error: self._failed(error))  # type: ignore[misc]

        self.preparing, self.trouble = True, ""
        self.changed.emit()
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(threading.Thread(target=run, name="napari-aitrain-predict", daemon=True))
        self._threads[-1].start()

    def _failed(self, error: AitrainError) -> None:
        self.preparing = False
        report(error)
        self._tell(error)

    def _on_job_failed(self, name: str, error: AitrainError) -> None:
        # It was reported already; where it was asked for, it is to be read as well.
        if name in self._gone or any(run.job.name == name for run in self.all()):
            self._tell(error)

    def _tell(self, error: AitrainError) -> None:
        self.trouble = " ".join(f"{sentence(text).rstrip('.')}." for text in (error.what, error.remedy) if text)
        self.changed.emit()

    def _ask(self, forecast: Forecast, start: Callable[[], None]) -> None:
        self.preparing = False
        self.asked, self._start = forecast, start
        self.changed.emit()

    def _begin(self, config: PredictConfig, card: ModelCard, image: Any, frame: tuple[int, ...], where: Where) -> None:
        self.preparing = False
        # What is on screen is not to wait for the end of a volume.
        beside = where != "volume" and self.running() is not None
        job = self._session.jobs.start_prediction(config, at_once=beside)
        layer = PredictionLayer(self._session.viewer, f"{image.name}: prediction {_OF[where]}")
        self.add(Run(job, model_key(config.model), image, frame, layer, where), card)
        self.changed.emit()

    def add(self, run: Run, card: ModelCard | None) -> Growing:
        """Take in a job."""
        frame = LayerFrame.of(run.image)
        run.leading, run.flat = len(frame.leading), frame.flat
        if card is not None:
            run.class_names = card.class_names
            run.calibration = Calibration.model_validate(card.calibration) if card.calibration else None
        before = self._growing.pop(run.job.path, None)
        if before is not None:
            before.close()
        growing = self._growing[run.job.path] = Growing(self._session, run)
        return growing

    # What jobs and people do

    def _on_event(self, job: JobFolder, event: Event) -> None:
        growing = self._growing.get(job.path)
        if growing is None:
            return
        if event.kind == "progress":
            growing.run.take_progress(event.data)
            self.changed.emit()
        elif event.kind == "block":
            growing.block(event.data)
        elif event.kind == "failed-block":
            growing.run.take_failure(event.data)
            self.changed.emit()
        elif event.kind == "done":
            growing.look()

    def _on_changed(self, job: JobFolder) -> None:
        growing = self._growing.get(job.path)
        if growing is None:
            return
        ended = self._session.jobs.state(job) in ENDED and not self._session.jobs.preparing(job)
        if ended and not growing.run.finished:
            growing.run.finished = True
            growing.look()
        elif not ended and growing.run.finished and self._session.jobs.state(job) in ACTIVE:
            # Somebody pressed Resume in the Jobs dock.
            growing.run.finished = growing.run.forgotten = False
            growing.look()
        self.changed.emit()

    def _on_job_removed(self, path: Path) -> None:
        growing = self._growing.pop(path, None)
        if growing is not None:
            # One that could not be prepared is removed first, and then said to have failed.
            self._gone.add(path.name)
            growing.close()
            growing.run.layer.remove()
            self.changed.emit()

    def _on_removed(self, event: Any) -> None:
        for growing in self._growing.values():
            if growing.run.shown is not None and growing.run.layer.layer is event.value:
                with reported():
                    growing.dismiss()
