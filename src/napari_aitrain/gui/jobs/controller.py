"""Connects the Jobs dock to the jobs of the session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QMessageBox

from ...inference.info import INFO
from ...jobs import ENDED, Event, JobFolder
from ...jobs.queue import waiting_jobs
from ...models.folder import CARD
from ...volumes.atomic import atomic_write_text
from ..notify import report, reported
from .digest import Digest
from .places import shown_name
from .table import JobRow
from .use import train_again, use_model

if TYPE_CHECKING:
    from ..session import Session
    from .view import JobsView

_PREPARING = "preparing"


class JobsController:
    """Shows what the center says, and does what is pressed.

    Parameters
    ----------
    session : Session
        Whose jobs are meant.
    view : JobsView
        Where they are shown.
    """

    def __init__(self, session: Session, view: JobsView) -> None:
        self.session, self.view = session, view
        self._jobs: dict[str, JobFolder] = {}
        self._lines = 0
        self._places: dict[str, int] = {}
        self._signals = (
            (session.jobs.added, self._on_added),
            (session.jobs.changed, self._on_changed),
            (session.jobs.event, self._on_event),
            (session.jobs.removed, self._on_removed),
            (session.jobs.closed, self.close),
        )
        for signal, slot in self._signals:
            signal.connect(slot)
        view.selected.connect(self._on_selected)
        view.pressed.connect(self._on_pressed)
        view.log.save_requested.connect(self._save_log)
        self._show_all()

    def close(self) -> None:
        """Let go of the session; the jobs go on."""
        for signal, slot in self._signals:
            signal.disconnect(slot, missing_ok=True)

    @property
    def job(self) -> JobFolder | None:
        """The job that is looked at."""
        return self._jobs.get(self.view.table.value())

    def _show_all(self) -> None:
        jobs = self.session.jobs.all()
        selected = self.view.table.value()
        self._jobs = {str(job.path): job for job in jobs}
        self._count_queue()
        self.view.set_empty(not jobs)
        self.view.table.set_rows([self._row(job) for job in jobs])
        if jobs and selected not in self._jobs:
            self.view.table.setValue(str(jobs[0].path))

    def _count_queue(self) -> None:
        waits = any(self.session.jobs.state(job) == "queued" for job in self.session.jobs.running())
        queue = waiting_jobs() if waits else []
        before, self._places = self._places, {str(job.path): number for number, job in enumerate(queue, start=1)}
        for key in (before.keys() | self._places.keys()) & self._jobs.keys():
            if before.get(key) != self._places.get(key):
                self.view.table.set_row(self._row(self._jobs[key]))
        if before != self._places and self.job is not None:
            self.view.set_actions(self._actions(self.job))

    def _row(self, job: JobFolder) -> JobRow:
        digest, state = self.session.jobs.digest(job), self.session.jobs.state(job)
        told = _PREPARING if self.session.jobs.preparing(job) else state
        if told == "queued" and (place := self._places.get(str(job.path))):
            told = f"queued, {place}."
        return JobRow(
            key=str(job.path),
            name=shown_name(job.name),
            state=told,
            percent=100 if state == "done" else digest.percent(),
            progress=digest.stage or (f"step {digest.step}" if digest.step else ""),
            left="" if state in ENDED else digest.time_left(),
            best="" if digest.best is None else f"{digest.best:.3f}",
            tooltip=f"{digest.failure}\n{job.path}".strip(),
        )

    def _on_added(self, job: JobFolder) -> None:
        self._show_all()
        if self.session.jobs.preparing(job):
            self.view.table.setValue(str(job.path))

    def _on_removed(self, _path: Path) -> None:
        self._show_all()

    def _on_changed(self, job: JobFolder) -> None:
        self._count_queue()
        self.view.table.set_row(self._row(job))
        if job == self.job:
            self._show_job()

    def _on_event(self, job: JobFolder, event: Event) -> None:
        # A job that waits says for whom whenever that changes.
        if event.kind == "log" and self.session.jobs.state(job) == "queued":
            self._count_queue()
        self.view.table.set_row(self._row(job))
        if job == self.job:
            digest = self.session.jobs.digest(job)
            for line in digest.lines[self._lines :]:
                self.view.log.append(line)
            self._lines = len(digest.lines)
            if event.kind in ("progress", "metrics"):
                self.view.set_curves(digest.losses, digest.scores)

    def _on_selected(self, _key: str) -> None:
        self._show_job()

    def _show_job(self) -> None:
        job = self.job
        digest = Digest() if job is None else self.session.jobs.digest(job)
        self.view.set_trouble("" if job is None else self._trouble(job, digest))
        self.view.set_curves(digest.losses, digest.scores)
        self.view.log.setValue(digest.lines)
        self._lines = len(digest.lines)
        self.view.set_actions(frozenset() if job is None else self._actions(job))

    def _trouble(self, job: JobFolder, digest: Digest) -> str:
        if self.session.jobs.state(job) == "interrupted":
            return "The worker ended without a word. Press Resume to go on from the last checkpoint."
        return digest.failure

    def _actions(self, job: JobFolder) -> frozenset[str]:
        state, runs = self.session.jobs.state(job), job in self.session.jobs.running()
        allowed = {"open", "remove", "again"}
        if runs and state == "queued" and not self.session.jobs.preparing(job):
            place = self._places.get(str(job.path), 0)
            allowed |= {"back"} | ({"up"} if place > 1 else set()) | ({"down"} if place < len(self._places) else set())
        elif runs:
            allowed |= {"stop"} if state != "stopping" else set()
            allowed |= {"pause"} if state == "running" else {"resume"} if state == "paused" else set()
        elif state != "done":
            allowed.add("resume")
        if any(path.is_file() for path in (job.model / CARD, job.prediction / INFO, job.evaluation)):
            allowed.add("use")
        return frozenset(allowed)

    def _on_pressed(self, name: str) -> None:
        job = self.job
        if job is None:
            return
        does: dict[str, Any] = {
            "pause": self.session.jobs.pause,
            "resume": self.session.jobs.resume,
            "stop": self.session.jobs.stop,
            "back": self.session.jobs.stop,
            "up": lambda one: self.session.jobs.move(one, -1),
            "down": lambda one: self.session.jobs.move(one, 1),
            "remove": self._remove,
            "open": _open_folder,
            "again": lambda one: train_again(self.session, one),
            "use": lambda one: use_model(self.session, one),
        }
        with reported():
            does[name](job)
        if self.job == job:
            self.view.set_actions(
                self._actions(job) - {name} if name in ("pause", "stop", "back") else self._actions(job)
            )

    def _remove(self, job: JobFolder) -> None:
        text = f"Delete {job.path} with its model and everything it learned?"
        if job in self.session.jobs.running():
            text = f"{job.name} is running. Stop it, and delete {job.path} with everything it learned?"
        yes = QMessageBox.StandardButton.Yes
        if QMessageBox.question(self.view, "Remove the job", text) == yes:
            self.session.jobs.remove(job)

    def _save_log(self) -> None:
        job = self.job
        if job is None:
            return
        name, _ = QFileDialog.getSaveFileName(self.view, "Save the log", f"{job.name}.txt", "Text (*.txt)")
        if name:
            with reported():
                atomic_write_text(Path(name), self.view.log.value())


def _open_folder(job: JobFolder) -> None:
    if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(job.path))):
        report(f"No program opens folders here. The folder is {job.path}")
