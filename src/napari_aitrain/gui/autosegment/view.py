"""What the Auto-segment dock looks like: it shows what it is given, and says what was chosen and pressed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ...autosegment.settings import AutosegmentSettings
from ..buttons import push_button, push_buttons
from .numbers import Numbers

if TYPE_CHECKING:
    from ...models import ModelCard

EMPTY = (
    "Open an image to find objects in it without training anything: ground truth to begin with. Or segment a folder, "
    "each image of which suggests its own numbers."
)
_TAKE = {
    "slice": ("This s&lice", "Write the objects of this slice into the ground truth, where nothing is painted yet."),
    "box": ("This &box", "Write the objects in the selected box into the ground truth; a box with depth in 3-D."),
    "whole": ("&Whole image", "Write the objects of the whole image into the ground truth, in 3-D if it has slices."),
}


class AutosegmentView(QWidget):
    """What to find, its numbers, and where to write what is found.

    Signals
    -------
    image_chosen : str
        Name of an image layer.
    preset_chosen : str
        What to find.
    model_chosen : str
        Name of a starter model.
    changed
        Another number, or bright for dark.
    suggest_pressed
        Find the numbers in the image again.
    live_toggled : bool
        Whether the slice on screen is shown segmented.
    take_pressed : str
        slice, box or whole.
    folder_pressed
        Segment the images of a folder.
    cancel_pressed
        Leave what is being segmented.
    """

    image_chosen = Signal(str)
    preset_chosen = Signal(str)
    model_chosen = Signal(str)
    changed = Signal()
    suggest_pressed = Signal()
    live_toggled = Signal(bool)
    take_pressed = Signal(str)
    folder_pressed = Signal()
    cancel_pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.images = QComboBox()
        self.images.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.images.setToolTip("The image to segment.")
        self.numbers = Numbers(self.images)
        self.suggest = push_button(
            "Suggest from the &image", "Find the numbers in the image again.", self.suggest_pressed.emit
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
        self.busy.setTextVisible(False)
        self.busy.setFixedHeight(8)
        self.busy.setAccessibleName("Segmenting")
        self.cancel = push_button("&Cancel", "Leave it: nothing is written.", self.cancel_pressed.emit)
        self.folder = push_button(
            "Segment a &folder…",
            "Segment all images of a folder by these numbers, into files of labels.",
            self.folder_pressed.emit,
        )
        self._lay_out()
        self.images.textActivated.connect(self.image_chosen)
        self.numbers.preset_chosen.connect(self.preset_chosen)
        self.numbers.model_chosen.connect(self.model_chosen)
        self.numbers.changed.connect(self.changed)
        self.live.toggled.connect(self.live_toggled)
        self.set_busy(False)

    def value(self) -> AutosegmentSettings:
        """Return what is chosen."""
        return self.numbers.value()

    def setValue(self, settings: AutosegmentSettings) -> None:
        """Show settings, without telling of it."""
        self.numbers.setValue(settings)

    def has_image(self) -> bool:
        """Whether an image is chosen, which suggests the numbers."""
        return self.images.currentIndex() >= 0

    def set_images(self, names: Sequence[str], current: str) -> None:
        """Offer images; without any the dock says what to do."""
        if [self.images.itemText(row) for row in range(self.images.count())] != list(names):
            self.images.clear()
            self.images.addItems(list(names))
        self.images.setCurrentIndex(list(names).index(current) if current in names else -1)
        self.empty.setVisible(not names)
        self.numbers.show_images(bool(names))
        self._writing.setVisible(bool(names))

    def set_starters(self, cards: Mapping[str, ModelCard]) -> None:
        """Offer starter models."""
        self.numbers.set_starters(cards)

    def set_physical(self, text: str) -> None:
        """Show the minimum size as an area or volume."""
        self.numbers.set_physical(text)

    def set_status(self, text: str) -> None:
        """Tell what was found, or why nothing was."""
        self.status.setText(text)

    def set_box(self, there: bool) -> None:
        """Say whether a box of the image is selected."""
        self._box = there
        self.take["box"].setEnabled(there and not self.busy.isVisibleTo(self))

    def set_busy(self, busy: bool) -> None:
        """Show that something is being segmented."""
        self.busy.setRange(0, 0)
        self.busy.setVisible(busy)
        self.cancel.setVisible(busy)
        for name, button in self.take.items():
            button.setEnabled(not busy and (name != "box" or self._box))

    def set_progress(self, done: int, total: int) -> None:
        """Show how far it is, where that is known."""
        self.busy.setRange(0, total)
        self.busy.setValue(done)

    def _lay_out(self) -> None:
        self._box = False
        self._writing = QWidget()
        grid = QGridLayout()
        grid.setSpacing(4)
        for place, button in enumerate(self.take.values()):
            grid.addWidget(button, 0, place)
        grid.addWidget(self.busy, 1, 0, 1, 2)
        grid.addWidget(self.cancel, 1, 2)
        column = QVBoxLayout(self._writing)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.suggest)
        column.addWidget(self.live)
        column.addWidget(self.status)
        column.addWidget(QLabel("Write into the ground truth:"))
        column.addLayout(grid)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        for widget in (self.empty, self.numbers, self._writing, self.folder):
            layout.addWidget(widget)
        layout.addStretch(1)
