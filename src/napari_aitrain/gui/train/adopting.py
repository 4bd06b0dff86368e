"""Labels layers of the window that are no ground truth yet: asks which of them to train on, and of which image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from ...errors import AitrainError
from ..annotate.new_layer import check_paintable, magnification_of
from ..review.thresholded import Thresholded

if TYPE_CHECKING:
    from ..session import Session

_MODES = {"Instances: every object has a number": "instances", "Classes: a number names what a voxel is": "classes"}
_ASK = "These labels are open, and no ground truth yet. To train on them, say what they are. They stay as they are."


def adoptable(session: Session) -> dict[str, list[str]]:
    """Return the labels layers that could be ground truth, each with the images that it fits; predictions are none."""
    layers, truths = session.viewer.layers, session.truths
    images = [layer for layer in layers if layer._type_string == "image"]
    found = {}
    for layer in layers:
        if layer._type_string != "labels" or truths.of_layer(layer.name) or isinstance(layer.data, Thresholded):
            continue
        fitting = [image.name for image in images if _fits(layer, image)]
        if fitting:
            found[layer.name] = fitting
    return found


class AdoptDialog(QDialog):
    """Asks which labels layer to take as ground truth.

    Parameters
    ----------
    offered : dict
        What `adoptable` found; not empty.
    parent : QWidget, optional
        Over which it opens.
    """

    def __init__(self, offered: dict[str, list[str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Train on labels of this window")
        self._offered = offered
        text = QLabel(_ASK)
        text.setWordWrap(True)
        self.labels, self.image, self.mode = QComboBox(), QComboBox(), QComboBox()
        self.labels.addItems(list(offered))
        for words, mode in _MODES.items():
            self.mode.addItem(words, mode)
        form = QFormLayout()
        for name, box in (("&Labels", self.labels), ("&Image", self.image), ("&Kind", self.mode)):
            form.addRow(name, box)
        buttons = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(buttons.Ok | buttons.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(text)
        layout.addLayout(form)
        layout.addWidget(self.buttons)
        self.labels.currentTextChanged.connect(self._on_labels)
        self._on_labels(self.labels.currentText())

    def adopt(self, session: Session) -> None:
        """Take what was chosen as ground truth.

        Raises
        ------
        AitrainError
            If an id is not one that can be painted.
        """
        layer = session.viewer.layers[self.labels.currentText()]
        session.truths.adopt(layer, self.image.currentText(), self.mode.currentData())

    def _on_labels(self, name: str) -> None:
        self.image.clear()
        self.image.addItems(self._offered[name])


def _fits(labels: Any, image: Any) -> bool:
    try:
        check_paintable(labels)
        magnification_of(labels, image)
    except AitrainError:
        return False
    return True
