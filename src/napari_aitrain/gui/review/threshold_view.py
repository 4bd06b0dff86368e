"""A slider from 0 to 1 over a histogram."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QRectF, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPalette
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from .jump_slider import JumpSlider

STEPS = 1000
_LEAVES_OUT = (
    "Objects of a lower score are not shown. The score is how probably an object is right, from 0 to 1; of classes it "
    "is the probability of each voxel's class. The bars say how many have which score. Nothing is computed again and "
    "nothing is rewritten."
)
_JOINS = (
    "Pieces are merged where the model is at least this sure that they are one neuron. Left: more is merged; right: "
    "more is split. The bars say how many merges have which score, from 0 to 1. Nothing is computed again and nothing "
    "is rewritten."
)
_HEIGHT, _HANDLE = 72, 20


class HistogramSlider(JumpSlider):
    """A slider with bars behind it: those left of the handle are pale."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bars: tuple[float, ...] = ()
        self.setRange(0, STEPS)
        self.setSingleStep(10)
        self.setPageStep(50)
        self.setFixedHeight(_HEIGHT)

    def set_histogram(self, counts: Sequence[int]) -> None:
        """Show these counts; roots are drawn, so that a few good objects are seen beside many bad ones."""
        most = max(counts, default=0)
        self._bars = tuple((count / most) ** 0.5 for count in counts) if most else ()
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the bars, and the slider over their feet."""
        painter = QPainter(self)
        ink = QColor(self.palette().color(QPalette.ColorRole.WindowText))
        room = self.room()
        width = room.width() / max(1, len(self._bars))
        for number, bar in enumerate(self._bars):
            ink.setAlphaF(0.65 if (number + 0.5) / len(self._bars) >= self.value() / STEPS else 0.2)
            height = max(1.5, bar * room.height()) if bar else 0.0
            painter.fillRect(QRectF(room.left() + number * width, room.bottom() - height, width * 0.9, height), ink)
        ink.setAlphaF(0.9)
        x = room.left() + room.width() * self.value() / STEPS
        painter.fillRect(QRectF(x - 1, room.top(), 2, self.height() - room.top() - 2), ink)
        painter.fillRect(QRectF(room.left(), room.bottom() + 1, room.width(), 1), ink)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(ink)
        painter.setPen(Qt.PenStyle.NoPen)
        radius = 7.0 if self.hasFocus() else 6.0
        painter.drawEllipse(QRectF(x - radius, self.height() - 2 * radius - 1, 2 * radius, 2 * radius))
        painter.end()

    def room(self) -> QRectF:
        """Return where the bars are."""
        return QRectF(8, 2, max(1, self.width() - 16), _HEIGHT - _HANDLE)


class ThresholdView(QWidget):
    """The threshold with its histogram, as a slider and as a number, and Lock in.

    Signals
    -------
    valueChanged : float
        The threshold, 0 … 1, when a person moved it.
    lock_requested
        It is to be stored in the model.
    """

    valueChanged = Signal(float)
    lock_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = HistogramSlider()
        self.slider.setAccessibleName("Threshold")
        self.number = QDoubleSpinBox()
        self.number.setRange(0, 1)
        self.number.setDecimals(3)
        self.number.setSingleStep(0.01)
        self.number.setAccessibleName("Threshold as a number")
        self.lock = QPushButton("&Lock in")
        self.set_lockable(True)
        self.ends = QWidget()
        ends = QHBoxLayout(self.ends)
        ends.setContentsMargins(0, 0, 0, 0)
        ends.addWidget(QLabel("◂ more merged"))
        ends.addStretch()
        ends.addWidget(QLabel("more split ▸"))
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.hint.hide()
        label = QLabel("T&hreshold (0–1)")
        label.setBuddy(self.slider)
        row = QHBoxLayout()
        row.addWidget(label)
        row.addStretch()
        row.addWidget(self.number)
        row.addWidget(self.lock)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.slider)
        layout.addWidget(self.ends)
        layout.addWidget(self.hint)
        self.set_joins(False)
        self.slider.valueChanged.connect(self._on_slider)
        self.number.valueChanged.connect(self._on_number)
        self.lock.clicked.connect(self.lock_requested)

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
        """Show how many objects have which score, from 0 to 1."""
        self.slider.set_histogram(counts)

    def set_joins(self, joins: bool) -> None:
        """Say what the threshold does: it joins fragments, or it leaves out objects."""
        tip = _JOINS if joins else _LEAVES_OUT
        self.slider.setToolTip(tip)
        self.number.setToolTip(tip)
        self.ends.setVisible(joins)

    def set_lockable(self, lockable: bool) -> None:
        """Allow the threshold to be stored, or say why not."""
        self.lock.setEnabled(lockable)
        self.lock.setToolTip(
            "Store this threshold in the model: whoever predicts with it gets it as the default."
            if lockable
            else "Scores are provisional while a model learns objects. When the training has ended, predict this view "
            "below, choose the threshold, and store it then."
        )

    def set_hint(self, text: str) -> None:
        """Say something about the threshold."""
        self.hint.setText(text)
        self.hint.setVisible(bool(text))

    def _on_slider(self, position: int) -> None:
        self.setValue(position / STEPS)
        self.valueChanged.emit(position / STEPS)

    def _on_number(self, value: float) -> None:
        self.setValue(value)
        self.valueChanged.emit(value)
