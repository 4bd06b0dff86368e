"""The models of a session: read beside the window, changed, and changed back; free of widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from ...errors import AitrainError
from ...evaluation.side_by_side import SideBySide, side_by_side
from ...jobs.evaluated import evaluation_of
from ...models import (
    archive_model,
    comment_model,
    delete_model,
    import_model,
    rename_model,
    restore_deleted,
    tag_model,
    versions_of,
)
from ...models.changes import choose_active
from ...models.state import read_state
from ..aside import Aside
from ..notify import inform, report
from .listing import Listed, list_all
from .program import run_program

if TYPE_CHECKING:
    from ..session import Session

MOST_UNDONE = 30


@dataclass(frozen=True)
class Step:
    """Something that was done, and how it is undone."""

    text: str
    undo: Callable[[], object]


class StoredModels:
    """Every model there is, and what is done to those of the store.

    Parameters
    ----------
    session : Session
        Of the window.

    Signals
    -------
    changed
        The list is another one.
    busy : str
        What is being done that takes long; empty when it has ended.
    compared : SideBySide
        What was to be compared.
    """

    changed = Signal()
    busy = Signal(str)
    compared = Signal(object)

    def __init__(self, session: Session) -> None:
        self._session = session
        self._aside: Aside[Any] = Aside()
        self._reading = self._again = False
        self.rows: list[Listed] = []
        self.steps: list[Step] = []

    def close(self) -> None:
        """Drop what has not been answered yet."""
        self._aside.close()

    def read(self) -> None:
        """Read the list anew, in a thread."""
        if self._reading:
            self._again = True
            return
        self._reading, self._again = True, False
        jobs = self._session.jobs
        trained = [(job.name, job.model) for job in jobs.all() if jobs.kind(job) == "training"]
        self._aside.run(partial(list_all, trained), self._have, self._failed_reading)

    def of(self, folder: Path) -> Listed | None:
        """Return the model in a folder."""
        return next((row for row in self.rows if row.folder == folder), None)

    def activate(self, row: Listed) -> None:
        """Have a name mean this version."""
        before = read_state(row.folder.parent).active
        assert row.number is not None
        choose_active(row.name, row.number)
        self._did(Step(f"{row.name} means v{row.number}", partial(choose_active, row.name, before)))

    def rename(self, row: Listed, name: str, alone: bool) -> None:
        """Rename a model, or make one version the next of another name."""
        if alone:
            (moved,) = rename_model(row.reference, name)
            back: Callable[[], object] = partial(rename_model, moved.reference, row.name)
            self._did(Step(f"{row.label} is now {moved.name} v{moved.number}", back))
            return
        new = rename_model(row.name, name)[0].name
        self._did(Step(f"{row.name} is now {new}", partial(rename_model, new, row.name)))

    def tag(self, rows: Sequence[Listed], tags: Sequence[str]) -> None:
        """Give versions these tags and no others."""
        undo = []
        for row in rows:
            tag_model(row.reference, tags, [tag for tag in row.tags if tag not in tags])
            undo.append(partial(tag_model, row.reference, row.tags, [tag for tag in tags if tag not in row.tags]))
        self._did(Step(f"tags of {_said(rows)}", partial(_all, undo)))

    def comment(self, row: Listed, text: str) -> None:
        """Say something about a version."""
        state = next(v.state for v in versions_of(row.name) if v.number == row.number)
        comment_model(row.reference, text)
        self._did(Step(f"comment on {row.label}", partial(comment_model, row.reference, state.comments or "")))

    def archive(self, rows: Sequence[Listed], archived: bool) -> None:
        """Put versions away, or bring them back."""
        undo: list[Callable[[], object]] = []
        for row in rows:
            active = read_state(row.folder.parent).active
            archive_model(row.reference, archived)
            undo.append(partial(archive_model, row.reference, not archived))
            if archived and active == row.number:
                undo.append(partial(choose_active, row.name, active))
        self._did(Step(f"{_said(rows)} {'archived' if archived else 'brought back'}", partial(_all, undo)))

    def delete(self, rows: Sequence[Listed]) -> None:
        """Move versions to the trash; one that somebody else has just deleted is told, and the others go."""
        gone = []
        for row in rows:
            try:
                gone += delete_model(row.reference)
            except AitrainError as error:
                report(error)
        if gone:
            text = ", ".join(entry.reference for entry in gone)
            self._did(Step(f"{text} deleted", partial(_all, [partial(restore_deleted, entry) for entry in gone])))
        else:
            self.read()

    def undo(self) -> None:
        """Undo what was done last.

        Raises
        ------
        AitrainError
            If it cannot be, as when somebody else has emptied the trash.
        """
        if self.steps:
            step = self.steps.pop()
            try:
                step.undo()
            finally:
                self.read()

    def keep(self, row: Listed) -> None:
        """Copy the model of a job, or a starter model, into the store."""
        self._work(f"Copying {row.label}…", partial(import_model, row.folder), self._kept)

    def take(self, path: Path) -> None:
        """Put a model that is a file into the store."""
        arguments = ["models", "import", str(path), "--yes"]
        self._work(f"Reading {path.name}…", partial(run_program, arguments), self._taken)

    def export(self, row: Listed, path: Path, kind: str, options: Sequence[str] = ()) -> None:
        """Write a model as a file of a kind."""
        arguments = ["models", "export", row.reference, str(path), "--format", kind, *options]
        self._work(f"Writing {path.name}…", partial(run_program, arguments), self._exported)

    def compare(self, rows: Sequence[Listed], role: Any = None) -> None:
        """Compare models by their newest evaluations."""

        def compared() -> SideBySide:
            found = [evaluation_of(row.folder) for row in rows]
            return side_by_side(found, role, [row.label for row in rows])

        self._work("Comparing…", compared, self.compared.emit)

    def _did(self, step: Step) -> None:
        self.steps = [*self.steps, step][-MOST_UNDONE:]
        self.changed.emit()
        self.read()

    def _have(self, rows: list[Listed]) -> None:
        self._reading = False
        self.rows = rows
        self.changed.emit()
        if self._again:
            self.read()

    def _failed_reading(self, error: AitrainError) -> None:
        self._reading = False
        report(error)

    def _work(self, text: str, work: Callable[[], Any], then: Callable[[Any], object]) -> None:
        self.busy.emit(text)

        def done(result: Any) -> None:
            self.busy.emit("")
            then(result)

        def failed(error: AitrainError) -> None:
            self.busy.emit("")
            report(error)

        self._aside.run(work, done, failed)

    def _kept(self, model: Any) -> None:
        reference = f"{model.folder.parent.name}/{model.folder.name}"
        self._did(Step(f"{reference} added", partial(delete_model, reference)))

    def _taken(self, told: dict[str, Any]) -> None:
        inform("\n".join([f"Stored as {told['name']}", *told["notes"]]))
        self._did(Step(f"{told['name']} added", partial(delete_model, str(told["name"]))))

    def _exported(self, told: dict[str, Any]) -> None:
        inform("\n".join([f"Written: {told['file']}", *told["notes"]]))


def _said(rows: Sequence[Listed]) -> str:
    return rows[0].label if len(rows) == 1 else f"{len(rows)} models"


def _all(steps: Sequence[Callable[[], object]]) -> None:
    for step in reversed(steps):
        step()
