"""How places are chosen, as a form that can be folded away."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFormLayout, QSizePolicy, QSpinBox, QToolButton, QVBoxLayout, QWidget

from ...suggestions.settings import SuggestSettings

_MEASURES = {
    "margin": ("Nearly undecided", "How near the model is to another decision, from what it has predicted."),
    "augmentation": (
        "Unlike on mirrored images",
        "How much the model disagrees with itself when the image is mirrored. It predicts three times more.",
    ),
    "ensemble": (
        "Unlike earlier versions",
        "How much the versions that the model was trained on from disagree with it. Each predicts once more.",
    ),
}
_SPREADS = {
    "distance": ("Apart from each other", "Never nearly the same place twice."),
    "features": (
        "Looking different",
        "Of the places where the model is unsure, those that look unlike each other and unlike what is labelled.",
    ),
}


class Choices(QWidget):
    """The settings of a search; most people leave them as they are."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.fold = QToolButton()
        self.fold.setText("How places are chosen")
        self.fold.setToolTip("Show or hide the settings of the search.")
        self.fold.setCheckable(True)
        self.fold.setArrowType(Qt.ArrowType.RightArrow)
        self.fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.count, self.share = QSpinBox(), QSpinBox()
        self.count.setRange(1, 1000)
        self.count.setToolTip("How many places are suggested at once.")
        self.share.setRange(0, 100)
        self.share.setSuffix(" %")
        self.share.setToolTip(
            "Share of places that chance chooses. Without them nobody can tell whether suggestions pay on your images."
        )
        self.measure, self.spread = _combo(_MEASURES), _combo(_SPREADS)
        self._form = QWidget()
        form = QFormLayout(self._form)
        form.setContentsMargins(12, 0, 0, 0)
        form.addRow("Places", self.count)
        form.addRow("By chance", self.share)
        form.addRow("Unsure is", self.measure)
        form.addRow("Spread", self.spread)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.fold)
        layout.addWidget(self._form)
        self._form.hide()
        self.fold.toggled.connect(self._on_fold)
        self._seed = 0
        self.setValue(SuggestSettings())

    def value(self) -> SuggestSettings:
        """Return what is chosen."""
        return SuggestSettings.model_validate(
            {
                "measure": self.measure.currentData(), "spread": self.spread.currentData(),
                "random_share": self.share.value() / 100, "count": self.count.value(), "seed": self._seed,
            }
        )  # fmt: skip

    def setValue(self, settings: SuggestSettings) -> None:
        """Show settings."""
        self._seed = settings.seed
        self.count.setValue(settings.count)
        self.share.setValue(round(100 * settings.random_share))
        self.measure.setCurrentIndex(self.measure.findData(settings.measure))
        self.spread.setCurrentIndex(self.spread.findData(settings.spread))

    def _on_fold(self, shown: bool) -> None:
        self._form.setVisible(shown)
        self.fold.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)


def _combo(table: dict[str, tuple[str, str]]) -> QComboBox:
    combo = QComboBox()
    combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    for row, (name, (text, tip)) in enumerate(table.items()):
        combo.addItem(text, name)
        combo.setItemData(row, tip, Qt.ItemDataRole.ToolTipRole)
    combo.setToolTip("\n".join(f"{text}: {tip}" for text, tip in table.values()))
    return combo
