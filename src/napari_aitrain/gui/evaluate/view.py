"""What the Evaluate dock looks like: it shows what it is given, and says what was pressed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QComboBox,
    QFrame,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QStyle,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from ..buttons import push_button
from ..scrolling import UpDownScroll
from .ask_view import AskView
from .show_view import ShowView
from .tables import ErrorTable, FigureTable

if TYPE_CHECKING:
    from .plots import UnitPlot

EMPTY = (
    "How good is a model, and where does it fail? Give a few boxes with ground truth the role test in the Annotate "
    "dock, train, and press Evaluate: they are compared with what the model predicts in them."
)
_WIDTH = 350
"""At which three columns of figures and their names can be read."""
_KINDS = ("all", "missed", "false", "merged", "split")
_PLOTS = {
    "threshold": ("threshold", "share", "Precision: how many predictions are right. Recall: how many of the truth are "
                  "found. F1: both. Over the lowest score that is shown."),
    "agreement": ("threshold", "bits", "Variation of information over the threshold: 0 is best. To the left neurons "
                  "are merged, to the right split."),
    "trust": ("score", "share right", "On the diagonal scores mean what they say: of predictions of score 0.8, 8 of 10 "
              "are right."),
}  # fmt: skip


class EvaluateView(QWidget):
    """The parts of the dock, from the question above to the box on screen below.

    Signals
    -------
    opened : object
        The folder of an evaluation.
    lock_requested
        The best threshold is to be stored in the model.
    report_requested
        A report is to be written.
    kind_chosen : str
        Which errors are listed: all, or one kind.
    """

    opened = Signal(object)
    lock_requested = Signal()
    report_requested = Signal()
    kind_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.ask = AskView()
        self.empty = _words(EMPTY)
        self.results = QComboBox()
        self.results.setToolTip("What was found before, the newest first.")
        self.results.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.results.activated.connect(lambda _at: self.opened.emit(self.results.currentData()))
        self.report = push_button(
            "Re&port…", "Save one page with all figures and pictures, and tables beside it (CSV).", self._on_report
        )
        self.cautions = QFrame()
        self.cautions.setFrameShape(QFrame.Shape.StyledPanel)
        self._caution = _words("")
        self._caution.setAccessibleName("Why the figures may flatter")
        self.figures = FigureTable("Figures by role")
        self.classes = FigureTable("Figures by class and role")
        self.training = _words("")
        self.errors = ErrorTable()
        self.kinds = QComboBox()
        self.kinds.setToolTip("Which objects are listed.")
        self.kinds.addItems(_KINDS)
        self.kinds.currentTextChanged.connect(self.kind_chosen)
        self.counts = _words("")
        self.threshold_text, self.trust_text = _words(""), _words("")
        self.lock = push_button(
            "&Lock in the best",
            "Store the threshold that serves validation best in the model. Test boxes must not choose it: their "
            "figures would flatter then.",
            self.lock_requested.emit,
        )
        self.show_box = ShowView()
        self.plots: dict[str, UnitPlot] = {}
        self.agreement = False
        """Whether the threshold joins neurons."""
        self._wanted: dict[str, Mapping[str, Any]] = {}
        self._loading = QTimer(self)
        self._loading.setSingleShot(True)
        self._loading.timeout.connect(self._load_plots)
        self._pages: dict[str, QVBoxLayout] = {}
        self._lay_out()
        self.set_found(False)

    def set_found(self, found: bool) -> None:
        """Show the parts that say something of an evaluation, or what to do first."""
        self.empty.setVisible(not found)
        for part in (self.chosen, self.shown, self.found):
            part.setVisible(found)

    def set_results(self, results: Sequence[tuple[str, Any]], chosen: Any) -> None:
        """Offer evaluations: names, and what stands for each."""
        self.results.clear()
        for name, key in results:
            self.results.addItem(name, key)
        self.results.setCurrentIndex(next((n for n, (_, key) in enumerate(results) if key == chosen), -1))
        self.results.setVisible(bool(results))

    def set_cautions(self, cautions: Sequence[tuple[str, str]]) -> None:
        """Say why figures may flatter, and what to do about it."""
        self._caution.setText("\n".join(text for text, _ in cautions))
        self.cautions.setToolTip("\n\n".join(f"{text}\n{remedy}" for text, remedy in cautions))
        self.cautions.setVisible(bool(cautions))

    def set_plot(self, name: str, **drawn: Any) -> None:
        """Draw a plot; the library for that is loaded when there is first something to draw."""
        self._wanted[name] = drawn
        if name in self.plots:
            self.plots[name].set_lines(**drawn)
        else:
            self._loading.start()

    def set_threshold(self, text: str, lockable: bool, agreement: bool) -> None:
        """Say what is locked and what would be best; plot variation of information, or precision and recall."""
        self.threshold_text.setText(text)
        self.lock.setEnabled(lockable)
        self.agreement = agreement
        for name, plot in self.plots.items():
            if name != "trust":
                plot.setVisible((name == "agreement") == agreement)

    def set_trust(self, text: str) -> None:
        """Say how far scores can be trusted."""
        self.trust_text.setText(text)

    def _load_plots(self) -> None:
        from .plots import UnitPlot

        for name, (across, up, tip) in _PLOTS.items():
            if name not in self.plots:
                self.plots[name] = UnitPlot(across, up, tip)
                self._pages["trust" if name == "trust" else "threshold"].insertWidget(0, self.plots[name], 1)
                if name != "trust":
                    self.plots[name].setVisible((name == "agreement") == self.agreement)
            if name in self._wanted:
                self.plots[name].set_lines(**self._wanted[name])

    def _on_report(self) -> None:
        self.report_requested.emit()

    def _lay_out(self) -> None:
        style = self.style()
        icon = QLabel()
        if style is not None:
            size = style.pixelMetric(QStyle.PixelMetric.PM_SmallIconSize)
            icon.setPixmap(style.standardIcon(QStyle.StandardPixmap.SP_MessageBoxWarning).pixmap(size, size))
        icon.setAlignment(Qt.AlignmentFlag.AlignTop)
        warned = QHBoxLayout(self.cautions)
        warned.setContentsMargins(6, 4, 6, 4)
        warned.addWidget(icon)
        warned.addWidget(self._caution, 1)
        self.tabs = QTabWidget()
        self.tabs.setUsesScrollButtons(False)
        self.tabs.addTab(_page([self.figures, self.classes]), "Figures")
        self.tabs.addTab(_page([self._kinds_row(), self.errors]), "Worst")
        threshold, trust = _page([self.threshold_text, self.lock]), _page([self.trust_text])
        for name, page in (("threshold", threshold), ("trust", trust)):
            layout = page.layout()
            assert isinstance(layout, QVBoxLayout)
            self._pages[name] = layout
        self.tabs.addTab(threshold, "Threshold")
        self.tabs.addTab(trust, "Scores")
        self.tabs.addTab(_page([self.training]), "Training")
        self.chosen, self.found, self.shown = QWidget(), QWidget(), QGroupBox("Boxes in the viewer")
        chosen = QHBoxLayout(self.chosen)
        chosen.setContentsMargins(0, 0, 0, 0)
        chosen.addWidget(self.results, 1)
        chosen.addWidget(self.report)
        found = QVBoxLayout(self.found)
        found.setContentsMargins(0, 0, 0, 0)
        found.addWidget(self.cautions)
        found.addWidget(self.tabs)
        box = QVBoxLayout(self.shown)
        box.setContentsMargins(6, 6, 6, 6)
        box.addWidget(self.show_box)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.addStrut(_WIDTH)
        column.setContentsMargins(6, 6, 6, 6)
        for part in (self.ask, self.empty, self.chosen, self.shown, self.found):
            column.addWidget(part)
        column.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        scroll = UpDownScroll(inside)
        inside.installEventFilter(scroll)
        layout.addWidget(scroll)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)

    def _kinds_row(self) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.kinds)
        layout.addWidget(self.counts, 1)
        return row


def _page(widgets: Sequence[QWidget]) -> QWidget:
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.setContentsMargins(4, 6, 4, 4)
    for widget in widgets:
        layout.addWidget(widget)
    layout.addStretch(1)
    return page


def _words(text: str) -> QLabel:
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
