"""Connects the Evaluate dock to the evaluations of the session."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog

from ...evaluation.box_results import ModelEvaluation
from ...evaluation.figures import agreement_curve, best_threshold
from ...evaluation.model_report import write_model_report
from ...models import save_threshold
from ..aside import Aside
from ..class_names import named
from ..jobs.places import shown_name
from ..notify import inform, report, reported
from ..train.models import known_models, starter_models
from .telling import (
    class_rows,
    columns_of,
    counted,
    error_rows,
    figure_rows,
    threshold_plot,
    threshold_text,
    training_text,
    trust_plot,
)

if TYPE_CHECKING:
    from ...jobs import JobFolder
    from ..session import Session
    from .view import EvaluateView

_MOST_ROWS = 500


class EvaluateController:
    """Shows what evaluations found, and does what is pressed.

    Parameters
    ----------
    session : Session
        Of the window.
    view : EvaluateView
        Where it is shown.
    """

    def __init__(self, session: Session, view: EvaluateView) -> None:
        self.session, self.view = session, view
        self.evaluations = session.evaluations
        self._told: ModelEvaluation | None = None
        self._listed: tuple[int, str, str] | None = None
        self._writing: Aside[list[Path]] = Aside()
        self._signals: tuple[tuple[Any, Any], ...] = (
            (self.evaluations.changed, self._show),
            (self.evaluations.listed, self._list),
            (session.jobs.changed, self._on_jobs),
            (session.jobs.added, self._on_jobs),
            (session.jobs.removed, self._on_jobs),
            (session.jobs.closed, self.close),
        )
        for signal, slot in self._signals:
            signal.connect(slot)
        self._connect_view()
        self._on_jobs()
        self._list()
        self._show()

    def close(self) -> None:
        """Let go of the session; what is shown stays."""
        for signal, slot in self._signals:
            signal.disconnect(slot, missing_ok=True)
        self._writing.close()

    def _connect_view(self) -> None:
        view, evaluations = self.view, self.evaluations
        view.ask.requested.connect(self._on_request)
        view.ask.stopped.connect(evaluations.stop)
        view.opened.connect(self._on_open)
        view.report_requested.connect(self._on_report)
        view.lock_requested.connect(self._on_lock)
        view.kind_chosen.connect(lambda _kind: self._show_errors())
        view.errors.chosen.connect(self._on_error)
        show = view.show_box
        show.role_chosen.connect(self._on_role)
        show.stepped.connect(self._on_step)
        show.hidden.connect(evaluations.hide)
        show.looked.connect(lambda name, on: evaluations.set_look(**{name: on}))
        show.class_toggled.connect(self._on_class)

    # What is shown

    def _on_jobs(self, _job: Any = None) -> None:
        self.view.ask.set_models([*known_models(self.session.jobs), *starter_models()], None)

    def _list(self) -> None:
        evaluations, jobs = self.evaluations, self.session.jobs
        found = evaluations.finished()
        self.view.set_results([(self._name(job), job.path) for job in found],
                              None if evaluations.job is None else evaluations.job.path)  # fmt: skip
        running = evaluations.running
        if found and evaluations.job is None and running is None:
            # Jobs of earlier windows are found some moments after this one was opened.
            evaluations.open(found[0])
        self.view.ask.set_running(None if running is None else jobs.digest(running).percent() or 0)

    def _name(self, job: JobFolder) -> str:
        begun = self.session.jobs.begun(job)
        return f"{shown_name(job.name)}, {datetime.fromtimestamp(begun):%d %b %H:%M}" if begun else job.name

    def _show(self) -> None:
        evaluations, view = self.evaluations, self.view
        found = evaluations.current
        view.set_found(found is not None)
        if found is None:
            return
        if found is not self._told:
            self._told = found
            self._tell(found)
        self._show_role(found)
        self._show_box(found)

    def _tell(self, found: ModelEvaluation) -> None:
        """Show what does not depend on the role."""
        view, columns = self.view, columns_of(found)
        self._list()
        view.set_cautions([(caution.message, caution.remedy) for caution in found.warnings])
        view.figures.set_rows(columns, figure_rows(found))
        classes = class_rows(found)
        view.classes.set_rows(columns, classes)
        view.classes.setVisible(bool(classes))
        view.training.setText(training_text(found.training))
        best = best_threshold(found)
        neurons = any(agreement_curve(found, role) is not None for role in found.roles)
        lockable = best is not None and abs(best - found.model.threshold) > 1e-6 and Path(found.model.folder).is_dir()
        view.set_threshold(threshold_text(found), lockable, neurons)

    def _show_role(self, found: ModelEvaluation) -> None:
        view, role = self.view, self.evaluations.role
        view.show_box.set_roles({one: len(found.of_role(one)) for one in found.roles}, role)
        self._show_errors()
        plot = threshold_plot(found, role)
        if plot is not None:
            view.set_plot(plot[0], **plot[1])
        scores = trust_plot(found, role)
        view.set_trust("There are no scores." if scores is None else scores[0])
        if scores is not None:
            view.set_plot("trust", **scores[1])

    def _show_errors(self) -> None:
        found, view = self.evaluations.current, self.view
        if found is None:
            return
        role, kind = self.evaluations.role, view.kinds.currentText()
        numbers = {box.number: box for box in found.of_role(role)}
        listed = [
            (at, error) for at, error in enumerate(found.errors)
            if error.box in numbers and kind in ("all", error.kind)
        ]  # fmt: skip
        key = (id(found), role, kind)
        if key != self._listed:
            self._listed = key
            view.errors.set_rows(error_rows(listed[:_MOST_ROWS], numbers))
            view.counts.setText(f"{role.capitalize()} boxes: {counted(list(numbers.values()))}.")

    def _show_box(self, found: ModelEvaluation) -> None:
        evaluations, show = self.evaluations, self.view.show_box
        box, look = evaluations.box, evaluations.look
        boxes = evaluations.boxes()
        text = "Press ▸ to see what was predicted." if box is None else f"{box.name}: {counted([box])}"
        show.set_box(text, box is not None, bool(boxes))
        show.set_looks({name for name in ("errors", "outlines", "prediction", "truth") if getattr(look, name)})
        model = found.model
        names = {} if model.instances else named(model.classes[1:], model.class_names)
        show.set_classes(names, look.hidden_classes)

    # What is done

    def _on_request(self, model: Path, on: Any) -> None:
        with reported():
            self.evaluations.start(model, on)

    def _on_open(self, path: Path) -> None:
        job = next((job for job in self.evaluations.finished() if job.path == path), None)
        if job is not None:
            self.evaluations.open(job)

    def _on_role(self, role: Any) -> None:
        with reported():
            self.evaluations.set_role(role)
            if self.evaluations.box is None and self.evaluations.boxes():
                self.evaluations.step(0)

    def _on_step(self, by: int) -> None:
        with reported():
            self.evaluations.step(by)

    def _on_error(self, number: int) -> None:
        found = self.evaluations.current
        if found is not None:
            with reported():
                self.evaluations.show_error(found.errors[number])

    def _on_class(self, number: int, on: bool) -> None:
        hidden = self.evaluations.look.hidden_classes
        self.evaluations.set_look(hidden_classes=hidden - {number} if on else hidden | {number})

    def _on_lock(self) -> None:
        found = self.evaluations.current
        best = None if found is None else best_threshold(found)
        if found is None or best is None:
            return
        with reported():
            save_threshold(found.model.folder, best)
            text = f"{best:.3f} is stored in the model; evaluate it again for figures at this threshold."
            self.view.set_threshold(text, False, self.view.agreement)

    def _on_report(self) -> None:
        found = self.evaluations.current
        if found is None:
            return
        start = f"{found.model.name}-evaluation.html"
        name, _ = QFileDialog.getSaveFileName(self.view, "Save the report", start, "Web page (*.html)")
        if name:
            self.view.report.setEnabled(False)
            path = Path(name).with_suffix(".html")
            self._writing.run(lambda: write_model_report(found, path), self._written, self._not_written)

    def _written(self, files: list[Path]) -> None:
        self.view.report.setEnabled(True)
        inform(f"Written: {files[0]}, and {len(files) - 1} tables beside it.")

    def _not_written(self, error: Any) -> None:
        self.view.report.setEnabled(True)
        report(error)
