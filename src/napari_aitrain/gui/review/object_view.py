"""The object that was clicked, and what is to become of it."""

from __future__ import annotations

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from ..buttons import push_buttons
from .hands import ACCEPT_KEY, REJECT_KEY

NOTHING = "Click a predicted object to see its score and size."
_BUTTONS = {
    "accept": (f"&Accept ({ACCEPT_KEY})", "Take the clicked object over into the ground truth, with a new id. The key "
               f"{ACCEPT_KEY} does it with the object under the cursor. Ctrl+Z on the ground truth undoes it."),
    "reject": (f"&Reject ({REJECT_KEY})", "Mark the clicked object as background in the ground truth, so that the "
               "next training learns that nothing is there. "
               f"The key {REJECT_KEY} does it with the object under the cursor."),
    "box": ("Accept in &box", "Take over every object above the threshold, as far as it lies in the selected box."),
    "all": ("Acc&ept all", "Take over every object above the threshold."),
}  # fmt: skip


class ObjectView(QWidget):
    """What is known of an object, and buttons to correct the ground truth with it.

    Signals
    -------
    pressed : str
        One of accept, reject, box, all.
    """

    pressed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = QLabel(NOTHING)
        self.text.setWordWrap(True)
        self.text.setAccessibleName("The clicked object")
        self.buttons = push_buttons(_BUTTONS, self.pressed.emit)
        self.overwrite = QCheckBox("&Write over what I painted")
        self.overwrite.setToolTip("Otherwise accepted and rejected objects only fill what is unlabelled.")
        grid = QGridLayout()
        grid.setSpacing(4)
        for number, button in enumerate(self.buttons.values()):
            grid.addWidget(button, number // 2, number % 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.text)
        layout.addLayout(grid)
        layout.addWidget(self.overwrite)

    def set_object(self, text: str) -> None:
        """Tell of an object; an empty text tells that none is chosen."""
        self.text.setText(text or NOTHING)

    def set_actions(self, allowed: frozenset[str]) -> None:
        """Allow these buttons."""
        for name, button in self.buttons.items():
            button.setEnabled(name in allowed)
