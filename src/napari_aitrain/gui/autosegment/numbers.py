"""What to find and by which numbers, as a form: those that do not count are not shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QWidget,
)

from ...autosegment.settings import DESCRIPTIONS, MOST_DIAMETER, MOST_SIGMA, PRESETS, TITLES, AutosegmentSettings

if TYPE_CHECKING:
    from ...models import ModelCard

_AUTO = "auto"
_NO_STARTER = "No starter model fits this image, or none is installed."


class Numbers(QWidget):
    """The preset and its numbers.

    Parameters
    ----------
    images : QComboBox
        Shown above them.

    Signals
    -------
    preset_chosen : str
        What to find.
    model_chosen : str
        Name of a starter model.
    changed
        Another number, or bright for dark.
    """

    preset_chosen = Signal(str)
    model_chosen = Signal(str)
    changed = Signal()

    def __init__(self, images: QComboBox, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.images = images
        self.preset, self.model = QComboBox(), QComboBox()
        for name in PRESETS:
            self.preset.addItem(TITLES[name], name)
            self.preset.setItemData(self.preset.count() - 1, DESCRIPTIONS[name], Qt.ItemDataRole.ToolTipRole)
        self.model.setAccessibleName("Starter model")
        self.minimum, self.sigma = QSpinBox(), QDoubleSpinBox()
        self.minimum.setRange(1, 2**31 - 1)
        self.minimum.setSuffix(" voxels")
        self.minimum.setToolTip("Objects with fewer voxels are left out.")
        self.minimum.setAccessibleName("Minimum size")
        self.sigma.setRange(0, MOST_SIGMA)
        self.sigma.setSingleStep(0.5)
        self.sigma.setDecimals(1)
        self.sigma.setSuffix(" voxels")
        self.sigma.setToolTip("How much is smoothed before objects are told apart: larger merges more distant parts.")
        self.sigma.setAccessibleName("Sigma")
        self.diameter, self.threshold = QDoubleSpinBox(), QDoubleSpinBox()
        # Its lowest value is shown as a word; 1 is the smallest diameter.
        self.diameter.setRange(0, MOST_DIAMETER)
        self.diameter.setSpecialValueText(_AUTO)
        self.diameter.setDecimals(1)
        self.diameter.setSuffix(" voxels")
        self.diameter.setToolTip(
            "Of a typical object: the model sees the image at the size that it has learned. Auto finds it in the image."
        )
        self.diameter.setAccessibleName("Diameter")
        self.threshold.setRange(0, 1)
        self.threshold.setSingleStep(0.05)
        self.threshold.setToolTip("Objects that the model is less sure of are left out: higher gives fewer.")
        self.threshold.setAccessibleName("Threshold")
        self.physical = QLabel()
        self.physical.hide()
        self.physical.setToolTip("The minimum size as an area or a volume.")
        self.dark = QCheckBox()
        self._cards: Mapping[str, ModelCard] = {}
        self._image = True
        self._lay_out()
        self.preset.activated.connect(self._on_preset)
        self.model.activated.connect(self._on_model)
        for box in (self.minimum, self.sigma, self.diameter, self.threshold):
            box.valueChanged.connect(lambda _: self.changed.emit())
        self.dark.toggled.connect(lambda _: self.changed.emit())
        self._show_those_that_count()

    @property
    def by_starter(self) -> bool:
        """Whether a starter model is chosen."""
        return bool(self.preset.currentData() == "starter")

    def value(self) -> AutosegmentSettings:
        """Return what is chosen."""
        return AutosegmentSettings(
            preset=self.preset.currentData(),
            minimum_size=self.minimum.value(),
            sigma=self.sigma.value(),
            dark=self.dark.isChecked(),
            model=self.model.currentData() or "",
            diameter=max(1.0, self.diameter.value()) if self.diameter.value() > 0 else None,
            threshold=self.threshold.value(),
        )

    def setValue(self, settings: AutosegmentSettings) -> None:
        """Show the numbers that count with these settings, without telling of it."""
        before = self.blockSignals(True)
        self.preset.setCurrentIndex(PRESETS.index(settings.preset))
        self.dark.setChecked(settings.dark)
        if settings.by_starter:
            self.model.setCurrentIndex(self.model.findData(settings.model))
            self.diameter.setValue(settings.diameter or 0)
            self.threshold.setValue(settings.threshold or 0)
        else:
            self.minimum.setValue(settings.minimum_size)
            self.sigma.setValue(settings.sigma)
        self.blockSignals(before)
        self._show_those_that_count()

    def set_starters(self, cards: Mapping[str, ModelCard]) -> None:
        """Offer starter models, the best fitting first; the one that is chosen stays if it is among them."""
        if list(cards) == list(self._cards):
            return
        before = self.model.currentData()
        self._cards = cards
        self.model.clear()
        for name, card in cards.items():
            self.model.addItem(f"{card.name} ({card.dims}-D)", name)
            self.model.setItemData(self.model.count() - 1, card.comments, Qt.ItemDataRole.ToolTipRole)
        self.model.setCurrentIndex(max(0, self.model.findData(before)) if cards else -1)
        if cards and self.model.currentData() != before:
            self._take_threshold()
        item: Any = self.preset.model()
        item.item(PRESETS.index("starter")).setEnabled(bool(cards))
        tip = DESCRIPTIONS["starter"] if cards else _NO_STARTER
        self.preset.setItemData(PRESETS.index("starter"), tip, Qt.ItemDataRole.ToolTipRole)
        if not cards and self.by_starter:
            self.preset.setCurrentIndex(0)
        self._show_those_that_count()

    def card(self) -> ModelCard | None:
        """Return the card of the starter model that is chosen, for that preset."""
        return self._cards.get(self.model.currentData()) if self.by_starter else None

    def set_physical(self, text: str) -> None:
        """Show the minimum size as an area or volume."""
        self.physical.setText(text and f"= {text}")
        self.physical.setVisible(bool(text))

    def show_images(self, shown: bool) -> None:
        """Show or hide the row of images, and the numbers that only an image suggests."""
        self._image = shown
        self._show_row(self.images, shown)
        self._show_those_that_count()

    def _show_row(self, row: QWidget, shown: bool) -> None:
        row.setVisible(shown)
        label = self._form.labelForField(row)
        assert label is not None
        label.setVisible(shown)

    def _on_preset(self, row: int) -> None:
        self._show_those_that_count()
        self.preset_chosen.emit(PRESETS[row])

    def _on_model(self, _row: int) -> None:
        self._take_threshold()
        self._show_those_that_count()
        self.model_chosen.emit(self.model.currentData())

    def _take_threshold(self) -> None:
        before = self.blockSignals(True)
        self.threshold.setValue(self._cards[self.model.currentData()].threshold)
        self.blockSignals(before)

    def _show_those_that_count(self) -> None:
        for starter, rows in ((False, (self._size, self.sigma)), (True, (self.model, self.diameter, self.threshold))):
            for row in rows:
                self._show_row(row, starter is self.by_starter and (starter or self._image))
        walls = self.preset.currentData() == "membranes"
        self.dark.setText("&Dark membranes" if walls else "&Dark objects")
        self.dark.setToolTip(f"The {'membranes' if walls else 'objects'} are darker than the rest.")
        self.preset.setToolTip(DESCRIPTIONS[PRESETS[max(0, self.preset.currentIndex())]])
        card = self.card()
        self.model.setToolTip((card.comments if card else "") or "What the model was trained on is on its card.")

    def _lay_out(self) -> None:
        self._form = form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("I&mage", self.images)
        form.addRow("W&hat to find", self.preset)
        form.addRow("&Model", self.model)
        form.addRow("Diame&ter", self.diameter)
        form.addRow("Th&reshold", self.threshold)
        self._size = QWidget()
        row = QHBoxLayout(self._size)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.minimum, 1)
        row.addWidget(self.physical)
        label = QLabel("Minimum si&ze")
        label.setBuddy(self.minimum)
        form.addRow(label, self._size)
        form.addRow("&Sigma", self.sigma)
        form.addRow("", self.dark)
