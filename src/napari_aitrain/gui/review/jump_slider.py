"""A slider that goes to where the mouse is, instead of by pages."""

from __future__ import annotations

from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QSlider, QStyle, QWidget

_HALF_HANDLE = 8


class JumpSlider(QSlider):
    """A horizontal slider."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Go to where the mouse is."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._go_to(event)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Follow the mouse."""
        if event is not None and self.isSliderDown():
            self._go_to(event)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Let go."""
        self.setSliderDown(False)

    def room(self) -> QRectF:
        """Return where the middle of the handle can be."""
        return QRectF(_HALF_HANDLE, 0, max(1, self.width() - 2 * _HALF_HANDLE), self.height())

    def _go_to(self, event: QMouseEvent) -> None:
        room = self.room()
        at = round(event.position().x() - room.left())
        self.setValue(QStyle.sliderValueFromPosition(self.minimum(), self.maximum(), at, round(room.width())))
        event.accept()
