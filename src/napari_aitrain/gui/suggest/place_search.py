"""The search for places: what is not predicted yet is predicted first, as a job; then places are compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from ...errors import AitrainError
from ...inference.blocks import PredictionCancelledError
from ...jobs import JobFolder
from ...jobs.doubter import Doubter
from ...jobs.predict_config import PredictConfig
from ..annotate.image_of import image_layer
from ..aside import Aside
from ..frames import LayerFrame
from ..jobs.main_thread import MainThread
from ..notify import report
from ..review.predicting import config_of
from ..review.prediction import model_key
from ..review.viewing import leading_index
from .searching import Answer, Question, same_prediction, search

if TYPE_CHECKING:
    from ..session import Session


class PlaceSearch:
    """Searches, one at a time; free of widgets.

    Parameters
    ----------
    session : Session
        Of the window.

    Signals
    -------
    changed
        Whenever something else is to be said.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._main = MainThread()
        self._preparing: Aside[PredictConfig] = Aside()
        self._searching: Aside[Answer | None] = Aside()
        self._doubter: Doubter | None = None
        self._waiting: tuple[Question, PredictConfig] | None = None
        self._asked = 0
        self.doing = ""
        """What a search is about at the moment; empty while there is none."""
        self.progress: tuple[int, int] = (0, 0)
        self.trouble = ""
        self.answer: Answer | None = None
        """The last search of this window."""
        session.jobs.changed.connect(self._on_job)
        session.predictions.runs.changed.connect(self._look)

    def close(self) -> None:
        """Let go of threads and of the worker; a prediction goes on."""
        self._asked += 1
        self._session.jobs.changed.disconnect(self._on_job)
        self._session.predictions.runs.changed.disconnect(self._look)
        self._preparing.close()
        self._searching.close()
        self._main.close()
        if self._doubter is not None:
            self._doubter.close()

    def search(self, question: Question, image: Any) -> None:
        """Search for places; returns at once.

        Parameters
        ----------
        question : Question
            What is asked.
        image : napari.layers.Image
            In which they are sought.
        """
        session, place = self._session, LayerFrame.of(image)
        copies = session.saver.ensure_project().folder / "images"
        index = leading_index(session.viewer, image, place)
        self._asked += 1
        asked = self._asked
        self._say("The image is looked at…")
        self._preparing.run(
            lambda: config_of(question.model, image, place, index, None, copies),
            lambda config: self._predict(asked, question, config),
            lambda error: self._failed(asked, error),
        )

    def cancel(self) -> None:
        """Leave a search; a prediction that runs goes on."""
        self._asked += 1
        self._waiting = None
        self._say("")

    def _predict(self, asked: int, question: Question, config: PredictConfig) -> None:
        """Search in a prediction that is there, or have one made."""
        if asked != self._asked:
            return
        done = same_prediction(self._session, config)
        if done is not None:
            self._search(asked, question, config, done.prediction)
            return
        self._waiting = (question, config)
        self._say("The image is predicted first…")
        try:
            image = image_layer(self._session.viewer, question.image)
            if not self._under_way(question):
                self._session.predictions.runs.start(question.model, image, "volume")
        except AitrainError as error:
            self._failed(asked, error)

    def _under_way(self, question: Question) -> bool:
        model = model_key(question.model)
        return any(
            (run.finished, run.where, run.model, run.image.name) == (False, "volume", model, question.image)
            for run in self._session.predictions.runs.all()
        )

    def _on_job(self, _job: JobFolder) -> None:
        if self._waiting is not None:
            self._look()

    def _look(self) -> None:
        """Follow the prediction that a search waits for, and go on when it is there."""
        if self._waiting is None:
            return
        runs = self._session.predictions.runs
        running = runs.running()
        if running is not None or runs.preparing or runs.asked is not None:
            self.progress = (0, 0) if running is None else (round(1000 * running.fraction), 1000)
            self.changed.emit()
            return
        (question, config), self._waiting = self._waiting, None
        done = same_prediction(self._session, config)
        if done is not None:
            self._search(self._asked, question, config, done.prediction)
        else:
            self._say("", runs.trouble or "The image was not predicted to the end, so nothing was searched.")

    def _search(self, asked: int, question: Question, config: PredictConfig, store: Path) -> None:
        self._say("Places are compared…")
        if self._doubter is None:
            self._doubter = Doubter()
        doubter = self._doubter

        def cancelled() -> bool:
            return asked != self._asked

        def progress(done: int, total: int, _what: str) -> None:
            self._main.post(lambda: self._on_progress(asked, done, total))

        def work() -> Answer | None:
            try:
                return search(question, config, store, doubter, cancelled, progress)
            except PredictionCancelledError:
                return None

        self._searching.run(
            work, lambda answer: self._on_answer(asked, answer), lambda error: self._failed(asked, error)
        )

    def _on_progress(self, asked: int, done: int, total: int) -> None:
        if asked == self._asked:
            self.progress = (done, total)
            self.changed.emit()

    def _failed(self, asked: int, error: AitrainError) -> None:
        if asked == self._asked:
            self._waiting = None
            self._say("", str(error))
            report(error)

    def _say(self, doing: str, trouble: str = "") -> None:
        self.doing, self.trouble, self.progress = doing, trouble, (0, 0)
        self.changed.emit()

    def _on_answer(self, asked: int, answer: Answer | None) -> None:
        if asked == self._asked and answer is not None:
            self.answer = answer
            try:
                self._say("", self.found(answer))
            except AitrainError as error:
                self._failed(asked, error)

    def found(self, answer: Answer) -> str:
        """Take what was found; return what is to be said of it.

        Raises
        ------
        AitrainError
            If it cannot be kept.
        """
        raise NotImplementedError
