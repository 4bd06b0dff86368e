"""Choose an image and a ground truth, or make a new one: a view without knowledge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from ..buttons import push_button

_MODES = {
    "Instances: number objects": "instances",
    "Classes: name voxels": "classes",
}
_WHERE = {"Whole image": "all", "On screen": "screen", "Selected box": "box"}
_NO_IMAGE = "Open an image first: File ▸ Open File, or File ▸ Open Sample ▸ AI Train."
_NO_TRUTH = "Now make a ground truth: an empty labels layer that you paint what is to be found into."


class TruthView(QWidget):
    """Image, ground truth, and what makes a new one.

    Signals
    -------
    image_chosen, truth_chosen : str
        Name of the layer.
    new_asked : str, str, str
        Mode, magnification, and where: ``all``, ``screen`` or ``box``.
    move_asked : str, str
        Magnification, and where the current ground truth is to be painted now.
    adopt_asked : str, str
        Name of a labels layer, and mode.
    """

    image_chosen = Signal(str)
    truth_chosen = Signal(str)
    new_asked = Signal(str, str, str)
    move_asked = Signal(str, str)
    adopt_asked = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self.hint = QLabel(_NO_IMAGE)
        self.hint.setWordWrap(True)
        self.image = _combo("The image that is annotated. Boxes and new ground truth belong to it.")
        self.truth = _combo("The ground truth that you paint into: labels that you vouch for.")
        self.mode = _combo(
            "What the next new ground truth is for. "
            "Instances tell touching objects of one kind apart (cells, nuclei, neurons). "
            "Classes name what each voxel is (membrane, mitochondrion, nothing)."
        )
        for text, mode in _MODES.items():
            self.mode.addItem(text, mode)
        self.magnification = _combo(
            "How much coarser than the image to paint, in x-y-z order: 1 is every voxel, 2 is half as fine in every "
            "axis, 2-2-1 in x and y alone. Coarser is faster to paint and to train, and sees further around. Choose "
            "one, or type another."
        )
        self.magnification.setEditable(True)
        self.magnification.setMinimumContentsLength(2)
        # What is typed is neither completed, so that 2 stays 2, nor added to what is offered.
        completer: Any = None
        self.magnification.setCompleter(completer)
        self.magnification.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.where = _combo(
            "What of the image the ground truth lets you paint at a time. Of an image of any size you paint what is on "
            "screen, or in the selected box, go on to another place, and paint there: all of it is one ground truth, "
            "and only what is painted takes space on the disk. The whole image suits images that fit into memory."
        )
        for text, where in _WHERE.items():
            self.where.addItem(text, where)
        self.here = push_button(
            "&Paint here",
            "Go on with the chosen ground truth where it is said on the left, at the chosen magnification. What is "
            "painted elsewhere stays.",
        )
        self.new = push_button("&New ground truth", "Add an empty labels layer that lies exactly on the image.")
        self.labels = _combo("Labels that are open and no ground truth yet.")
        self.adopt = push_button("&Use as ground truth", "Take these labels as ground truth of the image, as they are.")
        self._lay_out()
        self.image.activated.connect(lambda: self.image_chosen.emit(self.image.currentText()))
        self.truth.activated.connect(lambda: self.truth_chosen.emit(self.truth.currentText()))
        self.new.clicked.connect(lambda: self.new_asked.emit(self._mode, self._m, self._where))
        self.here.clicked.connect(lambda: self.move_asked.emit(self._m, self._where))
        self.adopt.clicked.connect(lambda: self.adopt_asked.emit(self.labels.currentText(), self._mode))

    def set_images(self, names: Sequence[str], current: str) -> None:
        """Offer these images."""
        _fill(self.image, names, current)
        self._update()

    def set_truths(self, names: Sequence[str], current: str) -> None:
        """Offer these ground truths."""
        _fill(self.truth, names, current)
        self._update()

    def set_labels(self, names: Sequence[str]) -> None:
        """Offer these labels layers to be taken as ground truth."""
        _fill(self.labels, names, self.labels.currentText())
        self._adopt_row.setVisible(bool(names))

    def set_magnifications(self, texts: Sequence[str]) -> None:
        """Offer these magnifications; what was chosen or typed stays."""
        chosen = self.magnification.currentText() or "1"
        _fill(self.magnification, texts, chosen)
        self.magnification.setEditText(chosen)

    def set_where(self, where: str) -> None:
        """Offer first what suits the image."""
        self.where.setCurrentIndex(self.where.findData(where))

    def set_movable(self, movable: bool) -> None:
        """Say whether the chosen ground truth can be painted elsewhere."""
        self.here.setEnabled(movable)

    @property
    def _m(self) -> str:
        return self.magnification.currentText()

    @property
    def _where(self) -> str:
        return str(self.where.currentData())

    @property
    def _mode(self) -> str:
        return str(self.mode.currentData())

    def _update(self) -> None:
        images, truths = self.image.count() > 0, self.truth.count() > 0
        self.hint.setText(_NO_TRUTH if images else _NO_IMAGE)
        self.hint.setVisible(not (images and truths))
        for widget in (self.image, self.mode, self.magnification, self.where, self.new, self.adopt):
            widget.setEnabled(images)
        self.truth.setEnabled(truths)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for text, widget in (("&Image", self.image), ("Ground &truth", self.truth), ("&Kind", self.mode)):
            form.addRow(text, widget)
        place = QHBoxLayout()
        place.addWidget(self.where, 1)
        place.addWidget(self.here)
        where = QLabel("Wh&ere")
        where.setBuddy(self.where)
        form.addRow(where, place)
        row = QHBoxLayout()
        row.addWidget(self.magnification, 1)
        row.addWidget(self.new)
        label = QLabel("&Magnification")
        label.setBuddy(self.magnification)
        form.addRow(label, row)
        self._adopt_row = QWidget()
        adopt = QHBoxLayout(self._adopt_row)
        adopt.setContentsMargins(0, 0, 0, 0)
        adopt.addWidget(self.labels, 1)
        adopt.addWidget(self.adopt)
        self._adopt_row.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.hint)
        layout.addLayout(form)
        layout.addWidget(self._adopt_row)


def _combo(tip: str) -> QComboBox:
    box = QComboBox()
    box.setToolTip(tip)
    box.setMinimumContentsLength(6)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return box


def _fill(box: QComboBox, texts: Sequence[str], current: str) -> None:
    if [box.itemText(i) for i in range(box.count())] != list(texts):
        box.clear()
        box.addItems(list(texts))
        for number, text in enumerate(texts):
            box.setItemData(number, text, Qt.ItemDataRole.ToolTipRole)
    if current in texts:
        box.setCurrentText(current)
