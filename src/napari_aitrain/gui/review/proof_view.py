"""Buttons to merge and split segments, and to take them over as ground truth."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QAction, QKeyEvent  # type: ignore[attr-defined]
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QMenu, QPushButton, QVBoxLayout, QWidget

from ..buttons import push_button, push_buttons

_TOOLS = {
    "merge": ("Mer&ge two", "Click two objects that are one neuron: they are joined at every threshold."),
    "split": (
        "Spl&it",
        "Click two places of one object that belong to two neurons: the least sure merge between them is undone, at "
        "every threshold.",
    ),
}
_STEPS = {
    "undo": ("Un&do", "Take the last merge or split back. Ctrl+Z undoes painting, and never this."),
    "redo": ("Red&o", "Do again what was undone last."),
}
_TAKE = {
    "box": ("All objects in the selected &box", "Every object as it is seen at this threshold, as far as it lies in "
            "the box that is selected in the Annotate dock."),
    "corrected": ("&Corrected objects", "Every object that you merged or split, whole and as it is seen now."),
}  # fmt: skip
_NO_CORRECTIONS = "No corrections"


class ProofView(QWidget):
    """Tools to correct segments.

    Signals
    -------
    tool_chosen : object
        ``merge``, ``split``, or None when the tool is put back.
    pressed : str
        ``undo`` or ``redo``.
    take_requested : str
        What is to become ground truth: ``box`` or ``corrected``.
    escaped
        The key Escape was pressed here.
    """

    tool_chosen = Signal(object)
    pressed = Signal(str)
    take_requested = Signal(str)
    escaped = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tools = {name: QPushButton(text) for name, (text, _) in _TOOLS.items()}
        for name, tool in self.tools.items():
            tool.setCheckable(True)
            tool.clicked.connect(lambda on, name=name: self.tool_chosen.emit(name if on else None))
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.hint.setAccessibleName("Which click is expected")
        self.count = QLabel(_NO_CORRECTIONS)
        self.count.setToolTip("Merges and splits of this prediction. They are kept in its folder, beside the result.")
        self.steps = push_buttons(_STEPS, self.pressed.emit)
        self.take = push_button(
            "Ta&ke over as ground truth",
            "Write objects into the ground truth layer, for the next training to learn from.",
        )
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        self.taking: dict[str, QAction] = {}
        for name, (text, tip) in _TAKE.items():
            action = self.taking[name] = QAction(text, menu)
            action.setToolTip(tip)
            action.triggered.connect(lambda _on=False, name=name: self.take_requested.emit(name))
            menu.addAction(action)
        self.take.setMenu(menu)
        self._lay_out()
        self.set_tool(None, "")
        self.set_usable("")

    def set_tool(self, kind: str | None, hint: str) -> None:
        """Show which tool is in hand, and which click it expects."""
        for name, tool in self.tools.items():
            tool.setChecked(name == kind)
        self.hint.setText(hint)
        self.hint.setVisible(bool(hint))

    def set_usable(self, why_not: str) -> None:
        """Allow the tools, or say why not."""
        for name, (_, tip) in _TOOLS.items():
            self.tools[name].setEnabled(not why_not)
            self.tools[name].setToolTip(why_not or tip)

    def set_corrections(self, count: int, can_redo: bool) -> None:
        """Say how many corrections there are, and allow undo and redo."""
        self.count.setText(f"{count:,} correction{'s' if count > 1 else ''}" if count else _NO_CORRECTIONS)
        self.steps["undo"].setEnabled(count > 0)
        self.steps["redo"].setEnabled(can_redo)

    def set_takes(self, allowed: frozenset[str]) -> None:
        """Allow these to be taken over."""
        for name, action in self.taking.items():
            action.setEnabled(name in allowed)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Tell of Escape, which the canvas hears of only while it has the keys."""
        if event is not None and event.key() == Qt.Key.Key_Escape:
            self.escaped.emit()
        else:
            super().keyPressEvent(event)

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setSpacing(4)
        for column, tool in enumerate(self.tools.values()):
            grid.addWidget(tool, 0, column)
        row = QHBoxLayout()
        row.addWidget(self.count, 1)
        for step in self.steps.values():
            row.addWidget(step)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(grid)
        layout.addWidget(self.hint)
        layout.addLayout(row)
        layout.addWidget(self.take)
