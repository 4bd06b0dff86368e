"""Three steps to a training, or one page: which is shown, and what to think of in each."""

from __future__ import annotations

from typing import Literal, get_args

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QButtonGroup, QCheckBox, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from ..buttons import push_button, with_key

Step = Literal["what", "how", "check"]
STEPS: tuple[Step, ...] = get_args(Step)
_TITLES: dict[Step, str] = {"what": "&1 What", "how": "&2 How", "check": "&3 Check and start"}
_HINTS: dict[Step, str] = {
    "what": "<b>What is learned from?</b> Images with ground truth: labels that you vouch for. Boxes say which parts "
    "of them are finished; a few small boxes in different places teach more than a large one. Choose by status, tag "
    "or date which boxes are used.",
    "how": "<b>What is to be found, and how long may it take?</b> The first result comes within a minute, and a "
    "training can be stopped at any time. For a first try leave the rest as it is: automatic takes a starter model "
    "that fits.",
    "check": "<b>Is all well?</b> What is red blocks the start, what is yellow is good to know. If you choose an image "
    "here, the model is used on it as soon as the training has ended.",
}


class StepBar(QWidget):
    """Chooses between one page and three steps, and goes from step to step.

    `walk` is the row with *Back* and *Next*, to be placed below the page.

    Signals
    -------
    valueChanged : str or None
        The step that a person wants to see; None for one page.
    """

    valueChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._step: Step | None = None
        self.stepwise = QCheckBox("Ste&p by step")
        self.stepwise.setToolTip(
            with_key(self.stepwise, "Three steps with hints, or everything on one page. Nothing that is set gets lost.")
        )
        self.steps: dict[Step, QToolButton] = {}
        self._group = QButtonGroup(self)
        row = QHBoxLayout()
        row.addWidget(self.stepwise)
        row.addStretch(1)
        for step, title in _TITLES.items():
            button = QToolButton()
            button.setText(title)
            button.setCheckable(True)
            button.setAutoRaise(True)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            button.setToolTip(with_key(button, "Go to this step."))
            button.clicked.connect(lambda _on=False, step=step: self.valueChanged.emit(step))
            self._group.addButton(button)
            self.steps[step] = button
            row.addWidget(button)
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self.hint)
        self.back = push_button("&Back", "Go to the step before.", lambda: self._go(-1))
        self.next = push_button("&Next", "Go to the next step.", lambda: self._go(1))
        self.walk = QWidget()
        below = QHBoxLayout(self.walk)
        below.setContentsMargins(0, 0, 0, 0)
        below.addWidget(self.back)
        below.addStretch(1)
        below.addWidget(self.next)
        self.stepwise.clicked.connect(lambda on: self.valueChanged.emit(STEPS[0] if on else None))
        self.setValue(None)

    def value(self) -> Step | None:
        """Return the step that is shown; None for one page."""
        return self._step

    def setValue(self, step: Step | None) -> None:
        """Show which step is shown."""
        self._step = step
        self.stepwise.setChecked(step is not None)
        for name, button in self.steps.items():
            button.setVisible(step is not None)
            button.setChecked(name == step)
            font = button.font()
            font.setBold(name == step)
            button.setFont(font)
        self.hint.setText("" if step is None else _HINTS[step])
        self.hint.setVisible(step is not None)
        self.walk.setVisible(step is not None)
        self.back.setEnabled(step not in (None, STEPS[0]))
        self.next.setVisible(step != STEPS[-1])

    def _go(self, by: int) -> None:
        if self._step is not None:
            self.valueChanged.emit(STEPS[min(max(0, STEPS.index(self._step) + by), len(STEPS) - 1)])
