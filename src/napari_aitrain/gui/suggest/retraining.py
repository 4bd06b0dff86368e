"""Counts annotations as they are saved, and trains again when the policy says so."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import QTimer

from ...errors import AitrainError
from ...jobs import JobFolder
from ...suggestions.retraining import RetrainPolicy, hint
from ..aside import Aside
from ..notify import inform, report
from ..review.again import can_train_again, train_again
from ..review.prediction import model_key
from .truth_files import labelled_boxes

if TYPE_CHECKING:
    from ..session import Session
    from .suggestions import Suggestions


class Retraining:
    """Knows how many annotations are new since the last training.

    Parameters
    ----------
    session : Session
        Whose ground truth is counted.
    suggestions : Suggestions
        Whose queue keeps the policy.

    Signals
    -------
    changed
        After a new count, and when it is time to ask.
    """

    changed = Signal()

    def __init__(self, session: Session, suggestions: Suggestions) -> None:
        self._session, self._suggestions = session, suggestions
        self._counting: Aside[dict[int, int]] = Aside()
        self._busy = self._again = self._closed = False
        self._began = 0.0
        self._told = -1
        self.counts: Mapping[int, int] | None = None
        """Annotations per class of the current ground truth; None while that is not known."""
        session.saver.saved.connect(self.count)
        session.jobs.added.connect(self._on_job)

    @property
    def policy(self) -> RetrainPolicy:
        """What happens when new annotations have come."""
        queue = self._suggestions.queue
        return RetrainPolicy() if queue is None else queue.state.policy

    def set_policy(self, policy: RetrainPolicy) -> None:
        """Choose; what is labelled by now counts as trained with when a policy is first switched on.

        Raises
        ------
        AitrainError
            If it cannot be kept.
        """
        queue = self._suggestions.need_queue()
        if queue.state.policy.mode == "off" and policy.mode != "off" and not queue.state.trained_with:
            queue.set(policy=policy, trained_with=self.total or 0)
        else:
            queue.set(policy=policy)
        self._told = -1
        self._look()

    @property
    def total(self) -> int | None:
        """Annotations of all classes; None while that is not known."""
        return None if self.counts is None else sum(self.counts.values())

    @property
    def due(self) -> bool:
        """Whether it is time to train again."""
        queue, total = self._suggestions.queue, self.total
        return queue is not None and total is not None and self.policy.is_due(total, queue.state.trained_with)

    @property
    def text(self) -> str:
        """What is known of it, in words."""
        queue, total = self._suggestions.queue, self.total
        if total is None:
            return "Nothing is counted yet: paint in a box."
        said = f"{total} annotations in the boxes"
        if queue is not None and self.policy.mode != "off":
            new = max(0, total - queue.state.trained_with)
            said += f", {new} new since the last training"
        return f"{said}. {self.hint}".strip()

    @property
    def hint(self) -> str:
        """What is advised before a first training; empty if there is enough."""
        truth = self._session.truths.current
        if truth is None or self.counts is None:
            return ""
        names = {one.id: one.name for one in truth.classes if one.id != truth.background_id}
        return hint(self.counts, names, truth.mode == "instances")

    def train(self) -> JobFolder | None:
        """Train again from the model that was asked last; None, and a notification, if that cannot be.

        What is wrong with the training set is told as for any training.
        """
        queue = self._suggestions.queue
        model = None if queue is None or not queue.state.model else Path(queue.state.model)
        if not can_train_again(self._session, model) or model is None:
            report("There is no model to train on from. Choose one above, and press Find places.")
            return None
        try:
            # Its job has its settings.
            return train_again(self._session, model_key(model))
        except AitrainError as error:
            report(error)
            return None

    def count(self) -> None:
        """Count anew, in a thread, which takes at most a tenth of the time."""
        truth = self._session.truths.current
        self._again = self._busy
        if self._busy or self._closed or truth is None:
            return
        try:
            boxes = labelled_boxes(self._session, truth)
        except AitrainError:
            return
        self._busy, self._began = True, time.monotonic()
        self._counting.run(lambda: _sum(file.count(regions) for file, regions in boxes), self._take, self._failed)

    def close(self) -> None:
        """Let go of the session."""
        self._closed = True
        self._session.saver.saved.disconnect(self.count)
        self._session.jobs.added.disconnect(self._on_job)
        self._counting.close()

    def _take(self, counts: dict[int, int]) -> None:
        self.counts = counts
        self._rest()
        self._look()

    def _failed(self, _error: AitrainError) -> None:
        # Of a file that cannot be read the saver tells.
        self._rest()

    def _rest(self) -> None:
        QTimer.singleShot(round(9000 * (time.monotonic() - self._began)), self._go_on)

    def _go_on(self) -> None:
        self._busy = False
        if self._again:
            self.count()

    def _look(self) -> None:
        """Ask or train, once for each time that it is due."""
        queue, total = self._suggestions.queue, self.total
        if queue is not None and total is not None and self.due and self._told != queue.state.trained_with:
            self._told = queue.state.trained_with
            if self.policy.mode == "automatic" and not self._training():
                self.train()
            elif self.policy.mode == "ask":
                inform(f"{total - queue.state.trained_with} new annotations: press Train again in the Label next dock.")
        self.changed.emit()

    def _training(self) -> bool:
        return self._session.jobs.newest_running() is not None

    def _on_job(self, job: JobFolder) -> None:
        """Note what a training that begins in this window learns from."""
        jobs, queue = self._session.jobs, self._suggestions.queue
        begins = jobs.preparing(job) and not jobs.predicts(job)
        if begins and queue is not None and self.total is not None:
            queue.set(trained_with=self.total)
            self.changed.emit()


def _sum(counts: Iterable[Mapping[int, int]]) -> dict[int, int]:
    total: Counter[int] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)
