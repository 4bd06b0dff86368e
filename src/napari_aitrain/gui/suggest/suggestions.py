"""Suggestions of a session: the search, the queue, and going from place to place; free of widgets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import AitrainError, ConfigError
from ...models import read_card
from ...suggestions.queue import Suggestion, SuggestionQueue
from ...suggestions.settings import SuggestSettings
from ...tasks.protocol import BoolArray, LabelArray
from ..annotate.box_actions import BoxActions
from ..annotate.image_of import image_layer
from ..aside import Aside
from ..frames import LayerFrame
from ..notify import report
from . import proposing
from .place_search import PlaceSearch
from .retraining import Retraining
from .searching import Answer, Question
from .truth_files import save, truth_file, truth_for
from .uncertainty_layer import UncertaintyLayer

if TYPE_CHECKING:
    from ..session import Session

FOLDER = "suggestions"
"""In the folder of the project."""

_NONE = "There is no place left for a box that touches nothing labelled and no other box."


class Suggestions(PlaceSearch):
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

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._reading: Aside[tuple[LabelArray, BoolArray]] = Aside()
        self._queue: SuggestionQueue | None = None
        self._current = ""
        self.map = UncertaintyLayer(session)
        self.retraining = Retraining(session, self)
        session.boxes.changed.connect(self._on_boxes)

    def close(self) -> None:
        """Let go of threads; the queue is on disk."""
        super().close()
        self._session.boxes.changed.disconnect(self._on_boxes)
        self._reading.close()
        self.map.close()
        self.retraining.close()

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
        self.search(question, image)

    def found(self, answer: Answer) -> str:
        """Keep what was found in the queue; return what is to be said of it.

        Raises
        ------
        AitrainError
            If it cannot be kept.
        """
        self.need_queue().replace_open(answer.found.suggestions, answer.found.labels)
        if self.map.present:
            self.show_map(True)
        return "" if answer.found.suggestions else _NONE

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
