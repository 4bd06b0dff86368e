"""Suggestions of a session: the search, the queue, and going from place to place; free of widgets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from ...errors import AitrainError, ConfigError
from ...inference.blocks import PredictionCancelledError
from ...jobs import JobFolder
from ...jobs.doubter import Doubter
from ...jobs.predict_config import PredictConfig
from ...models import read_card
from ...suggestions.queue import Suggestion, SuggestionQueue
from ...suggestions.settings import SuggestSettings
from ...tasks.protocol import BoolArray, LabelArray
from ..annotate.box_actions import BoxActions
from ..annotate.image_of import image_layer
from ..aside import Aside
from ..frames import LayerFrame
from ..jobs.main_thread import MainThread
from ..notify import report
from ..review.predicting import config_of
from ..review.prediction import model_key
from ..review.viewing import leading_index
from . import proposing
from .retraining import Retraining
from .searching import Answer, Question, same_prediction, search
from .truth_files import save, truth_file, truth_for
from .uncertainty_layer import UncertaintyLayer

if TYPE_CHECKING:
    from ..session import Session

FOLDER = "suggestions"
"""In the folder of the project."""


class Suggestions:
    """What to label next.

    Parameters
    ----------
    session : Session
        Of the window.

    Attributes
    ----------
    retraining : Retraining
        When to train again.
    map : UncertaintyLayer
        What the model is unsure of, as a layer.

    Signals
    -------
    changed
        After a search, a step, and whenever something else is to be said.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._main = MainThread()
        self._preparing: Aside[PredictConfig] = Aside()
        self._searching: Aside[Answer | None] = Aside()
        self._reading: Aside[tuple[LabelArray, BoolArray]] = Aside()
        self._doubter: Doubter | None = None
        self._queue: SuggestionQueue | None = None
        self._waiting: tuple[Question, PredictConfig] | None = None
        self._asked = 0
        self._current = ""
        self.doing = ""
        """What a search is about at the moment; empty while there is none."""
        self.progress: tuple[int, int] = (0, 0)
        self.trouble = ""
        self.answer: Answer | None = None
        """The last search of this window."""
        self.map = UncertaintyLayer(session)
        self.retraining = Retraining(session, self)
        session.jobs.changed.connect(self._on_job)
        session.predictions.runs.changed.connect(self._look)
        session.boxes.changed.connect(self._on_boxes)

    def close(self) -> None:
        """Let go of threads; the queue is on disk."""
        self._asked += 1
        self._session.jobs.changed.disconnect(self._on_job)
        self._session.predictions.runs.changed.disconnect(self._look)
        self._session.boxes.changed.disconnect(self._on_boxes)
        for aside in (self._preparing, self._searching, self._reading):
            aside.close()
        self._main.close()
        self.map.close()
        self.retraining.close()
        if self._doubter is not None:
            self._doubter.close()

    # The queue

    @property
    def queue(self) -> SuggestionQueue | None:
        """The queue of the project that is open; None where there is no project, or its queue is damaged."""
        project = self._session.saver.project
        if project is None:
            return None
        folder = project.folder / FOLDER
        if self._queue is None or self._queue.folder != folder:
            try:
                self._queue = SuggestionQueue(folder)
            except ConfigError as error:
                self.trouble = str(error)
                return None
            self._current = next((one.id for one in self._queue.open() if one.box), "")
        return self._queue

    def need_queue(self) -> SuggestionQueue:
        """Return the queue, in a project made now if there is none.

        Raises
        ------
        AitrainError
            If the disk is full or read-only, or the queue is damaged.
        """
        self._session.saver.ensure_project()
        return self.queue or SuggestionQueue(self._session.saver.ensure_project().folder / FOLDER)

    @property
    def current(self) -> Suggestion | None:
        """The place that was gone to last, if it is not settled."""
        queue = self.queue
        found = None if queue is None else queue.find(self._current)
        return found if found is not None and found.state == "open" else None

    # The search

    def find(self, model: Path, image: Any, settings: SuggestSettings) -> None:
        """Search for places; returns at once. What is not predicted yet is predicted first, as a job.

        Raises
        ------
        AitrainError
            If the model cannot be read, the image is rotated, or nothing can be kept.
        """
        session, queue = self._session, self.need_queue()
        save(session)
        place, actions = LayerFrame.of(image), BoxActions(session)
        index = actions.shown_frame(image)
        # A model that cannot be read is told of now.
        read_card(model)
        truths = session.truths.of_image(image.name)
        boxes = [box for box in session.boxes if box.image == image.name and box.frame == index]
        question = Question(
            model, image.name, index, place.shape, actions.magnification(image.name), settings,
            tuple(actions.region(box) for box in boxes),
            tuple([*queue.skipped(image.name, index), *queue.labelled(image.name, index)]),
            tuple(truth_file(session, truth, index).path for truth in truths),
            sum(one.state != "open" for one in queue.all), queue.folder,
        )  # fmt: skip
        queue.set(model=str(model), settings=settings)
        copies = session.saver.ensure_project().folder / "images"
        self._asked += 1
        asked = self._asked
        self._say("The image is looked at…")
        where = leading_index(session.viewer, image, place)
        self._preparing.run(
            lambda: config_of(model, image, place, where, None, copies),
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

        self._searching.run(work, lambda answer: self._found(asked, answer), lambda error: self._failed(asked, error))

    def _on_progress(self, asked: int, done: int, total: int) -> None:
        if asked == self._asked:
            self.progress = (done, total)
            self.changed.emit()

    def _found(self, asked: int, answer: Answer | None) -> None:
        if asked != self._asked or answer is None:
            return
        self.answer = answer
        found = answer.found
        try:
            self.need_queue().replace_open(found.suggestions, found.labels)
        except AitrainError as error:
            self._failed(asked, error)
            return
        none = "" if found.suggestions else (
            "There is no place left for a box that touches nothing labelled and no other box."
        )  # fmt: skip
        self._say("", none)
        if self.map.present:
            self.show_map(True)

    def _failed(self, asked: int, error: AitrainError) -> None:
        if asked == self._asked:
            self._waiting = None
            self._say("", str(error))
            report(error)

    def _say(self, doing: str, trouble: str = "") -> None:
        self.doing, self.trouble, self.progress = doing, trouble, (0, 0)
        self.changed.emit()

    # From place to place

    def go_next(self) -> Suggestion | None:
        """Go to the place that was begun, or to the first that is open; None if there is none.

        Raises
        ------
        AitrainError
            If its image is not open.
        """
        queue = self.queue
        waiting = [] if queue is None else queue.open()
        chosen = self.current or next(iter(waiting), None)
        if chosen is not None:
            self.go_to(chosen.id)
        return chosen

    def go_to(self, key: str) -> None:
        """Go to a place, with a box around it; one that was skipped is open again.

        Raises
        ------
        AitrainError
            If its image is not open.
        """
        queue = self.need_queue()
        one = queue.find(key)
        if one is None:
            return
        box = proposing.box_of(self._session, one)
        if one.state == "done":
            if box is not None:
                proposing.show(self._session, box)
            return
        if box is None:
            box = proposing.propose(self._session, one, 1 + [other.id for other in queue.all].index(key))
        if (one.box, one.state) != (box.id, "open"):
            queue.update(key, box=box.id, state="open")
        self._current = key
        proposing.show(self._session, box)
        self.changed.emit()

    def skip(self) -> None:
        """Do not ask for this place again; its box goes, what is painted stays."""
        one, queue = self.current, self.queue
        if one is None or queue is None:
            return
        box = proposing.box_of(self._session, one)
        queue.update(one.id, state="skipped", box="")
        self._current = ""
        if box is not None:
            proposing.withdraw(self._session, box)
        self.changed.emit()

    def done(self, dense: bool) -> None:
        """Take this place for labelled: its box is done, and how wrong the model was there is noted.

        Parameters
        ----------
        dense : bool
            Whether everything in the box is painted, so that the rest is background.

        Raises
        ------
        AitrainError
            If what is painted cannot be saved.
        """
        one, queue = self.current, self.queue
        if one is None or queue is None:
            return
        box, truth = proposing.box_of(self._session, one), truth_for(self._session, one.image, one.instances)
        inside = one.region if box is None else BoxActions(self._session).region(box).intersect(one.region)
        if box is not None:
            proposing.settle(self._session, box, dense)
        save(self._session)
        queue.update(one.id, state="done")
        self._current = ""
        if truth is not None:
            file = truth_file(self._session, truth, one.frame)

            def read() -> tuple[LabelArray, BoolArray]:
                labels, known = file.read(one.region, sparse=not dense)
                within = np.zeros(known.shape, bool)
                within[inside.relative_to(one.region.start).slices] = True
                return labels, known & within

            self._reading.run(read, lambda labels: self._judge(queue, one.id, *labels), report)
        self.changed.emit()

    def _judge(self, queue: SuggestionQueue, key: str, truth: LabelArray, known: BoolArray) -> None:
        try:
            queue.finish(key, truth, known)
        except AitrainError as error:
            report(error)
        self.changed.emit()

    def _on_boxes(self) -> None:
        """Open a place again whose box a person removed."""
        queue = self.queue
        if queue is None:
            return
        there = {box.id for box in self._session.boxes}
        gone = [one for one in queue.open() if one.box and one.box not in there]
        for one in gone:
            queue.update(one.id, box="")
            if one.id == self._current:
                self._current = ""
        if gone:
            self.changed.emit()

    # The map

    def show_map(self, shown: bool) -> None:
        """Show or hide what the model was unsure of in the last search.

        Raises
        ------
        AitrainError
            If its image is not open.
        """
        if not shown or self.answer is None:
            self.map.hide()
        else:
            image = image_layer(self._session.viewer, self.answer.question.image)
            self.map.show(self.answer.uncertainty, self.answer.stored, image, self.answer.question.frame)
        self.changed.emit()
