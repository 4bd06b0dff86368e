"""What the Label next dock looks like: it shows what it is given, and says what was chosen and pressed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QFormLayout,
    QGridLayout,
    QGroupBox,
    QHeaderView,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ...suggestions.retraining import RetrainPolicy
from ...suggestions.settings import SuggestSettings
from ..buttons import push_button, push_buttons
from ..scrolling import UpDownScroll
from .choices import Choices
from .policy_view import PolicyView
from .rows import PlaceRow

EMPTY = (
    "No model yet. Paint some objects, draw a box around them, and train: then the model itself says where the next "
    "minutes of painting pay most."
)
_STEPS = {
    "next": ("&Next place", "Go to the next place: the view moves there, and a box is proposed around it."),
    "done": ("&Done", "What is in the box is painted: the box counts from now on, and the model is judged by it."),
    "skip": ("&Skip", "Do not ask for this place again. Its box goes; what is painted stays."),
}
_COLUMNS = ("", "Middle (voxels)", "Chosen as", "Wrong")


_CHANCE = "Chosen by chance, so that suggestions can be compared with it."
_UNSURE = "The model is less sure there than at so many of all places."
_WRONG = "How much of what is labelled the model had wrong there."


class SuggestView(QWidget):
    """Where to look, the places one after the other, whether it pays, and when to train again.

    Signals
    -------
    model_chosen : object
        Folder of a model.
    image_chosen : str
        Name of an image layer.
    find_pressed, cancel_pressed
        Search, or leave that.
    answered : bool
        Whether the prediction of a large volume is to begin.
    step_pressed : str
        next, done or skip.
    place_chosen : str
        Key of a place in the list.
    map_toggled : bool
        Whether the uncertainty is shown.
    """

    model_chosen = Signal(object)
    image_chosen = Signal(str)
    find_pressed = Signal()
    cancel_pressed = Signal()
    answered = Signal(bool)
    step_pressed = Signal(str)
    place_chosen = Signal(str)
    map_toggled = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # Or napari would put a stretch below.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.models = _combo("Which model is asked where it is unsure.")
        self.images = _combo("The image in which places are sought.")
        self.choices = Choices()
        self.search = push_button(
            "&Find places",
            "Compare all places of the image that touch no box and nothing painted. If the model has not predicted the "
            "image yet, it does so first.",
            self.find_pressed.emit,
        )
        self.cancel = push_button("&Cancel", "Leave the search. A prediction goes on.", self.cancel_pressed.emit)
        self.busy = QProgressBar()
        self.busy.setTextVisible(False)
        self.busy.setFixedHeight(8)
        self.busy.setAccessibleName("Searching")
        self.status, self.told, self.verdict, self.empty = (QLabel() for _ in range(4))
        self.empty.setText(EMPTY)
        for label, name in ((self.status, "Search"), (self.told, "What to do"), (self.verdict, "Whether it pays")):
            label.setAccessibleName(name)
        for label in (self.status, self.told, self.verdict, self.empty):
            label.setWordWrap(True)
        self.question = QLabel()
        self.question.setWordWrap(True)
        self.begin = push_button("&Begin", "Predict the whole volume.", lambda: self.answered.emit(True))
        self.leave = push_button("Not n&ow", "Leave it; nothing was written.", lambda: self.answered.emit(False))
        self.steps = push_buttons(_STEPS, self.step_pressed.emit)
        self.dense = QCheckBox("&Everything in the box is painted")
        self.dense.setChecked(True)
        self.dense.setToolTip(
            "On: what is not painted in a box that is done is background. Off: only what is painted counts, as for "
            "strokes."
        )
        self.map = QCheckBox("Show where the model is &unsure")
        self.map.setToolTip("A layer over the image: the brighter, the less sure. Of the last search.")
        self.map.setEnabled(False)
        self.places = _table()
        self.policy = PolicyView()
        self._lay_out()
        self.models.activated.connect(lambda row: self.model_chosen.emit(self.models.itemData(row)))
        self.images.textActivated.connect(self.image_chosen)
        self.map.toggled.connect(self.map_toggled)
        self.places.itemActivated.connect(self._on_place)
        self.places.itemClicked.connect(self._on_place)
        self.set_busy("", 0, 0)
        self.set_question("", False)

    def value(self) -> SuggestSettings:
        """Return how places are chosen."""
        return self.choices.value()

    def setValue(self, settings: SuggestSettings) -> None:
        """Show settings, without telling of it."""
        self.choices.setValue(settings)

    def set_models(self, models: Sequence[tuple[str, Path]], current: Path | None) -> None:
        """Offer models; without any the dock says what to do."""
        self.models.clear()
        for name, folder in models:
            self.models.addItem(name, folder)
        found = [folder for _, folder in models]
        self.models.setCurrentIndex(found.index(current) if current in found else -1)
        self.empty.setVisible(not models)
        self._body.setVisible(bool(models))

    def set_images(self, names: Sequence[str], current: str) -> None:
        """Offer images."""
        if [self.images.itemText(row) for row in range(self.images.count())] != list(names):
            self.images.clear()
            self.images.addItems(list(names))
        self.images.setCurrentIndex(list(names).index(current) if current in names else -1)

    def set_findable(self, why_not: str) -> None:
        """Allow a search, or say why there is none."""
        self.search.setEnabled(not why_not and not self.busy.isVisibleTo(self))
        if why_not:
            self.status.setText(why_not)

    def set_busy(self, doing: str, done: int, total: int) -> None:
        """Show what a search is about, and how far it is."""
        self.busy.setVisible(bool(doing))
        self.cancel.setVisible(bool(doing))
        self.search.setEnabled(not doing)
        self.busy.setRange(0, total)
        self.busy.setValue(done)
        self.status.setText(doing)

    def set_trouble(self, text: str) -> None:
        """Tell why nothing came of a search."""
        if text:
            self.status.setText(text)

    def set_question(self, text: str, fits: bool) -> None:
        """Ask whether a large volume is to be predicted; an empty text asks nothing."""
        self.question.setText(text)
        self.begin.setEnabled(fits)
        self._asking.setVisible(bool(text))

    def set_places(self, rows: Sequence[PlaceRow], here: str) -> None:
        """Show the places, the newest round below."""
        self.places.clear()
        for row in rows:
            item = QTreeWidgetItem([str(row.number), row.place, row.by, row.state])
            item.setData(0, Qt.ItemDataRole.UserRole, row.key)
            item.setToolTip(2, _CHANCE if row.by == "chance" else _UNSURE)
            item.setToolTip(3, _WRONG)
            self.places.addTopLevelItem(item)
            if row.key == here:
                self.places.setCurrentItem(item)
                self.places.scrollToItem(item)
        self.places.setVisible(bool(rows))

    def set_step(self, told: str, waiting: bool, here: bool) -> None:
        """Say what to do now, and allow the buttons for it."""
        self.told.setText(told)
        self.told.setVisible(bool(told))
        self.steps["next"].setEnabled(waiting)
        self.steps["done"].setEnabled(here)
        self.steps["skip"].setEnabled(here)
        self.dense.setEnabled(here)

    def set_verdict(self, text: str) -> None:
        """Say whether suggestions pay."""
        self.verdict.setText(text)
        self._pays.setVisible(bool(text))

    def set_map(self, there: bool, shown: bool) -> None:
        """Say whether there is a map of uncertainty, and whether it is shown; tells of nothing."""
        self.map.setEnabled(there)
        before = self.map.blockSignals(True)
        self.map.setChecked(shown)
        self.map.blockSignals(before)

    def set_policy(self, policy: RetrainPolicy, text: str, due: bool, can_train: bool) -> None:
        """Show when to train again."""
        self.policy.show_policy(policy, text, due, can_train)

    def _on_place(self, item: QTreeWidgetItem, _column: int = 0) -> None:
        self.place_chosen.emit(item.data(0, Qt.ItemDataRole.UserRole))

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Model", self.models)
        form.addRow("Image", self.images)
        finding = QGridLayout()
        finding.addWidget(self.search, 0, 0)
        finding.addWidget(self.cancel, 0, 1)
        finding.addWidget(self.busy, 1, 0, 1, 2)
        self._asking = QWidget()
        asking = QGridLayout(self._asking)
        asking.setContentsMargins(0, 0, 0, 0)
        asking.addWidget(self.question, 0, 0, 1, 2)
        asking.addWidget(self.begin, 1, 0)
        asking.addWidget(self.leave, 1, 1)
        steps = QGridLayout()
        for place, button in enumerate(self.steps.values()):
            steps.addWidget(button, 0, place)
        self._pays = QGroupBox("Do suggestions pay here?")
        QVBoxLayout(self._pays).addWidget(self.verdict)
        again = QGroupBox("Train again")
        QVBoxLayout(again).addWidget(self.policy)
        self._body, inner = QWidget(), QWidget()
        column = QVBoxLayout(self._body)
        column.setContentsMargins(0, 0, 0, 0)
        for part in (form, self.choices, finding, self.status, self._asking, self.map, self.told, steps, self.dense,
                     self.places, self._pays, again):  # fmt: skip
            if isinstance(part, QWidget):
                column.addWidget(part)
            else:
                column.addLayout(part)
        whole = QVBoxLayout(inner)
        whole.setContentsMargins(8, 8, 8, 8)
        whole.addWidget(self.empty)
        whole.addWidget(self._body)
        whole.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(UpDownScroll(inner))


def _combo(tip: str) -> QComboBox:
    combo = QComboBox()
    combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    combo.setToolTip(tip)
    return combo


def _table() -> QTreeWidget:
    table = QTreeWidget()
    table.setHeaderLabels(list(_COLUMNS))
    table.setRootIsDecorated(False)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setToolTip("Click a place to go there; one that was skipped is open again then.")
    table.setAccessibleName("Places")
    table.setMinimumHeight(110)
    header = table.header()
    if header is not None:
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(len(_COLUMNS) - 1, QHeaderView.ResizeMode.Stretch)
    return table
