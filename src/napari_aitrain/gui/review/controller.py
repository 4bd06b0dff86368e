"""Connects the Review dock to the session."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...jobs import JobFolder
from ..notify import report, reported
from ..train.models import known_models, starter_models
from ..weights.dialog import open_weights
from ..weights.models import missing_at, offered
from .again import can_train_again, train_again, why_no_model
from .badge import age_text
from .hands import told
from .locks import after_test
from .picking import Picked, describe
from .prediction import model_key
from .run import Run, RunRow, row_of

if TYPE_CHECKING:
    from ..session import Session
    from .view import ReviewView


class ReviewController:
    """Shows the predictions of the session, and does what is pressed.

    Parameters
    ----------
    session : Session
        Of the window.
    view : ReviewView
        Where it is shown.
    """

    def __init__(self, session: Session, view: ReviewView) -> None:
        self.session, self.view = session, view
        self.predictions = session.predictions
        self._signals: tuple[tuple[Any, Any], ...] = (
            (self.predictions.changed, self._show),
            (self.predictions.threshold_changed, view.threshold.setValue),
            (self.predictions.picked_changed, self._show_picked),
            (self.predictions.live.changed, self._show),
            (self.predictions.badge.aged, self._show_age),
            (self.predictions.runs.changed, self._show_run),
            (self.predictions.tool.changed, self._show_tool),
            (session.jobs.added, self._on_job),
            (session.jobs.changed, self._on_job),
            (session.jobs.removed, self._on_job),
            (session.jobs.closed, self.close),
            (session.weights.arrived, self._on_job),
            (session.remotes.changed, self._on_models),
            (session.boxes.selected_changed, self._on_job),
            (session.truths.changed, self._allow),
        )
        for signal, slot in self._signals:
            signal.connect(slot)
        session.viewer.layers.selection.events.active.connect(self._allow)
        self._connect_view()
        self._show_models()
        self._show()
        self._show_picked(self.predictions.picked)
        self._show_run()

    def close(self) -> None:
        """Let go of the session; predictions stay."""
        self.session.viewer.layers.selection.events.active.disconnect(self._allow)
        for signal, slot in self._signals:
            signal.disconnect(slot, missing_ok=True)

    def _connect_view(self) -> None:
        view, predictions = self.view, self.predictions
        view.model_chosen.connect(self._on_model)
        view.live_toggled.connect(predictions.live.set_enabled)
        view.again_pressed.connect(self._on_again)
        view.threshold.valueChanged.connect(predictions.set_threshold)
        view.threshold.lock_requested.connect(self._on_lock)
        view.look.toggled.connect(self._on_look)
        view.look.class_toggled.connect(predictions.set_class_shown)
        view.object.pressed.connect(self._on_correct)
        view.proof.tool_chosen.connect(predictions.tool.take)
        view.proof.escaped.connect(predictions.tool.escape)
        view.proof.pressed.connect(self._on_step)
        view.proof.take_requested.connect(self._on_take)
        view.predict.requested.connect(self._on_predict)
        view.predict.answered.connect(self._on_answer)
        view.predict.pressed.connect(self._on_run)

    # What is shown

    def _show_models(self) -> None:
        jobs = self.session.jobs
        training = self.predictions.live.training
        models = [(f"{training.job.name} (is learning)", training.job.path)] if training is not None else []
        models += [(name, model_key(folder)) for name, folder in known_models(jobs)]
        unique = {folder: name for name, folder in reversed(models)}
        models = [(name, folder) for folder, name in reversed(unique.items())]
        self.view.set_models(models, self.predictions.model, [*starter_models(), *offered()])

    def _show(self) -> None:
        view, predictions = self.view, self.predictions
        if view.models.currentData() != predictions.model:
            self._show_models()
        current = predictions.current
        view.set_shown(current is not None)
        view.set_live(predictions.live.enabled)
        view.threshold.setValue(predictions.threshold)
        view.threshold.set_histogram(predictions.histogram().tolist())
        view.threshold.set_hint(self._hint())
        view.set_joins(predictions.proof.prediction is not None)
        view.proof.set_usable(predictions.proof.why_not)
        view.proof.set_corrections(len(predictions.proof.corrections), predictions.proof.can_redo)
        self._show_tool()
        view.threshold.set_lockable(current is not None and not current.provisional)
        view.look.set_checked("outlines", predictions.outlines)
        view.look.set_checked("scores", predictions.colour_by_score)
        for name in ("probability", "uncertainty"):
            view.look.set_checked(name, predictions.live.map_shown(name))
        names = {} if current is None else {c: current.class_names.get(c, f"class {c}") for c in current.classes()}
        view.look.set_classes(names if len(names) > 1 else {}, predictions.hidden_classes)
        self._show_age()
        self._allow()

    def _hint(self) -> str:
        current = self.predictions.current
        if self.predictions.waits_for_model:
            return "It is stored when the training has ended."
        if current is None or not current.growing:
            return ""
        if current.agglomerates:
            return "Fragments are shown while they are made. The threshold merges them when all are there."
        if current.data.instances:
            return "Scores of pieces so far: objects get their own when all blocks are joined."
        return ""

    def _show_age(self) -> None:
        live, current = self.predictions.live, self.predictions.current
        text = live.trouble
        if not text and live.training is not None:
            of_it = current is not None and current.step is not None and current.model == live.training.job.path
            text = age_text(current, time.time()) if of_it and current is not None else "Waiting for a prediction…"
        self.view.set_age(text)

    def _show_tool(self) -> None:
        tool = self.predictions.tool
        self.view.proof.set_tool(tool.kind, tool.hint)

    def _show_picked(self, picked: Picked | None) -> None:
        self.view.object.set_object("" if picked is None else describe(picked))
        self._allow()

    def _show_run(self) -> None:
        runs = self.predictions.runs
        self.view.predict.set_trouble(runs.trouble)
        asked = runs.asked
        self.view.predict.set_question("" if asked is None else asked.text(), asked is not None and asked.fits)
        self.view.predict.set_runs([self._row(run) for run in self._told_of()])
        self._allow()

    def _told_of(self) -> list[Run]:
        """Return the predictions that run, and those that people may want to go on with."""
        state = self.session.jobs.state
        return [
            run for run in self.predictions.runs.all()
            if not run.finished or (not run.forgotten and (run.failed or state(run.job) != "done"))
        ]  # fmt: skip

    def _row(self, run: Run) -> RunRow:
        jobs = self.session.jobs
        return row_of(run, jobs.state(run.job), jobs.digest(run.job).time_left(), jobs.preparing(run.job))

    def _allow(self, event: Any = None) -> None:
        predictions, box = self.predictions, self.session.boxes.selected
        picked = predictions.picked
        allowed = {"accept", "reject"} if picked is not None else set()
        allowed |= {"all"} | ({"box"} if box is not None else set())
        self.view.object.set_actions(frozenset(allowed))
        takes = {"corrected"} if predictions.proof.corrections else set()
        self.view.proof.set_takes(frozenset(takes | ({"box"} if box is not None else set())))
        self.view.again.setEnabled(can_train_again(self.session, predictions.model))
        why = self._why_not()
        places = {"view", "volume"} | ({"box"} if box is not None else set())
        places -= {run.where for run in predictions.runs.all() if not run.finished and run.image is self._image()}
        self.view.predict.set_allowed(frozenset() if why else frozenset(places), why)

    def _why_not(self) -> str:
        if self.predictions.runs.preparing:
            return "The image is looked at…"
        if self._image() is None:
            return "Open an image first."
        return why_no_model(self.session, self.predictions.model)

    def _image(self) -> Any:
        """Return the image that is meant: the selected layer, else that of the ground truth, else the uppermost."""
        layers = self.session.viewer.layers
        images = [layer for layer in layers if type(layer).__name__ == "Image" and layer not in self._own_layers()]
        truth = self.session.truths.current
        wanted = [layer for layer in images if layer is layers.selection.active]
        wanted += [layer for layer in images if truth is not None and layer.name == truth.image]
        return next(iter([*wanted, *(layer for layer in reversed(images) if layer.visible), *images]), None)

    def _own_layers(self) -> list[Any]:
        return self.predictions.live.map_layers()

    # What is done

    def _on_job(self, _job: JobFolder | Path | str) -> None:
        self._show_models()
        self._allow()

    def _on_models(self) -> None:
        self._show_models()
        self._allow()

    def _on_model(self, model: Path) -> None:
        self.predictions.set_model(model)
        if missing := missing_at(model):
            open_weights(self.session.viewer, missing.name)
        with reported():
            self.predictions.take_own_threshold(model)

    def _on_again(self) -> None:
        model = self.predictions.model
        if model is not None:
            # Pressed twice, it is started once.
            self.view.again.setEnabled(False)
            with reported():
                train_again(self.session, model)

    def _on_lock(self) -> None:
        with reported():
            kept = f"{self.predictions.lock_in():.3f} is stored in the model."
            if not self.predictions.waits_for_model:
                self.view.threshold.set_hint(kept + after_test(self.predictions.model))

    def _on_look(self, name: str, on: bool) -> None:
        if name == "outlines":
            self.predictions.set_outlines(on)
        elif name == "scores":
            self.predictions.set_colour_by_score(on)
        else:
            self.predictions.live.show_map(name, on)

    def _on_correct(self, name: str) -> None:
        overwrite, picked = self.view.object.overwrite.isChecked(), self.predictions.picked
        with reported():
            if name == "reject" and picked is not None:
                told(self.predictions.reject(picked, overwrite=overwrite), "rejected")
            elif name == "accept" and picked is not None:
                told(self.predictions.accept(picked, overwrite=overwrite), "accepted")
            elif name in ("box", "all"):
                told(self.predictions.accept(in_box=name == "box", overwrite=overwrite), "accepted")

    def _on_step(self, name: str) -> None:
        with reported():
            (self.predictions.proof.undo if name == "undo" else self.predictions.proof.redo)()

    def _on_take(self, what: str) -> None:
        overwrite = self.view.object.overwrite.isChecked()
        ids = self.predictions.proof.corrected_ids().tolist() if what == "corrected" else None
        with reported():
            told(self.predictions.accept(ids=ids, in_box=what == "box", overwrite=overwrite), "taken over")

    def _on_predict(self, where: Any) -> None:
        model, image = self.predictions.model, self._image()
        if model is None or image is None:
            report("Choose a model and an image first.")
            return
        with reported():
            self.predictions.runs.start(model, image, where)

    def _on_answer(self, begins: bool) -> None:
        with reported():
            (self.predictions.runs.confirm if begins else self.predictions.runs.decline)()

    def _on_run(self, key: str, action: str) -> None:
        runs = self.predictions.runs
        run = next((one for one in runs.all() if str(one.job.path) == key), None)
        if run is not None:
            with reported():
                {"pause": runs.pause, "resume": runs.resume, "stop": runs.stop, "forget": runs.forget}[action](run)
