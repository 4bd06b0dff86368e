"""Predictions with a chosen model, of the view, of a box, or of the whole volume: jobs whose results stream in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from psygnal import Signal

from ...errors import AitrainError, BoxError, VolumeError
from ...geometry import FINEST, Region
from ...inference.store import read_info
from ...jobs import ENDED, Event, JobFolder
from ...jobs.predict_config import PredictConfig
from ...models import ModelCard, read_card
from ...words import sentence
from ..class_names import colours_of, named
from ..frames import LayerFrame
from ..jobs.main_thread import MainThread
from ..notify import report
from .predicting import config_of, image_of
from .prediction import Prediction, has_model, model_key
from .prediction_layer import Placement, PredictionLayer
from .stored import stored_data
from .viewing import leading_index, seen

if TYPE_CHECKING:
    from ..session import Session

Where = Literal["view", "box", "volume"]


@dataclass
class Run:
    """A prediction job of this session.

    Parameters
    ----------
    job : JobFolder
        Its folder; the result is stored there.
    model : Path
        Whose prediction it is.
    image : napari.layers.Image
        What is predicted.
    frame : tuple of int
        Index along the axes before z, y and x.
    layer : PredictionLayer
        What shows it.
    class_names : mapping of int to str
        As the card of the model has them.
    """

    job: JobFolder
    model: Path
    image: Any
    frame: tuple[int, ...]
    layer: PredictionLayer
    class_names: Mapping[int, str]
    stage: str = ""
    done: int = 0
    total: int = 0
    finished: bool = False
    shown: Prediction | None = None


class Runs:
    """Starts prediction jobs and shows what they have by now.

    Parameters
    ----------
    session : Session
        Of the window.

    Signals
    -------
    changed
        After progress, and when a job has begun or ended.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._runs: dict[Path, Run] = {}
        self._main = MainThread()
        self._threads: list[threading.Thread] = []
        self.preparing = False
        self.trouble = ""
        """Why the last one failed, and what to do; empty unless it did."""
        session.jobs.event.connect(self._on_event)
        session.jobs.changed.connect(self._on_changed)
        session.jobs.failed.connect(self._on_job_failed)

    def running(self) -> Run | None:
        """Return the newest job that has not ended."""
        return next((run for run in reversed(self._runs.values()) if not run.finished), None)

    def start(self, model: Path, image: Any, where: Where) -> None:
        """Predict a part of an image, or all of it; returns at once.

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
        region = self._region(image, frame, where, card.dims)
        index = leading_index(session.viewer, image, frame)
        copies = session.saver.ensure_project().folder / "images"

        def prepare() -> None:
            config = config_of(model, image, frame, index, region, copies)
            self._main.post(lambda: self._begin(config, card, image, index, where))

        self._in_thread(prepare)

    def reopen(self, job: JobFolder) -> None:
        """Show the result of a job, such as one of an earlier session, with all corrections.

        Raises
        ------
        AitrainError
            If the image is not open, or the job cannot be read.
        """
        run = self._runs.get(job.path)
        if run is None or run.image not in self._session.viewer.layers:
            run = self._runs[job.path] = self._run_of(job)
        if not run.layer.present:
            run.shown = None
        self._show(run)

    def _run_of(self, job: JobFolder) -> Run:
        config = job.settings()
        assert isinstance(config, PredictConfig)
        viewer = self._session.viewer
        image = image_of(viewer, config)
        layer = PredictionLayer(viewer, f"{image.name}: prediction")
        names = read_card(config.model).class_names if has_model(config.model) else {}
        at = leading_index(viewer, image, LayerFrame.of(image))
        return Run(job, model_key(config.model), image, at, layer, names, finished=True)

    def cancel(self) -> None:
        """Stop the job that runs; what it has stays."""
        run = self.running()
        if run is not None:
            self._session.jobs.stop(run.job)

    def close(self) -> None:
        """Let go of the session; jobs go on."""
        self._session.jobs.event.disconnect(self._on_event)
        self._session.jobs.changed.disconnect(self._on_changed)
        self._session.jobs.failed.disconnect(self._on_job_failed)
        self._main.close()
        for thread in self._threads:
            thread.join()

    def _region(self, image: Any, frame: LayerFrame, where: Where, dims: int) -> Region | None:
        if where == "volume":
            return None
        whole = Region.from_shape(frame.shape)
        if where == "box":
            box = self._session.boxes.selected
            if box is None or box.image != image.name:
                raise BoxError(
                    f"no box of {image.name} is selected", "a box to predict", "select one in the Annotate dock"
                )
            region = frame.to_region(box.start, box.stop).intersect(whole)
        else:
            part = seen(self._session.viewer, frame, FINEST, dims)
            region = Region.from_shape((0, 0, 0)) if part is None else part.wanted
        if region.empty:
            raise VolumeError(
                f"nothing of {image.name} is {'on screen' if where == 'view' else 'in the box'}",
                "a part of the image",
                "press the house below the list of layers to see all of it, or choose another image",
            )
        return region

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
        if any(run.job.name == name for run in self._runs.values()):
            self._tell(error)

    def _tell(self, error: AitrainError) -> None:
        self.trouble = " ".join(f"{sentence(text).rstrip('.')}." for text in (error.what, error.remedy) if text)
        self.changed.emit()

    def _begin(self, config: PredictConfig, card: ModelCard, image: Any, frame: tuple[int, ...], where: Where) -> None:
        self.preparing = False
        job = self._session.jobs.start_prediction(config)
        name = {"view": "of the view", "box": "of a box", "volume": "of all"}[where]
        layer = PredictionLayer(self._session.viewer, f"{image.name}: prediction {name}")
        self._runs[job.path] = Run(job, model_key(config.model), image, frame, layer, card.class_names)
        self.changed.emit()

    def _on_event(self, job: JobFolder, event: Event) -> None:
        run = self._runs.get(job.path)
        if run is None:
            return
        if event.kind == "progress":
            run.done, run.total = int(event.data.get("done", 0)), int(event.data.get("total", 0))
            run.stage = str(event.data.get("stage", ""))
            self.changed.emit()
        elif event.kind in ("block", "done"):
            self._show(run)

    def _on_changed(self, job: JobFolder) -> None:
        run = self._runs.get(job.path)
        if run is not None and self._session.jobs.state(job) in ENDED and not self._session.jobs.preparing(job):
            run.finished = True
            self._show(run)
            self.changed.emit()

    def _show(self, run: Run) -> None:
        store = run.job.prediction
        frame = LayerFrame.of(run.image)
        try:
            info = read_info(store)
            data = stored_data(store, info, len(frame.leading), frame.flat)
        except (AitrainError, OSError):
            # Nothing was stored before it ended; the job itself says why.
            return
        if data is None:
            return
        if run.shown is not None and not info.finished and type(run.shown.data.labels) is type(data.labels):
            run.shown.data.forget_slices()
            run.shown.layer.refresh()
            return
        if run.shown is not None and not run.layer.present:
            # A person removed the layer.
            return
        names = {} if info.instances else named(info.classes, run.class_names)
        truth = next((one for one in self._session.truths.of_image(run.image.name) if one.mode == "classes"), None)
        one = Prediction(
            model=run.model,
            data=data,
            placement=Placement(run.image, info.magnification, info.start, run.frame),
            layer=run.layer,
            voxel_size=info.voxel_size,
            class_names=names,
            class_colours=colours_of(names, truth),
        )
        if info.finished and info.instances:
            one.take_table(store)
        run.shown = one
        self._session.predictions.propose_threshold(run.model, info.threshold)
        self._session.predictions.show(one)
