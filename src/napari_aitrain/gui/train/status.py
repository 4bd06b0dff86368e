"""What stands against a training, what it will learn from and what it will take; shown beside the form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QStyle, QToolButton, QVBoxLayout, QWidget

CHECKING = "Checking…"
_COUNTS = ("Boxes", "Labelled voxels", "Objects")
_TIPS = (
    "Boxes, or parts of boxes, that are used.",
    "Voxels that are labelled, background included, at the training magnification.",
    "Objects in them; none where labels are classes.",
)

_SHOW = ("Show me", "Go to the box or the setting that is meant.")
_BUTTONS = {
    "weights": (
        "Get them…",
        "See where the weights come from and on what terms; nothing is downloaded before you agree.",
    ),
    "script": ("Look at it…", "See the script, and say whether it may run; nothing of it runs before."),
}
_ICONS = {
    "error": (QStyle.StandardPixmap.SP_MessageBoxCritical, "This blocks the start."),
    "warning": (QStyle.StandardPixmap.SP_MessageBoxWarning, "Good to know; it does not block the start."),
    "info": (QStyle.StandardPixmap.SP_MessageBoxInformation, "What was decided."),
}


@dataclass(frozen=True)
class Problem:
    """A finding as it is shown.

    Parameters
    ----------
    level : {'error', 'warning', 'info'}
        Errors block the start; an info says what was decided.
    text, remedy : str
        What is so, and what to do.
    target : str
        What "show me" goes to; empty for nothing.
    """

    level: str
    text: str
    remedy: str = ""
    target: str = ""


@dataclass(frozen=True)
class Status:
    """What is known of a training before it starts.

    Parameters
    ----------
    problems : sequence of Problem
        Errors first.
    counts : dict of str to (int, int, int)
        Boxes, labelled voxels and objects by role.
    sentences : sequence of str
        How validation comes by its voxels, 2-D or 3-D, classes.
    estimate : str
        Time, memory, disk and device.
    checking : bool
        Whether this is about to change.
    """

    problems: Sequence[Problem] = ()
    counts: dict[str, tuple[int, int, int]] | None = None
    sentences: Sequence[str] = ()
    estimate: str = ""
    checking: bool = False

    @property
    def ready(self) -> bool:
        """Whether nothing blocks the start."""
        return not any(problem.level == "error" for problem in self.problems)


class StatusPanel(QWidget):
    """Shows a `Status`; `show_requested` says what a person wants to see."""

    show_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.headline = QLabel()
        self._problems = QVBoxLayout()
        self._grid = QGridLayout()
        self.sentences = _wrapped()
        self.estimate = _wrapped("Measured with a few real steps by the worker that will train.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.headline)
        layout.addLayout(self._problems)
        layout.addLayout(self._grid)
        layout.addWidget(self.sentences)
        layout.addWidget(self.estimate)
        layout.addStretch(1)
        self._status = Status()
        self.setValue(self._status)

    def value(self) -> Status:
        """Return what is shown."""
        return self._status

    def setValue(self, status: Status) -> None:
        """Show another status."""
        self._status = status
        errors = sum(problem.level == "error" for problem in status.problems)
        ready = f"Not ready: {errors} {'thing' if errors == 1 else 'things'} to mend" if errors else "Ready to train"
        self.headline.setText(f"<b>{CHECKING if status.checking else ready}</b>")
        _clear(self._problems)
        for problem in status.problems:
            self._problems.addWidget(self._row(problem))
        self._show_counts(status.counts or {})
        self.sentences.setText("\n".join(status.sentences))
        self.sentences.setVisible(bool(status.sentences))
        self.estimate.setText(status.estimate)
        self.estimate.setVisible(bool(status.estimate))

    def _row(self, problem: Problem) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        critical = problem.level == "error"
        style = self.style()
        assert style is not None
        picture, tip = _ICONS[problem.level]
        icon = QLabel()
        icon.setPixmap(style.standardIcon(picture).pixmap(16, 16))
        icon.setToolTip(tip)
        text = _wrapped(problem.remedy)
        remedy = f"<br><i>{escape(problem.remedy)}</i>" if problem.remedy and critical else ""
        text.setText(escape(problem.text).replace("\n", "<br>") + remedy)
        text.setTextFormat(Qt.TextFormat.RichText)
        layout.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(text, 1)
        if problem.target:
            button = QToolButton()
            kind = problem.target.partition(":")[0]
            words, tip = _BUTTONS.get(kind, _SHOW)
            button.setText(words)
            button.setToolTip(tip)
            button.clicked.connect(lambda: self.show_requested.emit(problem.target))
            layout.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        return row

    def _show_counts(self, counts: dict[str, tuple[int, int, int]]) -> None:
        _clear(self._grid)
        if not counts:
            return
        for column, (text, tip) in enumerate(zip(_COUNTS, _TIPS, strict=True), start=1):
            head = QLabel(text)
            head.setToolTip(tip)
            self._grid.addWidget(head, 0, column, Qt.AlignmentFlag.AlignRight)
        for row, (role, numbers) in enumerate(counts.items(), start=1):
            self._grid.addWidget(QLabel(role.capitalize()), row, 0)
            for column, number in enumerate(numbers, start=1):
                self._grid.addWidget(QLabel(f"{number:,}" if number else "–"), row, column,
                                     Qt.AlignmentFlag.AlignRight)  # fmt: skip


def _wrapped(tip: str = "") -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setToolTip(tip)
    return label


def _clear(layout: QVBoxLayout | QGridLayout) -> None:
    while layout.count():
        item = layout.takeAt(0)
        widget = item.widget() if item is not None else None
        if widget is not None:
            widget.hide()
            widget.deleteLater()
