"""What the Models dock looks like: it shows what it is given, and says what was pressed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QSplitter,
    QTabWidget,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from ..buttons import push_button, push_buttons
from .card_text import NOTHING
from .compare_view import CompareView
from .listing import Listed
from .table import ModelTable

EMPTY = "No model here. Train one, or press Import… for a model that somebody gave you."
_BUTTONS = {
    "use": ("&Use", "Predict with this model in the Review dock."),
    "evaluate": ("E&valuate", "Say how good it is, box by box, in the Evaluate dock."),
    "compare": ("&Compare", "Compare the selected models on the boxes that all were evaluated on."),
    "activate": ("&Set active", "Have the name alone mean this version, for the command line and for trainings."),
    "keep": ("&Add to store", "Copy the model of a training, or a starter model, into the store as a new version."),
    "rename": ("Re&name…", "Give the model another name; jobs that know the old one still find it."),
    "tag": ("&Tags…", "Words to find versions by."),
    "comment": ("C&omment…", "Say something about this version, in place of the comment on its card."),
    "archive": ("A&rchive", "Put versions away: they stay, and are not offered any more. Again brings them back."),
    "delete": ("&Delete", "Move versions to the trash, where they stay for 30 days. Undo brings them back."),
    "import": ("&Import…", "Add a model that came as a file: one of this program, of the BioImage Model Zoo, or of "
               "Cellpose."),
    "export": ("E&xport…", "Write this model as one file: for a colleague, the BioImage Model Zoo, or Cellpose."),
}  # fmt: skip


class ModelsView(QWidget):
    """The table, buttons for what is selected, the card, and the comparison.

    Signals
    -------
    selected : list of Path
        Folders of the models that are selected.
    pressed : str
        The name of a button: use, evaluate, compare, activate, keep, rename, tag, comment, archive, delete, import,
        export, undo.
    filtered
        What is looked for has changed; see `wanted`.
    """

    selected = Signal(list)
    pressed = Signal(str)
    filtered = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.look_for = QLineEdit()
        self.look_for.setPlaceholderText("Find by name, tag, task or comment")
        self.look_for.setToolTip("Only models in which all of these words occur are shown.")
        self.look_for.setClearButtonEnabled(True)
        self.archived = QCheckBox("Archived")
        self.archived.setToolTip("Show versions that were put away, too.")
        self.table = ModelTable()
        self.empty = QLabel(EMPTY)
        self.empty.setWordWrap(True)
        self.busy = QLabel()
        self.busy.hide()
        self.undo = push_button("Un&do", "Undo what was done last.", lambda: self.pressed.emit("undo"))
        self.undo_text = QLabel()
        self.undo_text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.undo_text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.buttons = push_buttons(_BUTTONS, self.pressed.emit)
        self.card = QTextBrowser()
        self.card.setOpenLinks(False)
        self.card.setAccessibleName("Card of the model")
        self.comparison = CompareView()
        self.tabs = QTabWidget()
        self.tabs.addTab(self.card, "Card")
        self.tabs.addTab(self.comparison, "Comparison")
        self._lay_out()
        self.table.valueChanged.connect(self.selected)
        self.look_for.textChanged.connect(lambda: self.filtered.emit())
        self.archived.toggled.connect(lambda: self.filtered.emit())
        self.set_card("")
        self.set_actions(frozenset())
        self.set_undo("")
        self.set_rows([])

    def wanted(self) -> tuple[str, bool]:
        """Return the words that are looked for, and whether archived versions are shown."""
        return self.look_for.text(), self.archived.isChecked()

    def value(self) -> list[Path]:
        """Return the folders of the selected models."""
        return self.table.value()

    def setValue(self, folders: Sequence[Path]) -> None:
        """Select models."""
        self.table.setValue(folders)

    def set_rows(self, rows: Sequence[Listed]) -> None:
        """Show these models."""
        self.table.set_rows(rows)
        self.empty.setVisible(not rows)

    def set_actions(self, allowed: frozenset[str], bring_back: bool = False) -> None:
        """Allow these buttons; the one for archiving may bring back instead."""
        for name, button in self.buttons.items():
            button.setEnabled(name in allowed)
        self.buttons["archive"].setText("Bring &back" if bring_back else "A&rchive")

    def set_card(self, text: str) -> None:
        """Show a card."""
        self.card.setHtml(text or f"<p>{NOTHING}</p>")

    def set_undo(self, text: str) -> None:
        """Say what Undo would undo; empty for nothing."""
        self.undo.setEnabled(bool(text))
        self.undo_text.setText(f"Last: {text}" if text else "")
        self.undo_text.setToolTip(text)

    def set_busy(self, text: str) -> None:
        """Say what takes a while; empty when it has ended."""
        self.busy.setText(text)
        self.busy.setVisible(bool(text))

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.look_for, 1)
        top.addWidget(self.archived)
        grid = QGridLayout()
        grid.setSpacing(4)
        for number, button in enumerate(self.buttons.values()):
            grid.addWidget(button, number // 4, number % 4)
        last = QHBoxLayout()
        last.addWidget(self.undo)
        last.addWidget(self.undo_text, 1)
        below = QWidget()
        lower = QVBoxLayout(below)
        lower.setContentsMargins(0, 0, 0, 0)
        lower.addLayout(grid)
        lower.addLayout(last)
        lower.addWidget(self.busy)
        lower.addWidget(self.tabs, 1)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self.table)
        splitter.addWidget(below)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([190, 330])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(top)
        layout.addWidget(self.empty)
        layout.addWidget(splitter, 1)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
