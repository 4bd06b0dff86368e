"""The evaluations of a session: started, found again, and what of one is shown; free of widgets."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from psygnal import Signal

from ...annotation.boxes import Role
from ...errors import ConfigError
from ...evaluation.box_results import BoxResult, ModelEvaluation, ObjectError, read_evaluation
from ...jobs import EvaluateConfig, Event, JobFolder
from ...jobs.evaluate_given import own_sources
from ...models import read_card
from ...training.config import Source
from ..aside import Aside
from ..class_names import class_names_of
from ..notify import report
from ..settings import preferences
from .shown import Look, ShownBox

if TYPE_CHECKING:
    from ..session import Session

On = Literal["own", "window"]
"""The boxes that the model was trained with, or those of the ground truth in the window."""


class Evaluations:
    """What evaluations of models found, and which box of one is shown in the viewer.

    Parameters
    ----------
    session : Session
        Of the window.

    Signals
    -------
    changed
        Another evaluation, or another part of it, is shown.
    listed
        An evaluation began, ended or was removed.
    """

    changed = Signal()
    listed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._reading: Aside[ModelEvaluation] = Aside()
        self.current: ModelEvaluation | None = None
        self.job: JobFolder | None = None
        self._openings = 0
        self.running: JobFolder | None = None
        """The one that was begun last here, until it has ended."""
        self.role: Role = "test"
        self.box: BoxResult | None = None
        self.look = Look()
        self.shown = ShownBox(session)
        for signal, slot in self._slots():
            signal.connect(slot)

    def _slots(self) -> tuple[tuple[Any, Any], ...]:
        jobs = self._session.jobs
        return (jobs.changed, self._on_job), (jobs.added, self._on_job), (jobs.removed, self._on_removed), (
            jobs.event, self._on_event
        )  # fmt: skip

    def close(self) -> None:
        """Let go of the session; what runs goes on."""
        for signal, slot in self._slots():
            signal.disconnect(slot, missing_ok=True)
        self._reading.close()

    def finished(self) -> list[JobFolder]:
        """Return the evaluations that have ended, the newest first."""
        jobs = self._session.jobs
        return [
            job for job in jobs.all()
            if jobs.kind(job) == "evaluation" and jobs.state(job) == "done" and job.evaluation.is_file()
        ]  # fmt: skip

    def start(self, model: Path, on: On) -> JobFolder:
        """Begin to evaluate a model; returns at once.

        Parameters
        ----------
        model : Path
            Its folder, or that of its job.
        on : {'own', 'window'}
            Which boxes.

        Raises
        ------
        AitrainError
            If there are none, or something cannot be saved first.
        """
        card, truths = read_card(model), self._session.truths.all()
        sources = own_sources(card) if on == "own" else self._of_window()
        names = class_names_of(truths) if on == "window" else {}
        config = EvaluateConfig(
            name=card.name, model=model, sources=sources, class_names=names, device=preferences().device
        )
        self.running = self._session.jobs.start_evaluation(config)
        self.listed.emit()
        return self.running

    def _of_window(self) -> tuple[Source, ...]:
        session = self._session
        images = {box.image for box in session.boxes}
        truths = [truth for truth in session.truths.all() if truth.image in images]
        if not truths:
            raise ConfigError(
                "no ground truth of this window has a box",
                "boxes around what is labelled, best with the role test",
                "draw boxes in the Annotate dock, and give them the role test",
            )
        return tuple(source for truth in truths for source in session.saver.sources(truth))

    def stop(self) -> None:
        """Stop the evaluation that runs; what is finished is kept."""
        if self.running is not None:
            self._session.jobs.stop(self.running)

    def open(self, job: JobFolder) -> None:
        """Read what an evaluation found, in a thread, and show it."""
        self.job = job
        self._openings += 1
        opening = self._openings
        self._reading.run(lambda: read_evaluation(job.path), lambda found: self._opened(opening, found), report)

    def _opened(self, opening: int, found: ModelEvaluation) -> None:
        if opening != self._openings:
            return
        self.current, self.box = found, None
        self.shown.hide()
        roles = found.roles
        self.role = next((role for role in ("test", "validation", "train") if role in roles), "test")
        self.changed.emit()

    def set_role(self, role: Role) -> None:
        """Show boxes of another role; if one was shown, the first of them comes in its place."""
        if role == self.role or self.current is None:
            return
        self.role = role
        boxes = self.current.of_role(role)
        if self.box is not None and boxes:
            self.show_box(boxes[0])
        else:
            self.changed.emit()

    def boxes(self) -> list[BoxResult]:
        """Return the boxes of the role that is shown."""
        return [] if self.current is None else self.current.of_role(self.role)

    def step(self, by: int) -> None:
        """Show the next box of the role, or one before."""
        boxes = self.boxes()
        if boxes:
            at = boxes.index(self.box) + by if self.box in boxes else 0
            self.show_box(boxes[at % len(boxes)])

    def show_box(self, box: BoxResult) -> None:
        """Show a box in the viewer: what was predicted in it, and what of that is wrong.

        Raises
        ------
        VolumeError
            If its arrays are not there any more.
        """
        self._show(box)
        self.shown.look_at_box()
        self.changed.emit()

    def show_error(self, error: ObjectError) -> None:
        """Bring an object that is wrong into view.

        Raises
        ------
        VolumeError
            If the arrays of its box are not there any more.
        """
        assert self.current is not None
        box = next(box for box in self.current.boxes if box.number == error.box)
        self._show(box)
        self.shown.look_at(error)
        self.changed.emit()

    def _show(self, box: BoxResult) -> None:
        assert self.current is not None
        if self.box != box or not self.shown.visible:
            self.shown.show(self.current, box, self.look)
        self.box, self.role = box, box.role

    def set_look(self, **changed: Any) -> None:
        """Change how the box is drawn; see `Look`."""
        self.look = dataclasses.replace(self.look, **changed)
        self.shown.draw(self.look)
        self.changed.emit()

    def hide(self) -> None:
        """Take the layers of the box away."""
        self.box = None
        self.shown.hide()
        self.changed.emit()

    def _on_event(self, job: JobFolder, _event: Event) -> None:
        if job == self.running:
            self.listed.emit()

    def _on_job(self, job: JobFolder) -> None:
        jobs = self._session.jobs
        if jobs.kind(job) != "evaluation":
            return
        if job == self.running and not jobs.preparing(job) and job not in jobs.running():
            self.running = None
            if jobs.state(job) == "done":
                self.open(job)
        self.listed.emit()

    def _on_removed(self, path: Path) -> None:
        if self.running is not None and self.running.path == path:
            self.running = None
        self.listed.emit()
