"""What the Auto-segment dock looks like: it shows what it is given, and says what was chosen and pressed."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ...autosegment.settings import DESCRIPTIONS, MOST_SIGMA, PRESETS, TITLES, AutosegmentSettings
from ..buttons import push_button, push_buttons

EMPTY = "Open an image to find objects in it, without a model: ground truth to begin with."
_TAKE = {
    "slice": ("This s&lice", "Write the objects of this slice into the ground truth, where nothing is painted yet."),
    "box": ("This &box", "Write the objects in the selected box into the ground truth; a box with depth in 3-D."),
    "whole": ("&Whole image", "Write the objects of the whole image into the ground truth, in 3-D if it has slices."),
}


class AutosegmentView(QWidget):
    """Two numbers, what they are for, and where to write what is found.

    Signals
    -------
    image_chosen : str
        Name of an image layer.
    preset_chosen : str
        What to find.
    changed
        Another number, or bright for dark.
    suggest_pressed
        Find the numbers in the image again.
    live_toggled : bool
        Whether the slice on screen is shown segmented.
    take_pressed : str
        slice, box or whole.
    cancel_pressed
        Leave what is being segmented.
    """

    image_chosen = Signal(str)
    preset_chosen = Signal(str)
    changed = Signal()
    suggest_pressed = Signal()
    live_toggled = Signal(bool)
    take_pressed = Signal(str)
    cancel_pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.images, self.preset = QComboBox(), QComboBox()
        self.images.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.images.setToolTip("The image to segment.")
        for name in PRESETS:
            self.preset.addItem(TITLES[name], name)
            self.preset.setItemData(self.preset.count() - 1, DESCRIPTIONS[name], Qt.ItemDataRole.ToolTipRole)
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
        self.physical = QLabel()
        self.physical.setToolTip("The minimum size as an area or a volume.")
        self.dark = QCheckBox("&Dark objects")
        self.dark.setToolTip("The objects are darker than their background.")
        self.suggest = push_button(
            "Suggest from the &image", "Find both numbers in the image again.", self.suggest_pressed.emit
        )
        self.live = QCheckBox("Show this slice segmented as the &numbers move")
        self.live.setChecked(True)
        self.live.setToolTip("A layer of its own shows what would be found; the ground truth is not touched.")
        self.status, self.empty = QLabel(), QLabel(EMPTY)
        for label in (self.status, self.empty):
            label.setWordWrap(True)
        self.status.setAccessibleName("What was found")
        self.take = push_buttons(_TAKE, self.take_pressed.emit)
        self.busy = QProgressBar()
        self.busy.setRange(0, 0)
        self.busy.setTextVisible(False)
        self.busy.setFixedHeight(8)
        self.busy.setAccessibleName("Segmenting")
        self.cancel = push_button("&Cancel", "Leave it: nothing is written.", self.cancel_pressed.emit)
        self._lay_out()
        self.images.textActivated.connect(self.image_chosen)
        self.preset.activated.connect(lambda row: self._on_preset(row))
        self.minimum.valueChanged.connect(lambda _: self.changed.emit())
        self.sigma.valueChanged.connect(lambda _: self.changed.emit())
        self.dark.toggled.connect(lambda _: self.changed.emit())
        self.live.toggled.connect(self.live_toggled)
        self._on_preset(0, told=False)
        self.set_busy(False)

    def value(self) -> AutosegmentSettings:
        """Return what is chosen."""
        return AutosegmentSettings(
            preset=self.preset.currentData(),
            minimum_size=self.minimum.value(),
            sigma=self.sigma.value(),
            dark=self.dark.isChecked(),
        )

    def setValue(self, settings: AutosegmentSettings) -> None:
        """Show settings, without telling of it."""
        before = self.blockSignals(True)
        self.preset.setCurrentIndex(PRESETS.index(settings.preset))
        self.minimum.setValue(settings.minimum_size)
        self.sigma.setValue(settings.sigma)
        self.dark.setChecked(settings.dark)
        self.blockSignals(before)
        self._on_preset(self.preset.currentIndex(), told=False)

    def set_images(self, names: Sequence[str], current: str) -> None:
        """Offer images; without any the dock says what to do."""
        if [self.images.itemText(row) for row in range(self.images.count())] != list(names):
            self.images.clear()
            self.images.addItems(list(names))
        self.images.setCurrentIndex(list(names).index(current) if current in names else -1)
        self.empty.setVisible(not names)
        self.body.setVisible(bool(names))

    def set_physical(self, text: str) -> None:
        """Show the minimum size as an area or volume."""
        self.physical.setText(text and f"= {text}")

    def set_status(self, text: str) -> None:
        """Tell what was found, or why nothing was."""
        self.status.setText(text)

    def set_box(self, there: bool) -> None:
        """Say whether a box of the image is selected."""
        self._box = there
        self.take["box"].setEnabled(there and not self.busy.isVisibleTo(self))

    def set_busy(self, busy: bool) -> None:
        """Show that something is being segmented."""
        self.busy.setVisible(busy)
        self.cancel.setVisible(busy)
        for name, button in self.take.items():
            button.setEnabled(not busy and (name != "box" or self._box))

    def _on_preset(self, row: int, told: bool = True) -> None:
        self.preset.setToolTip(DESCRIPTIONS[PRESETS[row]])
        if told:
            self.preset_chosen.emit(PRESETS[row])

    def _lay_out(self) -> None:
        self._box = False
        self.body = QWidget()
        form = QFormLayout()
        form.addRow("I&mage", self.images)
        form.addRow("W&hat to find", self.preset)
        row = QHBoxLayout()
        row.addWidget(self.minimum, 1)
        row.addWidget(self.physical)
        label = QLabel("Minimum si&ze")
        label.setBuddy(self.minimum)
        form.addRow(label, row)
        form.addRow("&Sigma", self.sigma)
        form.addRow("", self.dark)
        grid = QGridLayout()
        grid.setSpacing(4)
        for place, button in enumerate(self.take.values()):
            grid.addWidget(button, 0, place)
        grid.addWidget(self.busy, 1, 0, 1, 2)
        grid.addWidget(self.cancel, 1, 2)
        column = QVBoxLayout(self.body)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(form)
        column.addWidget(self.suggest)
        column.addWidget(self.live)
        column.addWidget(self.status)
        column.addWidget(QLabel("Write into the ground truth:"))
        column.addLayout(grid)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.empty)
        layout.addWidget(self.body)
        layout.addStretch(1)
