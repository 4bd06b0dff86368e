"""How sure a class must be to be shown: a slider from 0 to 1 over a histogram."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from ..review.threshold_view import STEPS, HistogramSlider

_TIP = (
    "Objects whose best class is less sure than this are shown as unsure, in grey. The bars say how many objects have "
    "which probability. Nothing is computed again."
)


class SureView(QWidget):
    """The threshold as a slider and as a number.

    Signals
    -------
    valueChanged : float
        0 … 1, when a person moved it.
    """

    valueChanged = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = HistogramSlider()
        self.slider.setAccessibleName("Sure at least")
        self.number = QDoubleSpinBox()
        self.number.setRange(0, 1)
        self.number.setDecimals(2)
        self.number.setSingleStep(0.05)
        self.number.setAccessibleName("Sure at least, as a number")
        label = QLabel("&Sure at least (0–1)")
        label.setBuddy(self.slider)
        for widget in (self.slider, self.number):
            widget.setToolTip(_TIP)
        row = QHBoxLayout()
        row.addWidget(label)
        row.addStretch()
        row.addWidget(self.number)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.slider)
        self.slider.valueChanged.connect(lambda position: self._on_moved(position / STEPS))
        self.number.valueChanged.connect(self._on_moved)

    def value(self) -> float:
        """Return the threshold."""
        return self.number.value()

    def setValue(self, value: float) -> None:
        """Show another threshold; nothing is emitted."""
        blocked = self.slider.blockSignals(True), self.number.blockSignals(True)
        self.slider.setValue(round(value * STEPS))
        self.number.setValue(value)
        self.slider.blockSignals(blocked[0])
        self.number.blockSignals(blocked[1])
        self.slider.update()

    def set_histogram(self, counts: Sequence[int]) -> None:
        """Show how many objects are how sure, from 0 to 1."""
        self.slider.set_histogram(counts)

    def _on_moved(self, value: float) -> None:
        self.setValue(value)
        self.valueChanged.emit(value)
