"""Connects the dialog of remote models to those of the session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import AitrainError
from ...inference.remote import RemoteConfig, read_remote
from ...inference.remote.testing import Checked
from ...models import Model
from ...words import sentence
from ..notify import inform, reported
from .draft import Draft, draft_of
from .view import RemoteView

if TYPE_CHECKING:
    from ..session import Session

_NEW = RemoteConfig(url="https://new")


class RemoteController:
    """Shows remote models, and does what is pressed.

    Parameters
    ----------
    session : Session
        With its `remotes`.
    view : RemoteView
        Where they are shown.
    """

    def __init__(self, session: Session, view: RemoteView) -> None:
        self.session, self.remotes, self.view = session, session.remotes, view
        self.folder: Path | None = None
        self._signals = (
            (self.remotes.tested, self._on_tested),
            (self.remotes.saved, self._on_saved),
            (self.remotes.failed, self._on_failed),
            (self.remotes.busy, view.set_busy),
        )
        for signal, slot in self._signals:
            signal.connect(slot)
        view.chosen.connect(self.choose)
        view.test_requested.connect(self._on_test)
        view.stop_requested.connect(self._on_stop)
        view.save_requested.connect(lambda: self.remotes.save(view.value(), self.folder))
        view.classes_requested.connect(self._on_classes)
        self._list()
        self.choose(None)

    def close(self) -> None:
        """Let go of the session; a test that runs is given up."""
        self.remotes.stop()
        for signal, slot in self._signals:
            signal.disconnect(slot, missing_ok=True)

    def choose(self, folder: Path | None) -> None:
        """Show a model, or an empty form."""
        self.remotes.stop()
        self.folder = folder
        if folder is None:
            empty = draft_of("", _NEW)
            self.view.setValue(Draft("", {**empty.settings, "url": ""}), False)
            return
        with reported():
            self.view.setValue(draft_of(folder.parent.name, read_remote(folder)), True)

    def _list(self) -> None:
        with reported():
            models = self.remotes.all()
            named = [(f"{model.folder.parent.name} {model.folder.name}", model.folder) for model in models]
            self.view.set_models(named, self.folder)

    def _on_test(self) -> None:
        self.remotes.test(self.view.value(), self.folder)

    def _on_stop(self) -> None:
        self.remotes.stop()
        self.view.set_result("The test was stopped.")

    def _on_tested(self, checked: Checked) -> None:
        lines = [f"{'✓' if step.passed else '✗'} {step.what}" for step in checked.steps]
        if checked.error is not None:
            lines += [f"Expected: {checked.error.expected}"] if checked.error.expected else []
            lines += [f"What to do: {checked.error.remedy}"] if checked.error.remedy else []
        self.view.set_result("\n".join(lines))

    def _on_failed(self, error: AitrainError) -> None:
        self.view.set_result(sentence(str(error)))

    def _on_saved(self, model: Model) -> None:
        self.folder = model.folder
        self._list()
        with reported():
            self.view.setValue(draft_of(model.folder.parent.name, read_remote(model.folder)), True)
        self.view.set_result(f"Saved. Choose {model.folder.parent.name} in the Review dock to predict with it.")
        inform(f"The remote model {model.folder.parent.name} is in the model store.")

    def _on_classes(self) -> None:
        truth = self.session.truths.current
        classes = () if truth is None else truth.classes
        if not classes:
            self.view.set_result("There are no classes yet: make ground truth with classes in the Annotate dock.")
            return
        rows = [{"output": str(n), "id": one.id, "name": one.name} for n, one in enumerate(classes, start=1)]
        self.view.outputs.setValue(rows)
