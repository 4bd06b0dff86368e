"""How predictions are drawn: outlines, colours, classes, and further layers."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QCheckBox, QGridLayout, QVBoxLayout, QWidget

_CHOICES = {
    "outlines": ("O&utlines", "Draw only the rims of objects, so that the image is seen inside them."),
    "scores": ("Colour by &score", "Colours tell how probably an object is right, from dark blue (0) to yellow (1)."),
    "probability": ("&Probability layer", "How probably each voxel belongs to an object or a class other than "
                    "background, as a layer of its own while training."),
    "uncertainty": ("Un&certainty layer", "Where the model is unsure, as a layer of its own while training: good "
                    "places to paint more."),
}  # fmt: skip


class LookView(QWidget):
    """Check boxes for how predictions look.

    Signals
    -------
    toggled : str, bool
        One of outlines, scores, probability, uncertainty.
    class_toggled : int, bool
        A class is to be drawn or not.
    """

    toggled = Signal(str, bool)
    class_toggled = Signal(int, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.boxes = {name: self._box(name) for name in _CHOICES}
        self.classes: dict[int, QCheckBox] = {}
        grid = QGridLayout()
        for number, box in enumerate(self.boxes.values()):
            grid.addWidget(box, number // 2, number % 2)
        self._classes = QGridLayout()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(grid)
        layout.addLayout(self._classes)

    def set_checked(self, name: str, checked: bool) -> None:
        """Show a choice; nothing is emitted."""
        box = self.boxes[name]
        blocked = box.blockSignals(True)
        box.setChecked(checked)
        box.blockSignals(blocked)

    def set_classes(self, names: Mapping[int, str], hidden: Collection[int]) -> None:
        """Show a check box for each class."""
        if {c: box.text() for c, box in self.classes.items()} != {c: _shown(name) for c, name in names.items()}:
            for box in self.classes.values():
                self._classes.removeWidget(box)
                box.deleteLater()
            self.classes = {number: self._class_box(number, name) for number, name in names.items()}
            for place, box in enumerate(self.classes.values()):
                self._classes.addWidget(box, place // 2, place % 2)
        for number, box in self.classes.items():
            blocked = box.blockSignals(True)
            box.setChecked(number not in hidden)
            box.blockSignals(blocked)

    def _box(self, name: str) -> QCheckBox:
        text, tip = _CHOICES[name]
        box = QCheckBox(text)
        box.setToolTip(tip)
        box.toggled.connect(lambda on: self.toggled.emit(name, on))
        return box

    def _class_box(self, number: int, name: str) -> QCheckBox:
        box = QCheckBox(_shown(name))
        box.setToolTip(f"Draw the class {name} (id {number}), or leave it out.")
        box.toggled.connect(lambda on: self.class_toggled.emit(number, on))
        return box


def _shown(name: str) -> str:
    return name.replace("&", "&&")
