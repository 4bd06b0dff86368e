"""Predictions that earlier windows began, taken in as soon as their image is open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import AitrainError
from ...jobs import ACTIVE, ENDED, JobFolder
from ...jobs.predict_config import PredictConfig
from ...models import ModelCard, read_card
from ..frames import LayerFrame
from .predicting import image_of
from .prediction import has_model, model_key
from .prediction_layer import PredictionLayer
from .run import Run, Where
from .viewing import leading_index

if TYPE_CHECKING:
    from ..session import Session
    from .runs import Runs

_UNDONE = (*ACTIVE, "queued", "stopped", "interrupted", "failed")


def found_run(session: Session, job: JobFolder) -> tuple[Run, ModelCard | None]:
    """Return what a window needs of a job that it has not begun, and the card of its model.

    Raises
    ------
    AitrainError
        If its image is not open, or it cannot be read.
    """
    config = job.settings()
    assert isinstance(config, PredictConfig)
    viewer = session.viewer
    image = image_of(viewer, config)
    where: Where = "volume" if config.region is None else "box"
    layer = PredictionLayer(viewer, f"{image.name}: prediction")
    at = leading_index(viewer, image, LayerFrame.of(image))
    run = Run(job, model_key(config.model), image, at, layer, where, finished=True)
    return run, read_card(config.model) if has_model(config.model) else None


class Finder:
    """Gives `Runs` the predictions of earlier windows that are not done.

    One that runs is shown and goes on growing; of one that was broken off nothing is shown until somebody resumes it.

    Parameters
    ----------
    session : Session
        Of the window.
    runs : Runs
        Where they belong.
    """

    def __init__(self, session: Session, runs: Runs) -> None:
        self._session, self._runs = session, runs
        self._waiting: dict[Path, JobFolder] = {}
        session.jobs.added.connect(self._on_added)
        session.jobs.removed.connect(self._on_removed)
        session.viewer.layers.events.inserted.connect(self._on_inserted)

    def close(self) -> None:
        """Let go of the session."""
        self._session.jobs.added.disconnect(self._on_added)
        self._session.jobs.removed.disconnect(self._on_removed)
        self._session.viewer.layers.events.inserted.disconnect(self._on_inserted)

    def _on_added(self, job: JobFolder) -> None:
        jobs = self._session.jobs
        if jobs.predicts(job) and not jobs.preparing(job) and not self._runs.knows(job.path):
            self._waiting[job.path] = job
            self._attach()

    def _on_removed(self, path: Path) -> None:
        self._waiting.pop(path, None)

    def _on_inserted(self, _event: Any) -> None:
        if self._waiting:
            self._attach()

    def _attach(self) -> None:
        for path, job in list(self._waiting.items()):
            state = self._session.jobs.state(job)
            if self._runs.knows(path) or state not in _UNDONE:
                del self._waiting[path]
                continue
            try:
                run, card = found_run(self._session, job)
            except AitrainError:
                # Its image is not open: perhaps later.
                continue
            del self._waiting[path]
            digest = self._session.jobs.digest(job)
            run.fraction, run.stage, run.finished = digest.fraction or 0.0, digest.stage, state in ENDED
            growing = self._runs.add(run, card)
            if not run.finished:
                growing.look()
            self._runs.changed.emit()
