"""Connects the saver of a session to its view."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog

from ..jobs.use import open_dock
from ..notify import reported
from .open_projects import base_folder, forgotten_project, let_go
from .project_view import ProjectView, ReopenView

if TYPE_CHECKING:
    from qtpy.QtWidgets import QVBoxLayout

    from ..session import Session


class ProjectController:
    """What the bottom of the dock does.

    Parameters
    ----------
    session : Session
        Whose saver is meant.
    view : ProjectView
        What it is shown in.
    top : QVBoxLayout
        Where the offer to reopen a project is put first.
    choose : callable, optional
        Asks a person for a folder; for tests.
    """

    def __init__(
        self,
        session: Session,
        view: ProjectView,
        top: QVBoxLayout,
        choose: Callable[[str], str] | None = None,
    ) -> None:
        self._session, self._view = session, view
        self._choose = choose or self._choose_folder
        view.open_asked.connect(self._open)
        view.retry_asked.connect(session.saver.flush)
        view.train_asked.connect(lambda: open_dock(session, "Train"))
        session.saver.saved.connect(self._on_saved)
        session.saver.failed.connect(self._on_failed)
        self._offer: ReopenView | None = None
        self._make_offer(top)
        if session.saver.problem:
            view.set_failed(session.saver.problem.splitlines()[0])
        elif session.saver.saved_at is not None:
            self._on_saved()

    @property
    def offer(self) -> ReopenView | None:
        """The offer to go on where napari ended, while it stands."""
        return self._offer

    def close(self) -> None:
        """Follow the session no longer."""
        self._session.saver.saved.disconnect(self._on_saved)
        self._session.saver.failed.disconnect(self._on_failed)

    def _make_offer(self, top: QVBoxLayout) -> None:
        folder = forgotten_project() if self._session.saver.project is None else None
        if folder is None:
            return
        self._offer = ReopenView(f"Napari ended unexpectedly while the project {folder.name} was open.")
        self._offer.reopen_asked.connect(lambda: self._reopen(folder))
        self._offer.dismissed.connect(lambda: self._dismiss(folder))
        top.insertWidget(0, self._offer)

    def _reopen(self, folder: Path) -> None:
        with reported():
            self._session.saver.open(folder)
        self._hide_offer()

    def _dismiss(self, folder: Path) -> None:
        let_go(folder)
        self._hide_offer()

    def _hide_offer(self) -> None:
        if self._offer is not None:
            self._offer.hide()
            self._offer.deleteLater()
            self._offer = None

    def _open(self) -> None:
        chosen = self._choose(str(base_folder()))
        if chosen:
            with reported():
                self._session.saver.open(Path(chosen))

    def _on_saved(self) -> None:
        project, at = self._session.saver.project, self._session.saver.saved_at
        if project is not None and at is not None:
            self._view.set_saved(time.strftime("%H:%M:%S", time.localtime(at)), str(project.folder))

    def _on_failed(self, text: str) -> None:
        self._view.set_failed(text.splitlines()[0])

    def _choose_folder(self, start: str) -> str:
        return str(QFileDialog.getExistingDirectory(self._view, "Open a project folder", start))
