"""Connects the Train dock to the session: what is trained on, whether it can be, and the start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer

from ...errors import AitrainError
from ...jobs import ENDED, JobFolder
from ...tasks import get_task
from ...training.config import TrainConfig
from ...training.config_file import parse_config
from ..annotate.copies import StillCopying
from ..jobs.use import open_dock
from ..notify import report, reported
from ..settings import preferences
from .checker import Checked, Checker
from .models import known_models, newest_model
from .offers import Offers
from .painting import LivePainting
from .policy_dialog import edit_policy
from .rows_controller import RowsController
from .script_dialog import agree_to
from .status import Status
from .steps import Step
from .telling import NOTHING, automatic_start, message_of_job, status_of, status_of_error
from .then import place_of

if TYPE_CHECKING:
    from ..session import Session
    from .view import TrainView

DEBOUNCE = 400


class TrainController:
    """Keeps the view current, and starts trainings.

    Parameters
    ----------
    session : Session
        Of the window.
    view : TrainView
        Where it is shown.
    """

    def __init__(self, session: Session, view: TrainView) -> None:
        self.session, self.view = session, view
        self.model = session.training_set
        self._checker = Checker(self._on_checked, session.jobs.estimate)
        self._painting = LivePainting(session, self.model)
        self._timer = QTimer(view)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DEBOUNCE)
        self._timer.timeout.connect(self._check)
        self._starter = QTimer(view)
        self._starter.setSingleShot(True)
        self._starter.timeout.connect(self._start)
        self._dirty, self._busy, self._chosen = True, False, False
        self._starting, self._again = False, False
        self._job: JobFolder | None = None
        self._offers = Offers(session, view.form)
        shown, chosen = session.training_settings, preferences()
        self._connect()
        view.form.tasks.agree = lambda path: agree_to(path, view)
        self._on_models()
        view.form.setValue(shown or {"device": chosen.device, "preview_interval": chosen.preview_interval})
        view.set_step(session.training_step)
        self._on_sources()

    def close(self) -> None:
        """Let go of the session; what runs goes on."""
        for signal, slot in self._signals:
            signal.disconnect(slot, missing_ok=True)
        self._timer.stop()
        self._starter.stop()
        self._checker.close()
        self._painting.close()

    def config(self) -> TrainConfig:
        """Return the training as it is in the form; ground truth is saved for it.

        Raises
        ------
        AitrainError
            If a value is not allowed, or something cannot be saved.
        """
        self._busy = True
        try:
            sources = self.model.sources()
        finally:
            self._busy = False
        if not sources:
            raise NOTHING
        settings = self.view.form.value()
        own = {
            "sources": [one.model_dump() for one in sources],
            "class_names": self.model.class_names(),
            "then_predict": place_of(self.session, settings["then_predict"]),
        }
        return parse_config(settings | own, "the form")

    def fill(self, config: TrainConfig) -> None:
        """Show the settings of an earlier training."""
        self._chosen = True
        self.model.setValue(config.sources, config.class_names)
        self.view.form.setValue(config.model_dump(exclude={"sources", "version", "class_names", "policy", "then_out"}))
        self._on_sources()

    def start(self, again: bool = False) -> None:
        """Start at the next turn of the event loop, so that the press is seen at once; once, however often pressed."""
        if self._starting:
            return
        self._starting = True
        self.view.set_message("Starting: labels and boxes are saved…")
        self._allow()
        self._again = again
        self._starter.start()

    def _start(self) -> None:
        try:
            if self._again:
                self.view.form.setValue({"start_from": str(newest_model(self.session.jobs))})
            self._job = self.session.jobs.start(self.config())
        except StillCopying:
            return  # `_on_copied` goes on
        except AitrainError as error:
            self._give_back(error)
        else:
            self._tell_job()

    def _give_back(self, error: AitrainError) -> None:
        self._starting = False
        self.view.set_message("")
        report(error)
        self._allow()

    def _connect(self) -> None:
        session, view = self.session, self.view
        self._signals = (
            (session.boxes.changed, self._on_sources),
            (session.truths.changed, self._on_sources),
            (session.saver.saved, self._on_saved),
            (session.saver.copies.copying, self._on_copying),
            (session.saver.copies.ended, self._on_copied),
            (session.jobs.changed, self._on_job),
            (session.jobs.added, self._on_job),
            (self.model.added, self._on_sources),
            (self.model.looked, self._on_sources),
            (session.jobs.removed, self._on_removed),
            (session.weights.arrived, self._on_sources),
            (session.jobs.closed, self.close),
        )
        for signal, slot in self._signals:
            signal.connect(slot)
        view.form.valueChanged.connect(self._on_form)
        view.form.task.widget.changed.connect(self._on_task)
        self._rows = RowsController(session, view, self._on_sources)
        view.start_pressed.connect(self.start)
        view.dock_asked.connect(lambda name: open_dock(session, name))
        view.rules_pressed.connect(self._on_rules)
        view.steps.valueChanged.connect(self._on_step)
        view.live_toggled.connect(self._painting.set_on)
        view.shown.connect(self._on_shown)

    def _on_sources(self) -> None:
        rows = self.model.rows()
        self.view.sources.setValue(rows)
        self._offers.show()
        modes = {truth.mode for truth in self.session.truths.all()}
        classes = modes == {"classes"}
        # Of the tasks for objects a person may have taken another.
        if not self._chosen and len(modes) == 1 and classes == get_task(self.view.form.task.value).instances:
            self.view.form.setValue({"task": "semantic" if classes else "instances"})
        self._ask()

    def _on_task(self, _name: str) -> None:
        # Only a person's hand in the box has the focus there.
        self._chosen = self._chosen or self.view.form.task.widget.native.hasFocus()

    def _on_form(self) -> None:
        self.session.training_settings = self.view.form.value()
        self._offers.tell_left()
        self._ask()

    def _on_saved(self) -> None:
        # Asking for the sources saves as well.
        if not self._busy:
            self._ask()

    def _on_shown(self) -> None:
        self.session.jobs.prewarm()
        if self._dirty:
            self._ask()

    def _ask(self) -> None:
        self._dirty = True
        self._checker.ask(None)
        if self.view.isVisible():
            self._timer.start()

    def _check(self) -> None:
        self._dirty = False
        if not self.model.rows():
            self.view.set_status(status_of_error(NOTHING))
            self._allow()
            return
        try:
            config = self.config()
        except StillCopying:
            # What was said before the image was there does not hold any more; a press of Start waits for the copy.
            self.view.set_status(Status(checking=True))
            self._allow()
            return
        except AitrainError as error:
            self.view.set_status(status_of_error(error))
            self._allow()
            return
        shown = self.view.status.value()
        self.view.set_status(Status(shown.problems, shown.counts, shown.sentences, "", checking=True))
        self._checker.ask(config)

    def _on_copying(self, name: str, fraction: float) -> None:
        then = "The training starts after that." if self._starting else "Painting can go on."
        self.view.set_message(f"Copying the image {name}… {fraction:.0%}. {then}")

    def _on_copied(self, error: AitrainError | None) -> None:
        if self._starting and error is not None:
            self._give_back(error)
        elif self._starting:
            self._starter.start()
        else:
            self._tell_job()
        if error is not None:
            self.view.set_status(status_of_error(error))
            self._allow()
        elif not self._starting:
            self._ask()

    def _on_step(self, step: Step | None) -> None:
        self.session.training_step = step
        self.view.set_step(step)

    def _on_rules(self) -> None:
        with reported():
            if edit_policy(self.session.saver.project, self.view):
                self._ask()

    def _on_checked(self, checked: Checked) -> None:
        found = checked.readiness
        if found.plan is not None and not found.plan.instances and not checked.config.classes:
            self._offers.saw(set(found.classes))
        self.view.form.set_automatic(automatic_start(checked))
        self.view.set_status(status_of(checked, self.model.target_of))
        self._allow()

    def _allow(self) -> None:
        ready = bool(self.model.rows()) and self.view.status.value().ready and not self._starting
        self.view.set_ready(ready, ready and newest_model(self.session.jobs) is not None)

    def _on_job(self, job: JobFolder) -> None:
        if self.session.jobs.state(job) in ENDED:
            self._on_models()
        if self._job is not None and job.path == self._job.path:
            self._tell_job()

    def _on_removed(self, path: Path) -> None:
        if self._job is not None and path == self._job.path:
            self._job, self._starting = None, False
            self.view.set_message("")
        self._on_models()

    def _tell_job(self) -> None:
        job = self._job
        if job is None:
            self.view.set_message("")
            return
        if self.session.jobs.preparing(job):
            self.view.set_message(f"{job.name}: the boxes are copied, so that painting can go on…")
            return
        self._starting = False
        self.view.set_message(message_of_job(job, self.session.jobs.state(job)), leads=True)
        self._allow()

    def _on_models(self) -> None:
        self.view.form.set_models(known_models(self.session.jobs))
        self._allow()
