"""Sliders with numbers, one for each setting of decoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QDoubleSpinBox, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from ...tasks.sliders import Slider
from ..buttons import push_button, with_key
from .jump_slider import JumpSlider

_RESET = "Go back to the model's own numbers."
_KEEP = (
    "Store these numbers in the model: whatever it predicts from now on is made with them. What its card says of its "
    "quality was measured with the numbers before."
)
_NUMBER = 110
_MOVED = "The objects of what is on screen are made again from what the network said; it does not run again."


class SlidersView(QWidget):
    """A row per setting, and what to do with the numbers.

    Signals
    -------
    valueChanged : str, float
        A person moved a slider.
    reset_requested, keep_requested
        The model's own numbers are wanted, or these are to be stored in it.
    """

    valueChanged = Signal(str, float)
    reset_requested = Signal()
    keep_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sliders: dict[str, JumpSlider] = {}
        self.numbers: dict[str, QDoubleSpinBox] = {}
        self._shown: tuple[Slider, ...] = ()
        self._why = ""
        self._labels: list[QLabel] = []
        self._grid = QGridLayout()
        self._grid.setColumnStretch(0, 1)
        self._grid.setVerticalSpacing(2)
        self.reset = push_button("&Model's own", _RESET, self.reset_requested.emit)
        self.keep = push_button("&Keep for this model", _KEEP, self.keep_requested.emit)
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.hint.setAccessibleName("What the objects are made of")
        row = QHBoxLayout()
        row.addWidget(self.reset)
        row.addWidget(self.keep)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._grid)
        layout.addLayout(row)
        layout.addWidget(self.hint)
        self.set_hint("")

    def set_sliders(self, sliders: Sequence[Slider]) -> None:
        """Show these settings."""
        if tuple(sliders) == self._shown:
            return
        for widget in (*self._labels, *self.sliders.values(), *self.numbers.values()):
            self._grid.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        self._shown, self._labels = tuple(sliders), []
        self.sliders, self.numbers = {}, {}
        for row, slider in enumerate(sliders):
            self._add(row, slider)
        self.set_usable(self._why)

    def set_values(self, values: Mapping[str, float]) -> None:
        """Show where the sliders stand; nothing is emitted."""
        for slider in self._shown:
            self._show(slider, values.get(slider.name, slider.low))

    def set_usable(self, why_not: str) -> None:
        """Allow the sliders to be moved, or say why not."""
        self._why = why_not
        for slider in self._shown:
            for widget in (self.sliders[slider.name], self.numbers[slider.name]):
                widget.setEnabled(not why_not)
                widget.setToolTip(why_not or f"{slider.tip} {_MOVED}")

    def set_buttons(self, moved: bool, why_not_keep: str) -> None:
        """Allow to go back where something moved, and to keep the numbers unless there is a reason against it."""
        self.reset.setEnabled(moved)
        self.keep.setEnabled(not why_not_keep)
        self.keep.setToolTip(why_not_keep or with_key(self.keep, _KEEP))

    def set_hint(self, text: str) -> None:
        """Say something about the objects."""
        self.hint.setText(text)
        self.hint.setVisible(bool(text))

    def _add(self, row: int, slider: Slider) -> None:
        bar, number = JumpSlider(), QDoubleSpinBox()
        bar.setRange(0, round((slider.high - slider.low) / slider.step))
        bar.setPageStep(max(1, bar.maximum() // 10))
        bar.setAccessibleName(slider.title)
        number.setDecimals(slider.decimals)
        number.setRange(slider.low, slider.high)
        number.setSingleStep(slider.step)
        number.setMaximumWidth(_NUMBER)
        number.setAccessibleName(f"{slider.title} as a number")
        label = QLabel(slider.title.replace("&", "&&"))
        label.setBuddy(bar)
        label.setToolTip(slider.tip)
        self._grid.addWidget(label, 2 * row, 0)
        self._grid.addWidget(number, 2 * row, 1)
        self._grid.addWidget(bar, 2 * row + 1, 0, 1, 2)
        self._labels.append(label)
        self.sliders[slider.name], self.numbers[slider.name] = bar, number
        bar.valueChanged.connect(lambda position: self._on_moved(slider, slider.low + position * slider.step))
        number.valueChanged.connect(lambda value: self._on_moved(slider, value))

    def _show(self, slider: Slider, value: float) -> None:
        bar, number = self.sliders[slider.name], self.numbers[slider.name]
        blocked = bar.blockSignals(True), number.blockSignals(True)
        bar.setValue(round((value - slider.low) / slider.step))
        number.setValue(value)
        bar.blockSignals(blocked[0])
        number.blockSignals(blocked[1])

    def _on_moved(self, slider: Slider, value: float) -> None:
        value = round(value, slider.decimals)
        self._show(slider, value)
        self.valueChanged.emit(slider.name, value)
