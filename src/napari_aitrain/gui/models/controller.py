"""Connects the Models dock to the models of the session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QDialog, QFileDialog, QInputDialog, QMessageBox

from ...evaluation.side_by_side import SideBySide
from ...models.incoming import kind_of
from ...models.one_file import SUFFIX, is_remote
from ...models.versions import safe_name
from ..jobs.use import open_dock
from ..notify import inform, reported
from .card_text import card_html
from .export_dialog import ExportDialog
from .listing import Listed
from .stored_models import StoredModels

if TYPE_CHECKING:
    from ..session import Session
    from .view import ModelsView

LOOK_AGAIN = 20_000
"""Milliseconds after which the list is read anew, since others may use the store too."""


class ModelsController:
    """Shows what models there are, and does what is pressed.

    Parameters
    ----------
    session : Session
        Of the window.
    view : ModelsView
        Where it is shown.
    """

    def __init__(self, session: Session, view: ModelsView) -> None:
        self.session, self.view = session, view
        self.models = StoredModels(session)
        self._timer = QTimer(view)
        self._timer.setInterval(LOOK_AGAIN)
        self._timer.timeout.connect(self._look_again)
        self._signals: tuple[tuple[Any, Any], ...] = (
            (self.models.changed, self._show),
            (self.models.busy, view.set_busy),
            (self.models.compared, self._compared),
            (session.jobs.changed, self._on_job),
            (session.jobs.removed, self._on_job),
            (session.jobs.closed, self.close),
        )
        for signal, slot in self._signals:
            signal.connect(slot)
        view.selected.connect(lambda _: self._chosen())
        view.pressed.connect(self.press)
        view.filtered.connect(self._show)
        view.comparison.role_changed.connect(lambda _: self._compare_again())
        view.comparison.saved.connect(self._save_comparison)
        self._compared_rows: list[Listed] = []
        self.models.read()
        self._timer.start()

    def close(self) -> None:
        """Let go of the session."""
        self._timer.stop()
        for signal, slot in self._signals:
            signal.disconnect(slot, missing_ok=True)
        self.models.close()

    def press(self, name: str) -> None:
        """Do what a button says."""
        with reported():
            getattr(self, f"_{name}")(self.rows())

    def rows(self) -> list[Listed]:
        """Return the models that are selected."""
        found = (self.models.of(folder) for folder in self.view.value())
        return [row for row in found if row is not None]

    def _show(self) -> None:
        text, archived = self.view.wanted()
        self.view.set_rows([row for row in self.models.rows if (archived or not row.archived) and row.matches(text)])
        self.view.set_undo(self.models.steps[-1].text if self.models.steps else "")
        self._chosen()

    def _chosen(self) -> None:
        rows = self.rows()
        self.view.set_card(card_html(rows[0]) if len(rows) == 1 else "")
        stored = bool(rows) and all(row.origin == "store" for row in rows)
        allowed = {"import"}
        if len(rows) == 1:
            whole = rows[0].card is not None
            allowed |= {"use", "evaluate", "export"} if whole else set()
            allowed |= {"activate", "rename", "comment"} if stored else ({"keep"} if whole else set())
        if stored:
            allowed |= {"tag", "archive", "delete"}
        if len(rows) > 1:
            allowed.add("compare")
        self.view.set_actions(frozenset(allowed), stored and all(row.archived for row in rows))

    def _look_again(self) -> None:
        if self.view.isVisible():
            self.models.read()

    def _on_job(self, *_: Any) -> None:
        self.models.read()

    def _use(self, rows: list[Listed]) -> None:
        open_dock(self.session, "Review")
        self.session.predictions.set_model(rows[0].folder)

    def _evaluate(self, rows: list[Listed]) -> None:
        models = open_dock(self.session, "Evaluate").view.ask.models
        offered = [models.itemData(number) for number in range(models.count())]
        if rows[0].folder in offered:
            models.setCurrentIndex(offered.index(rows[0].folder))

    def _activate(self, rows: list[Listed]) -> None:
        self.models.activate(rows[0])

    def _keep(self, rows: list[Listed]) -> None:
        self.models.keep(rows[0])

    def _rename(self, rows: list[Listed]) -> None:
        row = rows[0]
        name, ok = QInputDialog.getText(self.view, "Rename", f"New name of {row.name}:", text=row.name)
        if not ok or not name.strip() or name.strip() == row.name:
            return
        taken = [other for other in self.models.rows if other.origin == "store" and other.name == safe_name(name)]
        alone = bool(taken)
        if alone:
            asked = f"There is a model {name} already. Make {row.label} its next version?"
            if QMessageBox.question(self.view, "Rename", asked) != QMessageBox.StandardButton.Yes:
                return
        self.models.rename(row, name.strip(), alone)

    def _tag(self, rows: list[Listed]) -> None:
        text, ok = QInputDialog.getText(self.view, "Tags", "Tags, with commas between:", text=", ".join(rows[0].tags))
        if ok:
            self.models.tag(rows, [tag.strip() for tag in text.split(",") if tag.strip()])

    def _comment(self, rows: list[Listed]) -> None:
        text, ok = QInputDialog.getMultiLineText(self.view, "Comment", f"On {rows[0].label}:", rows[0].comments)
        if ok:
            self.models.comment(rows[0], text)

    def _archive(self, rows: list[Listed]) -> None:
        self.models.archive(rows, not all(row.archived for row in rows))

    def _delete(self, rows: list[Listed]) -> None:
        self.models.delete(rows)

    def _undo(self, _: list[Listed]) -> None:
        self.models.undo()

    def _import(self, _: list[Listed]) -> None:
        kinds = f"Models (*.zip *{SUFFIX});;All files (*)"
        chosen, _kind = QFileDialog.getOpenFileName(self.view, "Import a model", "", kinds)
        if chosen:
            self.take(Path(chosen))

    def take(self, path: Path) -> None:
        """Import a model; if it runs on a server, a person is asked first."""
        if kind_of(path) == "one-file" and is_remote(path):
            asked = "This model runs on a server, to which images would be sent. Import it?"
            if QMessageBox.question(self.view, "Import", asked) != QMessageBox.StandardButton.Yes:
                return
        self.models.take(path)

    def _export(self, rows: list[Listed]) -> None:
        row = rows[0]
        dialog = ExportDialog(row, self.view)
        if dialog.exec() != QDialog.DialogCode.Accepted:
            return
        name = safe_name(row.label.replace(" v", "-v"))
        suggested = name + {"aitrain": SUFFIX, "bioimageio": ".bioimageio.zip", "cellpose": ""}[dialog.kind]
        chosen, _ = QFileDialog.getSaveFileName(
            self.view, f"Export {row.label}", suggested, options=QFileDialog.Option.DontConfirmOverwrite
        )
        if chosen:
            self.models.export(row, Path(chosen), dialog.kind, dialog.options())

    def _compare(self, rows: list[Listed]) -> None:
        self._compared_rows = rows
        self._compare_again()

    def _compare_again(self) -> None:
        if self._compared_rows:
            role = self.view.comparison.roles.currentData() or None
            self.models.compare(self._compared_rows, role)

    def _compared(self, found: SideBySide) -> None:
        self.view.comparison.setValue(found)
        self.view.tabs.setCurrentWidget(self.view.comparison)

    def _save_comparison(self) -> None:
        from ...evaluation.model_tables import as_csv
        from ...volumes.atomic import atomic_write_text

        found = self.view.comparison.value()
        if found is None:
            return
        chosen, _ = QFileDialog.getSaveFileName(
            self.view, "Save the comparison", "comparison.csv", options=QFileDialog.Option.DontConfirmOverwrite
        )
        if chosen:
            with reported():
                atomic_write_text(Path(chosen), as_csv(found.rows()), overwrite=False)
                inform(f"Written: {chosen}")
