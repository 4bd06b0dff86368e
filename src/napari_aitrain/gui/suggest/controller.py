"""Connects the Label next dock to the suggestions of the session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...suggestions.retraining import RetrainPolicy
from ..notify import report, reported
from ..review.again import why_no_model
from ..train.models import known_models
from .rows import row_of, told

if TYPE_CHECKING:
    from ..session import Session
    from .view import SuggestView


class SuggestController:
    """Shows the suggestions, and does what is pressed.

    Parameters
    ----------
    session : Session
        Of the window.
    view : SuggestView
        Where it is shown.
    """

    def __init__(self, session: Session, view: SuggestView) -> None:
        self.session, self.view, self.suggestions = session, view, session.suggestions
        self._model: Path | None = None
        self._image = ""
        layers = session.viewer.layers.events
        self._signals: tuple[tuple[Any, Any], ...] = (
            (self.suggestions.changed, self._show), (self.suggestions.retraining.changed, self._show_policy),
            (session.predictions.runs.changed, self._show_question), (session.jobs.added, self._on_models),
            (session.jobs.changed, self._on_models), (session.jobs.removed, self._on_models),
            (session.jobs.closed, self.close), (session.saver.saved, self._on_saved),
        )  # fmt: skip
        for signal, slot in self._signals:
            signal.connect(slot)
        self._events: tuple[Any, ...] = (layers.inserted, layers.removed, layers.renamed)
        for event in self._events:
            event.connect(self._show_images)
        self._connect_view()
        queue = self.suggestions.queue
        if queue is not None:
            view.setValue(queue.state.settings)
            self._model = Path(queue.state.model) if queue.state.model else None
        self._known = None if queue is None else queue.folder
        self._show_models()
        self._show_images()
        self._show()
        self._show_question()
        self.suggestions.retraining.count()

    def close(self) -> None:
        """Let go of the session; the queue stays."""
        for signal, slot in self._signals:
            signal.disconnect(slot, missing_ok=True)
        for event in self._events:
            event.disconnect(self._show_images)
        self._events = ()

    def _connect_view(self) -> None:
        view = self.view
        view.model_chosen.connect(self._on_model)
        view.image_chosen.connect(self._on_image)
        view.find_pressed.connect(self._on_find)
        view.cancel_pressed.connect(self.suggestions.cancel)
        view.answered.connect(self._on_answer)
        view.step_pressed.connect(self._on_step)
        view.place_chosen.connect(self._on_place)
        view.map_toggled.connect(self._on_map)
        view.policy.changed.connect(self._on_policy)
        view.policy.train_pressed.connect(self._on_train)

    # What is shown

    def _show_models(self) -> None:
        models = known_models(self.session.jobs)
        folders = [folder for _, folder in models]
        if self._model not in folders:
            self._model = next(iter(folders), None)
        self.view.set_models(models, self._model)
        self._allow()

    def _show_images(self, *_: object) -> None:
        own = self.suggestions.map.layer
        layers = [layer for layer in self.session.viewer.layers if layer._type_string == "image" and layer is not own]
        live = self.session.predictions.live.map_layers()
        names = [layer.name for layer in layers if layer not in live]
        if self._image not in names:
            truth = self.session.truths.current
            self._image = truth.image if truth is not None and truth.image in names else next(iter(names), "")
        self.view.set_images(names, self._image)
        self._allow()

    def _allow(self) -> None:
        why = "Open an image first." if not self._image else why_no_model(self.session, self._model)
        self.view.set_findable("" if self.suggestions.doing else why)

    def _show(self) -> None:
        suggestions, view = self.suggestions, self.view
        view.set_busy(suggestions.doing, *suggestions.progress)
        view.set_trouble(suggestions.trouble)
        queue, current = suggestions.queue, suggestions.current
        rows = [] if queue is None else queue.all
        here = "" if current is None else current.id
        view.set_places([row_of(one, n, one.id == here) for n, one in enumerate(rows, start=1)], here)
        number = next((n for n, one in enumerate(rows, start=1) if one.id == here), 0)
        left = 0 if queue is None else len(queue.open())
        view.set_step(told(current, number, left, len(rows) - left), left > 0, current is not None)
        view.set_verdict("" if queue is None or not rows else queue.verdict().sentence)
        view.set_map(suggestions.answer is not None, suggestions.map.present)
        self._allow()
        self._show_policy()

    def _show_policy(self) -> None:
        retraining = self.suggestions.retraining
        can = not why_no_model(self.session, self._model)
        self.view.set_policy(retraining.policy, retraining.text, retraining.due, can)

    def _show_question(self) -> None:
        asked = self.session.predictions.runs.asked
        self.view.set_question("" if asked is None else asked.text(), asked is not None and asked.fits)

    # What is done

    def _on_models(self, *_: object) -> None:
        self._show_models()

    def _on_saved(self) -> None:
        queue = self.suggestions.queue
        folder = None if queue is None else queue.folder
        if folder != self._known:
            self._known = folder
            self._show()

    def _on_model(self, model: Path) -> None:
        self._model = model
        self._allow()
        self._show_policy()

    def _on_image(self, name: str) -> None:
        self._image = name

    def _on_find(self) -> None:
        layers = self.session.viewer.layers
        if self._model is None or self._image not in layers:
            report("Choose a model and an image first.")
            return
        with reported():
            self.suggestions.find(self._model, layers[self._image], self.view.value())

    def _on_answer(self, begins: bool) -> None:
        runs = self.session.predictions.runs
        with reported():
            (runs.confirm if begins else runs.decline)()
        if not begins:
            self.suggestions.cancel()

    def _on_step(self, name: str) -> None:
        with reported():
            if name == "next":
                self.suggestions.go_next()
            elif name == "skip":
                self.suggestions.skip()
                self.suggestions.go_next()
            else:
                self.suggestions.done(self.view.dense.isChecked())

    def _on_place(self, key: str) -> None:
        with reported():
            self.suggestions.go_to(key)

    def _on_map(self, shown: bool) -> None:
        with reported():
            self.suggestions.show_map(shown)

    def _on_policy(self, policy: RetrainPolicy) -> None:
        with reported():
            self.suggestions.retraining.set_policy(policy)
        self._show_policy()

    def _on_train(self) -> None:
        with reported():
            if self._model is not None:
                self.suggestions.need_queue().set(model=str(self._model))
            self.suggestions.retraining.train()
