"""Asks whether a script may run: shows it, says what that means, and has it described beside the window."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QLabel, QPlainTextEdit, QProgressBar, QVBoxLayout, QWidget

from ...errors import AitrainError, ScriptNotTrustedError
from ...tasks.script_store import Script, find_script, forget_script, read_script, trust_script
from ..aside import Aside
from ..notify import report

WARNING = (
    "<b>{name} is a program.</b> It runs with your rights in the worker, whenever you train or predict with it: it can "
    "read, change, delete and send what you can. Let it run only if you have looked at it, or trust who wrote it. Any "
    "change of the file asks again."
)


class ScriptDialog(QDialog):
    """Shows a script and asks about it; nothing of it runs before *Let it run*.

    Parameters
    ----------
    path : Path
        The script.
    parent : QWidget, optional
        Over which it opens.

    Raises
    ------
    ConfigError
        If it cannot be read.
    """

    def __init__(self, path: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        content, sha256 = read_script(path)
        self._path, self._wanted = path, True
        self._aside: Aside[Script] = Aside()
        self.setWindowTitle("A script as a task")
        text = QLabel(WARNING.format(name=path.name))
        text.setWordWrap(True)
        self.code = QPlainTextEdit(content.decode("utf-8"))
        self.code.setReadOnly(True)
        self.code.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.code.setAccessibleName("The script")
        self.where = QLabel(f"{path}\nChecksum {sha256[:16]}…")
        self.where.setToolTip(f"SHA-256 {sha256}")
        self.where.setWordWrap(True)
        self.trouble = QLabel()
        self.trouble.setWordWrap(True)
        self.trouble.hide()
        self.busy = QProgressBar()
        self.busy.setRange(0, 0)
        self.busy.setAccessibleName("The script is asked what its task is")
        self.busy.hide()
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        run = buttons.addButton("&Let it run", QDialogButtonBox.ButtonRole.AcceptRole)
        cancel = buttons.button(QDialogButtonBox.StandardButton.Cancel)
        assert run is not None and cancel is not None
        self.run = run
        self.run.setToolTip(
            "Remember this content on this computer, and ask it what its task is, in a process of its own."
        )
        # Enter must not agree by mistake.
        self.run.setAutoDefault(False)
        cancel.setDefault(True)
        self.run.clicked.connect(self._on_run)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(text)
        layout.addWidget(self.code, 1)
        for widget in (self.where, self.trouble, self.busy, buttons):
            layout.addWidget(widget)
        self.resize(620, 460)

    def done(self, result: int) -> None:
        """Close; what is still being asked is of no use any more."""
        self._aside.close()
        self._wanted = result == QDialog.DialogCode.Accepted
        super().done(result)

    def _on_run(self) -> None:
        self.run.setEnabled(False)
        self.trouble.hide()
        self.busy.show()
        self._aside.run(self._agree, lambda _script: self.accept(), self._on_failed)

    def _agree(self) -> Script:
        script = trust_script(self._path)
        # In the thread: the dialog may have been closed while the script was asked.
        if not self._wanted:
            forget_script(script.sha256)
        return script

    def _on_failed(self, error: AitrainError) -> None:
        self.busy.hide()
        self.run.setEnabled(True)
        self.trouble.setText(str(error))
        self.trouble.show()


def agree_to(path: Path, parent: QWidget | None) -> bool:
    """Ask whether a script may run, unless this was said before; return the answer."""
    try:
        find_script(str(path))
        return True
    except ScriptNotTrustedError:
        pass
    except AitrainError as error:
        report(error)
        return False
    try:
        dialog = ScriptDialog(path, parent)
    except AitrainError as error:
        report(error)
        return False
    accepted = dialog.exec() == QDialog.DialogCode.Accepted
    dialog.deleteLater()
    return bool(accepted)
