"""What the dialog of remote models looks like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QTabWidget, QVBoxLayout, QWidget

from ...inference.remote.steps import After, Before
from ..buttons import push_button
from ..scrolling import UpDownScroll
from .draft import Draft
from .outputs_view import OutputsView
from .server_view import ServerView, TilesView
from .steps_view import StepsView


class RemoteView(QWidget):
    """A list of remote models, a form for one, and what a test of it found.

    Signals
    -------
    chosen : object
        The folder of a model, or None for a new one.
    test_requested, stop_requested, save_requested
        A button was pressed.
    classes_requested
        The classes of the ground truth are to be filled in.
    """

    chosen = Signal(object)
    test_requested = Signal()
    stop_requested = Signal()
    save_requested = Signal()
    classes_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.models = QComboBox()
        self.models.setToolTip("A remote model to look at and change, or a new one.")
        self.models.setAccessibleName("Remote model")
        self.models.activated.connect(lambda _: self.chosen.emit(self.models.currentData()))
        self.server, self.tiles, self.outputs = ServerView(), TilesView(), OutputsView()
        self.before = StepsView(_kinds(Before), "The image is sent as it is, as float32.")
        self.after = StepsView(_kinds(After), "The answer is taken as it is.")
        self.tabs = QTabWidget()
        self._tab_of = {name: self.tabs.addTab(page, title) for name, title, page in (
            ("server", "Ser&ver", _scrolled(self.server)), ("classes", "&Outputs", self.outputs),
            ("steps", "Ste&ps", _scrolled(self._steps())), ("tiles", "T&iles and time", _scrolled(self.tiles)),
        )}  # fmt: skip
        self.result = QLabel()
        self.result.setWordWrap(True)
        # What servers say must not be taken for markup.
        self.result.setTextFormat(Qt.TextFormat.PlainText)
        self.result.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.result.setAccessibleName("What the test found")
        self.test = push_button("&Test connection", "Send a small made image, and say what came of it.", self._on_test)
        self.save = push_button(
            "&Save", "Keep the model in the model store under its name. The key goes into the system keyring.",
            self.save_requested.emit,
        )  # fmt: skip
        self._testing = False
        self._lay_out()
        self.server.form_changed.connect(self._on_form)
        self.outputs.classes_requested.connect(self.classes_requested)
        self.set_busy("")
        self._on_form()

    def value(self) -> Draft:
        """Return what stands in the form."""
        settings = {**self.server.settings(), **self.tiles.settings()}
        if settings["form"] != "aitrain":
            settings |= {
                "outputs": self.outputs.value(), "before": self.before.value(), "after": self.after.value(),
            }  # fmt: skip
        return Draft(self.server.name.text().strip(), settings, self.server.header.currentText().strip(),
                     self.server.key.text().strip())  # fmt: skip

    def setValue(self, draft: Draft, known: bool) -> None:
        """Show a form; of a known model the name stays, and its key is in the keyring."""
        settings: Mapping[str, Any] = draft.settings
        self.server.setValue(draft, known)
        self.tiles.setValue(settings)
        self.outputs.setValue(settings.get("outputs", ()))
        self.before.setValue(settings.get("before", ()))
        self.after.setValue(settings.get("after", ()))
        self.set_result("")
        self._on_form()

    def set_models(self, models: Sequence[tuple[str, object]], current: object) -> None:
        """List models, a new one first."""
        self.models.clear()
        self.models.addItem("New remote model", None)
        for name, folder in models:
            self.models.addItem(name, folder)
        # Qt finds paths by identity alone.
        known = [self.models.itemData(row) for row in range(self.models.count())]
        self.models.setCurrentIndex(known.index(current) if current in known else 0)

    def set_result(self, text: str) -> None:
        """Say what a test found, or why nothing was saved."""
        self.result.setText(text)
        self.result.setVisible(bool(text))

    def set_busy(self, what: str) -> None:
        """Show that something is being done: ``test``, ``save`` or nothing."""
        self._testing = what == "test"
        self.test.setText("S&top" if self._testing else "&Test connection")
        self.test.setEnabled(what != "save")
        self.save.setEnabled(not what)
        if what:
            self.set_result("Testing…" if self._testing else "Saving…")

    def _on_test(self) -> None:
        (self.stop_requested if self._testing else self.test_requested).emit()

    def _on_form(self) -> None:
        ours = self.server.form.currentData() == "aitrain"
        for name in ("classes", "steps"):
            self.tabs.setTabEnabled(self._tab_of[name], not ours)
        self.tiles.set_ours(ours)

    def _steps(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        for title, tip, steps in (
            ("Before the image is sent", "What makes of your image what the server expects.", self.before),
            ("On the answer", "What makes classes, objects or probabilities of what the server answers.", self.after),
        ):
            label = QLabel(title)
            label.setToolTip(tip)
            layout.addWidget(label)
            layout.addWidget(steps)
        layout.addStretch()
        return page

    def _lay_out(self) -> None:
        top = QFormLayout()
        top.addRow("Model", self.models)
        row = QHBoxLayout()
        row.addWidget(self.test)
        row.addStretch()
        row.addWidget(self.save)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.result)
        layout.addLayout(row)


def _kinds(union: Any) -> Sequence[Any]:
    """Return the kinds of steps in an annotated union."""
    return get_args(get_args(union)[0])


def _scrolled(page: QWidget) -> QWidget:
    return UpDownScroll(page)
