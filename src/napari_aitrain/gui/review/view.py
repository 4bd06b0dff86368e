"""What the Review dock looks like: it shows what it is given, and says what was pressed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ..buttons import push_button
from ..scrolling import UpDownScroll
from .look_view import LookView
from .object_view import ObjectView
from .predict_view import PredictView
from .proof_view import ProofView
from .sliders_view import SlidersView
from .threshold_view import ThresholdView

EMPTY = (
    "No model of yours yet. Paint some objects and draw a box around them in the Annotate dock, then press Start in "
    "the Train dock: what the model makes of the screen appears here within seconds, and gets better. Or choose a "
    "model that is there, and predict with it below."
)


class ReviewView(QWidget):
    """The parts of the dock, from the model above to training again below.

    Signals
    -------
    model_chosen : object
        The folder of a model, or of the job that makes one.
    live_toggled : bool
        Whether to predict what is on screen while a training runs.
    again_pressed
        Train again.
    """

    model_chosen = Signal(object)
    live_toggled = Signal(bool)
    again_pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.models = QComboBox()
        self.models.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.models.setToolTip("Whose predictions the threshold and the corrections are for, and what predicts below.")
        self._trained = False
        self.empty = QLabel(EMPTY)
        self.empty.setWordWrap(True)
        self.live = QCheckBox("Predict what is on s&creen while training")
        self.live.setToolTip(
            "While a training runs, the part of the image on screen is predicted again whenever the model has learned "
            "something. Costs the training less than a tenth of its speed."
        )
        self.age = QLabel()
        self.age.setWordWrap(True)
        self.age.setAccessibleName("Age of the prediction")
        self.threshold, self.look = ThresholdView(), LookView()
        self.object, self.predict, self.proof = ObjectView(), PredictView(), ProofView()
        self.proof_group = _group("Merge and split", self.proof)
        self.proof_group.hide()
        self.sliders = SlidersView()
        self.sliders_group = _group("Shape of objects", self.sliders)
        self.sliders_group.hide()
        self.again = push_button(
            "&Train again from this model",
            "Start another training with the settings of the last one. It goes on from what this model has learned, "
            "with your corrections and new boxes.",
            self.again_pressed.emit,
        )
        self._lay_out()
        self.models.activated.connect(lambda row: self.model_chosen.emit(self.models.itemData(row)))
        self.live.toggled.connect(self.live_toggled)

    def set_models(
        self, models: Sequence[tuple[str, Path]], chosen: Path | None, others: Sequence[tuple[str, Path]] = ()
    ) -> None:
        """Offer models by name and folder, and other people's after those that a person has trained."""
        self._trained = bool(models)
        models = [*models, *others]
        self.models.clear()
        for name, folder in models:
            self.models.addItem(name, folder)
            self.models.setItemData(self.models.count() - 1, str(folder), Qt.ItemDataRole.ToolTipRole)
        folders = [folder for _, folder in models]
        self.models.setCurrentIndex(folders.index(chosen) if chosen in folders else -1)
        self.models.setPlaceholderText("choose a model" if models else "no model yet")
        self.models.setEnabled(bool(models))

    def set_live(self, live: bool) -> None:
        """Show whether the screen is predicted while training; nothing is emitted."""
        blocked = self.live.blockSignals(True)
        self.live.setChecked(live)
        self.live.blockSignals(blocked)

    def set_age(self, text: str) -> None:
        """Say which step is shown and how old it is."""
        self.age.setText(text)
        self.age.setVisible(bool(text))

    def set_shown(self, shown: bool) -> None:
        """Allow what needs a prediction."""
        self.empty.setVisible(not shown and not self._trained)
        for part in (self.threshold, self.look, self.object):
            part.setEnabled(shown)

    def set_joins(self, joins: bool) -> None:
        """Show what is there for predictions whose threshold joins fragments."""
        self.threshold.set_joins(joins)
        self.proof_group.setVisible(joins)

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        label = QLabel("&Model")
        label.setBuddy(self.models)
        row.addWidget(label)
        row.addWidget(self.models, 1)
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(6)
        layout.addWidget(self.empty)
        layout.addLayout(row)
        layout.addWidget(self.live)
        layout.addWidget(self.age)
        layout.addWidget(self.threshold)
        layout.addWidget(self.sliders_group)
        layout.addWidget(self.look)
        layout.addWidget(self.proof_group)
        layout.addWidget(_group("Correct the ground truth", self.object))
        layout.addWidget(self.again)
        layout.addWidget(_group("Predict with this model", self.predict))
        layout.addStretch()
        # Or napari adds an empty half to the dock.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(UpDownScroll(inner))


def _group(title: str, widget: QWidget) -> QGroupBox:
    group = QGroupBox(title)
    layout = QVBoxLayout(group)
    layout.setContentsMargins(6, 4, 6, 6)
    layout.addWidget(widget)
    return group
