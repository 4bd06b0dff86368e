"""Hands what is painted to a training that runs, when a person wants that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...annotation.sparse_boxes import all_painted, painted_boxes
from ...errors import AitrainError
from ...jobs import JobFolder, ground_truth
from ...training.config import Source
from ..annotate.copies import StillCopying
from ..notify import report

if TYPE_CHECKING:
    from ..session import Session
    from .sources_model import SourcesModel


class LivePainting:
    """Sends the training set to the newest running job after each save, while it is on.

    Parameters
    ----------
    session : Session
        Of the window.
    model : SourcesModel
        The training set.
    """

    def __init__(self, session: Session, model: SourcesModel) -> None:
        self._session, self._model = session, model
        self._on, self._busy, self._told = False, False, ""
        session.saver.saved.connect(self._on_saved)

    def set_on(self, on: bool) -> None:
        """Begin or end handing over."""
        self._on = on
        if on:
            self._on_saved()

    def close(self) -> None:
        """Let go of the session."""
        self._session.saver.saved.disconnect(self._on_saved, missing_ok=True)

    def _sources_for(self, job: JobFolder) -> list[Source]:
        """Return the training set at the magnifications that the job trains at, whatever the dock shows by now."""
        trained = {source.labels: source for source in job.config().sources}
        return [_as_trained(one, trained.get(one.labels)) for one in self._model.sources()]

    def _on_saved(self) -> None:
        job = self._session.jobs.newest_running()
        if not self._on or self._busy or job is None or self._session.jobs.state(job) != "running":
            return
        # Asking for the sources saves what was painted meanwhile, which would come back here.
        self._busy = True
        try:
            message = ground_truth(self._sources_for(job))
        except StillCopying:
            return  # it goes with the next strokes
        except AitrainError as error:
            # The same trouble after every stroke is told once.
            told, self._told = self._told, str(error)
            if told != self._told:
                report(error)
            return
        finally:
            self._busy = False
        self._told = ""
        self._session.jobs.send(job, message)


def _as_trained(source: Source, trained: Source | None) -> Source:
    """Return a source at the magnification of a job; boxes around what is painted do not grow beside its crops."""
    if trained is None:
        return source
    changes: dict[str, object] = {"magnification": trained.magnification}
    if isinstance(source.labels, Path) and all_painted(source.boxes) and all_painted(trained.boxes):
        changes["boxes"] = painted_boxes(source.labels, trained.boxes)
    return source.model_copy(update=changes)
