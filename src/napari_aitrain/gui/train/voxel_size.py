"""The voxel size of an image that does not say it: asked for, and given to what lies on the image."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QDoubleSpinBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from ...annotation.world import WorldBox
from ...errors import AitrainError
from ...volumes.units import VoxelSize
from ..box_list import BoxList
from ..frames import LayerFrame

_ASK = (
    "How large is a voxel of {} at full resolution, in nanometres? The settings of the microscope or the paper say it. "
    "Distances and the sizes of objects are told in nm: with a wrong voxel size the model is wrong for other images."
)
_AXES = {"z": "distance of the slices", "y": "height of a pixel", "x": "width of a pixel"}


class VoxelSizeDialog(QDialog):
    """Asks for three lengths.

    Parameters
    ----------
    name : str
        Of the image.
    parent : QWidget
        Over which it opens.

    Signals
    -------
    given : object
        The voxel size in nm, z, y, x.
    """

    given = Signal(object)

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Voxel size")
        text = QLabel(_ASK.format(name))
        text.setWordWrap(True)
        self.lengths = {axis: self._length(axis) for axis in _AXES}
        form = QFormLayout()
        for axis, length in self.lengths.items():
            form.addRow(f"&{axis} (nm)", length)
        buttons = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(buttons.Ok | buttons.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.accepted.connect(lambda: self.given.emit(self.value()))
        layout = QVBoxLayout(self)
        layout.addWidget(text)
        layout.addLayout(form)
        layout.addWidget(self.buttons)
        self._allow()

    def value(self) -> VoxelSize | None:
        """Return z, y and x in nm; None while one is missing."""
        z, y, x = (length.value() for length in self.lengths.values())
        return (z, y, x) if min(z, y, x) > 0 else None

    def _length(self, axis: str) -> QDoubleSpinBox:
        box = QDoubleSpinBox()
        box.setRange(0, 1e7)
        box.setDecimals(3)
        box.setSpecialValueText("?")
        box.setToolTip(f"{_AXES[axis].capitalize()} in nanometres; 1 µm is 1000 nm.")
        box.setAccessibleName(f"Voxel size in {axis} in nm")
        box.valueChanged.connect(self._allow)
        return box

    def _allow(self) -> None:
        if hasattr(self, "buttons"):
            button = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
            if button is not None:
                button.setEnabled(self.value() is not None)


def set_voxel_size(viewer: Any, boxes: BoxList, image: Any, size: VoxelSize) -> None:
    """Give an image its voxel size, in nm.

    Whatever in the viewer has no known unit, and all boxes on it, are stretched alike, so that all stays where it is.

    Raises
    ------
    VolumeError
        If the image is rotated or sheared.
    """
    frame = LayerFrame.of(image)
    factors = np.array(size) / np.abs(frame.scale)
    if frame.flat:
        factors[0] = 1
    shown = viewer.dims.current_step
    stretched = {layer.name for layer in viewer.layers if _stretch(layer, factors)}
    moved = [_stretched(box, factors) if box.image in stretched else box for box in boxes]
    boxes.reset(moved)
    viewer.dims.current_step = shown
    viewer.reset_view()


def _stretch(layer: Any, factors: Any) -> bool:
    try:
        frame = LayerFrame.of(layer)
    except AitrainError:
        return False
    if frame.nanometres is not None:
        return False
    spatial = 2 if frame.flat else 3
    every = np.append(np.ones(len(layer.scale) - spatial), factors[-spatial:])
    scale, translate = np.array(layer.scale) * every, np.array(layer.translate) * every
    layer.scale, layer.translate = scale, translate
    layer.units = (*layer.units[:-spatial], *("nm",) * spatial)
    return True


def _stretched(box: WorldBox, factors: Any) -> WorldBox:
    start, stop = (tuple((np.array(face) * factors).tolist()) for face in (box.start, box.stop))
    return box.model_copy(update={"start": start, "stop": stop})
