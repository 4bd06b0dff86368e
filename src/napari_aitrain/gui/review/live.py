"""Live predictions: while a training runs, what is on screen is predicted again and again."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QTimer

from ...errors import AitrainError
from ...jobs import ACTIVE, Event, JobFolder
from ...jobs.inbox import preview_view
from ..class_names import class_names_of, colours_of, named
from ..frames import LayerFrame
from ..jobs.main_thread import MainThread
from ..notify import report, reported
from .prediction import Prediction
from .prediction_layer import MapLayer, PlacedLayer, Placement, PredictionLayer
from .shown_source import ShownSource, Training, shown_source
from .thresholded import Thresholded
from .view_files import View, ViewThread, maps_of, merges_of
from .viewing import leading_index, moves_of, seen

if TYPE_CHECKING:
    from ..session import Session

SETTLE = 60
"""Milliseconds of moving after which the view is looked at."""

AGAIN = 2.0
"""Seconds without an answer after which a request is sent again."""

_MAPS = ("probability", "uncertainty")


@dataclass
class _Asked:
    view: View
    shown: ShownSource
    sent: float = 0.0
    answered: bool = False


class Live:
    """Asks for what is on screen, and shows what comes in one layer, in place.

    Parameters
    ----------
    session : Session
        Whose trainings and viewer are meant.

    Signals
    -------
    changed
        After a prediction came, and when it is known that none will come.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self.training: Training | None = None
        self.trouble = ""
        self._asked: _Asked | None = None
        self._number = int(time.time() * 10)
        self._main = MainThread()
        self._files = ViewThread(
            lambda view: self._main.post(lambda: self._written(view)),
            lambda error: self._main.post(lambda: self._failed(error)),
        )
        self._layer = PredictionLayer(session.viewer, "Prediction")
        self._maps: dict[str, PlacedLayer] = {name: MapLayer(session.viewer, f"Prediction {name}") for name in _MAPS}
        self._maps_shown: set[str] = set()
        self._last: Event | None = None
        self._enabled = True
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLE)
        self._timer.timeout.connect(self._ask)
        session.jobs.added.connect(self._on_job)
        session.jobs.changed.connect(self._on_job)
        session.jobs.event.connect(self._on_event)
        for emitter in self._moves():
            emitter.connect(self._on_move)

    @property
    def enabled(self) -> bool:
        """Whether to predict what is on screen while a training runs."""
        return self._enabled

    def set_enabled(self, enabled: bool) -> None:
        """Begin or cease to predict what is on screen."""
        self._enabled = enabled
        self._asked = None
        self._on_move()

    def map_shown(self, name: str) -> bool:
        """Whether a layer of ``probability`` or ``uncertainty`` is shown."""
        return name in self._maps_shown

    def show_map(self, name: str, shown: bool) -> None:
        """Show or remove the layer of ``probability`` or ``uncertainty``."""
        if not shown:
            self._maps_shown.discard(name)
            self._maps[name].remove()
            return
        self._maps_shown.add(name)
        if self._last is not None and self._asked is not None and self.training is not None:
            self._show_maps(self.training.job, self._last, self._asked)

    def map_layers(self) -> list[Any]:
        """Return the layers of probability and uncertainty."""
        return [each.layer for each in self._maps.values() if each.present]

    def close(self) -> None:
        """Let go of the thread, the timer and the connections."""
        self._timer.stop()
        for emitter in self._moves():
            emitter.disconnect(self._on_move)
        jobs = self._session.jobs
        jobs.added.disconnect(self._on_job)
        jobs.changed.disconnect(self._on_job)
        jobs.event.disconnect(self._on_event)
        self._files.close()
        self._main.close()

    def _moves(self) -> list[Any]:
        viewer = self._session.viewer
        return [*moves_of(viewer), viewer.layers.events.inserted, viewer.layers.events.removed]

    def _on_move(self, event: Any = None) -> None:
        if self._enabled and self.training is not None and not self._timer.isActive():
            self._timer.start()

    def _on_job(self, job: JobFolder) -> None:
        jobs = self._session.jobs
        state = jobs.state(job)
        of_this = self.training is not None and self.training.job.path == job.path
        if state in ACTIVE or (state == "queued" and not jobs.preparing(job)):
            if not of_this and (self.training is None or jobs.newest_running() in (None, job)):
                self._follow(job)
            elif of_this and self._asked is not None and not self._asked.answered:
                self._send(self._asked)
        elif of_this and state not in ("queued", "paused"):
            self.training, self._asked = None, None
            if all(one.layer is not self._layer for one in self._session.predictions.all()):
                self._layer.remove()
            with reported():
                self._session.predictions.store_locked(job.path)
            self.changed.emit()

    def _follow(self, job: JobFolder) -> None:
        training = Training.of(job)
        if training is not None:
            self.training, self._asked, self.trouble = training, None, ""
            # At once: a worker that is warm takes the job up now, and its first prediction is to be of this view.
            self._ask()
            self.changed.emit()

    def _ask(self) -> None:
        training = self.training
        if training is None or not self._enabled:
            return
        shown = shown_source(self._session, training.config)
        self._trouble("" if shown is not None else "The image is not open; the training goes on without it.")
        if shown is None:
            self._asked = None
            return
        try:
            frame, dims = LayerFrame.of(shown.image), training.crops.dims
        except AitrainError as error:
            self._failed(error)
            return
        viewer = self._session.viewer
        part = seen(viewer, frame, shown.magnification, dims)
        if part is None:
            return
        index = leading_index(viewer, shown.image, frame)
        before = self._asked
        if before is not None and _same_place(before.view, shown, index) and part.served_by(before.view.region):
            return
        self._number += 1
        view = View(self._number, training.job.path, shown.image, index, shown.magnification, part.wanted)
        self._asked = _Asked(view, shown)
        self._files.ask(view)

    def _written(self, view: View) -> None:
        if self._asked is not None and self._asked.view is view:
            self._send(self._asked)
            if not self._layer.present:
                self._show_nothing(self._asked)

    def _show_nothing(self, asked: _Asked) -> None:
        """Add the empty layer, which takes napari long: better at Start than while a person paints."""
        frame, view = LayerFrame.of(asked.shown.image), asked.view
        labels = np.zeros(view.region.shape, np.int32)
        empty = Thresholded(labels, np.zeros(1, np.float32), leading=len(frame.leading), flat=frame.flat)
        self._layer.show(empty, _placement(view))

    def _send(self, asked: _Asked) -> None:
        if self.training is None or not (asked.view.folder / asked.view.file).is_file():
            return
        asked.sent = time.monotonic()
        source = asked.shown.source
        message = preview_view(asked.view.number, asked.view.file, str(source.image))
        self._session.jobs.send(self.training.job, message)

    def _failed(self, error: AitrainError) -> None:
        self._trouble(error.what)
        self._enabled = False
        report(error)

    def _trouble(self, text: str) -> None:
        if text != self.trouble:
            self.trouble = text
            self.changed.emit()

    def _on_event(self, job: JobFolder, event: Event) -> None:
        if self.training is None or job.path != self.training.job.path or self._asked is None:
            return
        asked = self._asked
        if event.kind == "preview" and event.data.get("request") == asked.view.number:
            asked.answered = True
            self._last = event
            self._take(job, event, asked)
        elif not asked.answered and asked.sent and time.monotonic() - asked.sent > AGAIN:
            self._send(asked)

    def _take(self, job: JobFolder, event: Event, asked: _Asked) -> None:
        assert self.training is not None
        folder = job.path / "previews"
        try:
            labels, scores = (np.load(folder / event.data[name]) for name in ("labels", "scores"))
            certainty = None if self.training.instances else np.load(folder / event.data["probability"]).max(axis=0)
            merges = merges_of(folder, event)
            maps = maps_of(folder, event, self.training)
        except (OSError, ValueError, KeyError):
            # The worker keeps the last three: a window that was busy for long has a newer event to come.
            return
        frame = LayerFrame.of(asked.shown.image)
        data = Thresholded(
            labels,
            scores if self.training.instances else None,
            certainty=certainty,
            merges=merges,
            leading=len(frame.leading),
            flat=frame.flat,
        )
        self._session.predictions.show(replace(self._prediction(job, event, asked, data), maps=maps))
        self._show_maps(job, event, asked)
        self.changed.emit()

    def _prediction(self, job: JobFolder, event: Event, asked: _Asked, data: Thresholded) -> Prediction:
        assert self.training is not None
        names: dict[int, str] = {}
        colours: dict[int, str] = {}
        if not self.training.instances:
            truth = asked.shown.truth
            known = self.training.config.class_names | class_names_of(() if truth is None else (truth,))
            names = named(self.training.crops.classes, known)
            colours = colours_of(names, truth)
        return Prediction(
            model=job.path,
            data=data,
            placement=_placement(asked.view),
            layer=self._layer,
            step=event.data.get("step"),
            by=str(event.data.get("by", "network")),
            time=event.time,
            voxel_size=self.training.crops.voxel_size,
            class_names=names,
            class_colours=colours,
        )

    def _show_maps(self, job: JobFolder, event: Event, asked: _Asked) -> None:
        frame = LayerFrame.of(asked.shown.image)
        for name in self._maps_shown:
            try:
                values = np.load(job.path / "previews" / event.data[name])
            except (OSError, ValueError, KeyError):
                continue
            if values.ndim == 4:
                # Of several classes, how sure it is that there is something.
                values = values[0] if len(values) == 1 else 255 - values[0]
            spatial = values[0] if frame.flat else values
            self._maps[name].show(spatial[(None,) * len(frame.leading)], _placement(asked.view))


def _placement(view: View) -> Placement:
    return Placement(view.image, view.magnification, view.region.start, view.frame)


def _same_place(view: View, shown: ShownSource, frame: tuple[int, ...]) -> bool:
    return view.image is shown.image and view.frame == frame and view.magnification == shown.magnification
