"""When to train again, as a view."""

from __future__ import annotations

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QWidget

from ...suggestions.retraining import CHOICES, RetrainPolicy
from ..buttons import push_button

_MODES = {"off": "Never by itself", "ask": "Ask me", "automatic": "Begin by itself"}


class PolicyView(QWidget):
    """After how many new annotations to train again, and whether to ask.

    Signals
    -------
    changed : RetrainPolicy
        Something else was chosen.
    train_pressed
        Train again now.
    """

    changed = Signal(object)
    train_pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.mode, self.after = QComboBox(), QComboBox()
        for name, text in _MODES.items():
            self.mode.addItem(text, name)
        self.mode.setToolTip("What happens when so many objects, or pieces of classes, are labelled anew.")
        for number in CHOICES:
            self.after.addItem(f"after {number} new", number)
        self.after.setToolTip("New annotations in boxes since the last training: objects, or connected pieces.")
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setAccessibleName("Annotations")
        self.train = push_button(
            "Train a&gain",
            "Train on from the model, with everything that is labelled by now.",
            self.train_pressed.emit,
        )
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.mode, 0, 0)
        layout.addWidget(self.after, 0, 1)
        layout.addWidget(self.text, 1, 0, 1, 2)
        layout.addWidget(self.train, 2, 0, 1, 2)
        for combo in (self.mode, self.after):
            combo.activated.connect(lambda _row: self.changed.emit(self.value()))

    def value(self) -> RetrainPolicy:
        """Return what is chosen."""
        return RetrainPolicy(mode=self.mode.currentData(), after=int(self.after.currentData()))

    def show_policy(self, policy: RetrainPolicy, text: str, due: bool, can_train: bool) -> None:
        """Show what is chosen, how much is labelled, and whether it is time."""
        self.mode.setCurrentIndex(self.mode.findData(policy.mode))
        if self.after.findData(policy.after) < 0:
            self.after.addItem(f"after {policy.after} new", policy.after)
        self.after.setCurrentIndex(self.after.findData(policy.after))
        self.after.setEnabled(policy.mode != "off")
        self.text.setText(f"It is time to train again. {text}" if due else text)
        self.train.setEnabled(can_train)
        self.train.setDefault(due)
