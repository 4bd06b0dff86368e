"""What the Classify dock looks like: it shows what it is given, and says what was chosen and pressed."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QRadioButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ..buttons import push_button
from .class_table import ClassTable
from .sure_view import SureView

EMPTY = (
    "Open an image and its objects first: a labels layer, or a prediction. Or draw boxes in the Annotate dock to give "
    "classes to them."
)
_NO_MODEL = "no model"


class ClassifyView(QWidget):
    """What is classified, the classes, and what became of it.

    Signals
    -------
    kind_chosen : str
        objects or boxes.
    labels_chosen, image_chosen, model_chosen : str
        Names of layers, and the folder of a model; empty for none.
    choice_chosen : str
        single or multi.
    tool_toggled : bool
        Whether clicks mark.
    undo_pressed, train_pressed, cancel_pressed, save_pressed, apply_pressed, export_pressed
        The buttons.
    """

    kind_chosen = Signal(str)
    labels_chosen = Signal(str)
    image_chosen = Signal(str)
    model_chosen = Signal(str)
    choice_chosen = Signal(str)
    tool_toggled = Signal(bool)
    undo_pressed = Signal()
    train_pressed = Signal()
    cancel_pressed = Signal()
    save_pressed = Signal()
    apply_pressed = Signal()
    export_pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.objects, self.boxes = QRadioButton("O&bjects"), QRadioButton("Bo&xes")
        self.objects.setToolTip("Give a class to each object of a labels layer or of a prediction.")
        self.boxes.setToolTip("Give a class to each box, by what is in it.")
        self.objects.setChecked(True)
        group = QButtonGroup(self)
        for button, kind in ((self.objects, "objects"), (self.boxes, "boxes")):
            group.addButton(button)
            button.toggled.connect(lambda on, kind=kind: self.kind_chosen.emit(kind) if on else None)
        self.labels = _combo("The layer whose objects are classified.")
        self.image = _combo("The image: brightness and texture are measured in it. Without one, shapes alone.")
        self.model = _combo(
            "A model whose network also looks at each object. That helps where shape and brightness do not say enough, "
            "and takes longer."
        )
        self.choice = _combo("One class per object, or attributes, of which an object has any number.")
        self.choice.addItem("one class each", "single")
        self.choice.addItem("any number of attributes", "multi")
        self.table = ClassTable()
        self.tool = push_button(
            "&Click objects",
            "Click objects to give them the chosen class; again takes it back. Number keys choose the class, 0 says "
            "none of the attributes, Alt+click forgets an object, Ctrl+Z undoes, Esc ends.",
        )
        self.tool.setCheckable(True)
        self.undo = push_button("&Undo", "Take the last mark or change of classes back.", self.undo_pressed.emit)
        self.hint, self.status, self.empty = QLabel(), QLabel(), QLabel(EMPTY)
        for label in (self.hint, self.status, self.empty):
            label.setWordWrap(True)
        self.status.setAccessibleName("What was learned")
        self.train = push_button(
            "&Train and classify", "Learn from the marked objects, and classify all.", self.train_pressed.emit
        )
        self.cancel = push_button("Ca&ncel", "Leave it; marks stay.", self.cancel_pressed.emit)
        self.busy = QProgressBar()
        self.busy.setTextVisible(False)
        self.busy.setFixedHeight(8)
        self.busy.setAccessibleName("Measuring")
        self.sure = SureView()
        self.save = push_button("Sa&ve…", "Save the classifier, for other images and people.", self.save_pressed.emit)
        self.apply = push_button("&Apply…", "Classify by a classifier that was saved.", self.apply_pressed.emit)
        self.export = push_button(
            "&Export table…", "Write classes, probabilities and features of all objects.", self.export_pressed.emit
        )
        self._lay_out()
        self.labels.activated.connect(lambda _: self.labels_chosen.emit(self.labels.currentText()))
        self.image.activated.connect(lambda _: self.image_chosen.emit(self.image.currentText()))
        self.model.activated.connect(lambda _: self.model_chosen.emit(self.model.currentData() or ""))
        self.choice.activated.connect(lambda _: self.choice_chosen.emit(self.choice.currentData()))
        self.tool.toggled.connect(self.tool_toggled)
        self.set_busy(False)
        self.set_result("", False)

    @property
    def kind(self) -> str:
        """Objects or boxes."""
        return "objects" if self.objects.isChecked() else "boxes"

    def set_layers(self, labels: Sequence[str], images: Sequence[str], chosen: tuple[str, str]) -> None:
        """Offer layers; without any that fit the dock says what to do."""
        for combo, names, current in ((self.labels, labels, chosen[0]), (self.image, images, chosen[1])):
            if [combo.itemText(row) for row in range(combo.count())] != list(names):
                combo.clear()
                combo.addItems(list(names))
            combo.setCurrentIndex(list(names).index(current) if current in names else -1)
        boxes = self.kind == "boxes"
        self._form.setRowVisible(self.labels, not boxes)
        there = bool(images) if boxes else bool(labels)
        self.empty.setVisible(not there)
        self._body.setVisible(there)

    def set_models(self, models: Sequence[tuple[str, str]], current: str) -> None:
        """Offer models as name and folder."""
        self.model.clear()
        self.model.addItem(_NO_MODEL, "")
        for name, folder in models:
            self.model.addItem(name, folder)
        self.model.setCurrentIndex(max(0, self.model.findData(current)))

    def set_choice(self, choice: str) -> None:
        """Show whether classes exclude each other."""
        self.choice.setCurrentIndex(self.choice.findData(choice))

    def set_tool(self, on: bool, what: str) -> None:
        """Show whether clicks mark."""
        self.tool.setText(f"&Click {what}")
        self.tool.blockSignals(True)
        self.tool.setChecked(on)
        self.tool.blockSignals(False)

    def set_busy(self, busy: bool, done: int = 0, total: int = 0) -> None:
        """Show that something is measured, and how far it is."""
        self.busy.setRange(0, total)
        self.busy.setValue(done)
        self.busy.setVisible(busy)
        self.cancel.setVisible(busy)
        self.train.setEnabled(not busy)
        self.apply.setEnabled(not busy)

    def set_result(self, text: str, there: bool) -> None:
        """Tell what was learned."""
        self.status.setText(text)
        self.status.setVisible(bool(text))
        self.sure.setVisible(there)
        self.save.setEnabled(there)
        self.export.setEnabled(there)

    def _lay_out(self) -> None:
        kinds = QHBoxLayout()
        kinds.addWidget(QLabel("Classify"))
        kinds.addWidget(self.objects)
        kinds.addWidget(self.boxes)
        kinds.addStretch(1)
        self._form = QFormLayout()
        self._form.setContentsMargins(0, 0, 0, 0)
        for text, combo in (
            ("Objects", self.labels), ("Image", self.image), ("Look with", self.model), ("Each has", self.choice),
        ):  # fmt: skip
            self._form.addRow(text, combo)
        self._body = QWidget()
        column = QVBoxLayout(self._body)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._form)
        column.addWidget(self.table)
        clicking = QHBoxLayout()
        clicking.addWidget(self.tool)
        clicking.addWidget(self.undo)
        column.addLayout(clicking)
        column.addWidget(self.hint)
        grid = QGridLayout()
        grid.addWidget(self.train, 0, 0, 1, 2)
        grid.addWidget(self.busy, 1, 0)
        grid.addWidget(self.cancel, 1, 1)
        grid.setColumnStretch(0, 1)
        column.addLayout(grid)
        column.addWidget(self.status)
        column.addWidget(self.sure)
        files = QHBoxLayout()
        for button in (self.save, self.apply, self.export):
            files.addWidget(button)
        column.addLayout(files)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addLayout(kinds)
        layout.addWidget(self.empty)
        layout.addWidget(self._body)
        layout.addStretch(1)


def _combo(tip: str) -> QComboBox:
    combo = QComboBox()
    combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    combo.setToolTip(tip)
    return combo
