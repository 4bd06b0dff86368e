"""Which box of an evaluation is shown in the viewer, and how it is drawn."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QButtonGroup, QCheckBox, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ..buttons import push_button

_ROLES = {
    "train": ("T&rain", "Boxes that the model has learned from: what is wrong here it could not learn."),
    "validation": ("&Validation", "Boxes that chose weights and threshold while the model learned."),
    "test": ("&Test", "Boxes that nobody used: what is wrong here it does wrong in new images."),
}
_LOOKS = {
    "errors": ("&Error colours", "Colours say what became of each object: green right, orange false, pink merged, "
               "yellow split, blue missed."),
    "outlines": ("O&utlines", "Draw only the rims of objects, so that the image is seen inside them."),
    "prediction": ("&Prediction", "Show what the model predicted in the box."),
    "truth": ("&Ground truth", "Show the ground truth of the box, as it was when it was evaluated."),
}  # fmt: skip


class ShowView(QWidget):
    """Train, validation or test over the same viewer; box by box; outlines, classes and colours on and off.

    Signals
    -------
    role_chosen : str
        train, validation or test.
    stepped : int
        One box on, or −1 back.
    hidden
        The layers are to go.
    looked : str, bool
        One of errors, outlines, prediction, truth.
    class_toggled : int, bool
        A class is to be drawn or not.
    """

    role_chosen = Signal(str)
    stepped = Signal(int)
    hidden = Signal()
    looked = Signal(str, bool)
    class_toggled = Signal(int, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.roles: dict[str, QPushButton] = {}
        self._group = QButtonGroup(self)
        row = QHBoxLayout()
        row.setSpacing(0)
        for name, (text, tip) in _ROLES.items():
            button = push_button(text, tip)
            button.setCheckable(True)
            button.clicked.connect(lambda _on=False, name=name: self.role_chosen.emit(name))
            self._group.addButton(button)
            self.roles[name] = button
            row.addWidget(button)
        self.back = push_button("◂", "Show the box before.", lambda: self.stepped.emit(-1))
        self.on = push_button("▸", "Show the next box.", lambda: self.stepped.emit(1))
        self.clear = push_button("&Hide", "Take the layers of the box out of the viewer.", self.hidden.emit)
        self.box = QLabel()
        self.box.setWordWrap(True)
        self.box.setAccessibleName("The box that is shown")
        steps = QHBoxLayout()
        for button in (self.back, self.on):
            button.setFixedWidth(34)
            steps.addWidget(button)
        steps.addWidget(self.box, 1)
        steps.addWidget(self.clear)
        self.looks = {name: self._look(name) for name in _LOOKS}
        grid = QGridLayout()
        for number, box in enumerate(self.looks.values()):
            grid.addWidget(box, number // 2, number % 2)
        self.classes: dict[int, QCheckBox] = {}
        self._classes = QGridLayout()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for part in (row, steps, grid, self._classes):
            layout.addLayout(part)

    def set_roles(self, counts: Mapping[str, int], chosen: str) -> None:
        """Show how many boxes there are of each role, and which role is shown."""
        for name, button in self.roles.items():
            count = counts.get(name, 0)
            button.setText(f"{_ROLES[name][0]} ({count})")
            button.setEnabled(count > 0)
            button.setChecked(name == chosen)

    def set_box(self, text: str, shown: bool, many: bool) -> None:
        """Name the box that is shown."""
        self.box.setText(text)
        self.clear.setEnabled(shown)
        self.back.setEnabled(many)
        self.on.setEnabled(many)

    def set_looks(self, on: Collection[str]) -> None:
        """Show how the box is drawn; nothing is emitted."""
        for name, box in self.looks.items():
            _set(box, name in on)

    def set_classes(self, names: Mapping[int, str], hidden: Collection[int]) -> None:
        """Show a check box for each class."""
        if {c: box.text() for c, box in self.classes.items()} != {c: _shown(name) for c, name in names.items()}:
            for old in self.classes.values():
                self._classes.removeWidget(old)
                old.deleteLater()
            self.classes = {number: self._class_box(number, name) for number, name in names.items()}
            for place, box in enumerate(self.classes.values()):
                self._classes.addWidget(box, place // 2, place % 2)
        for number, box in self.classes.items():
            _set(box, number not in hidden)

    def _look(self, name: str) -> QCheckBox:
        text, tip = _LOOKS[name]
        box = QCheckBox(text)
        box.setToolTip(tip)
        box.toggled.connect(lambda on: self.looked.emit(name, on))
        return box

    def _class_box(self, number: int, name: str) -> QCheckBox:
        box = QCheckBox(_shown(name))
        box.setToolTip(f"Draw the class {name} (id {number}), or leave it out.")
        box.toggled.connect(lambda on: self.class_toggled.emit(number, on))
        return box


def _set(box: QCheckBox, on: bool) -> None:
    blocked = box.blockSignals(True)
    box.setChecked(on)
    box.blockSignals(blocked)


def _shown(name: str) -> str:
    return name.replace("&", "&&")
