"""What the dialog of weights looks like: which there are, on what terms, and how far a download is."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QEvent, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QPalette, QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from ...words import spoken_size
from ..buttons import push_button
from .downloads import Standing
from .telling import PLACE_TIP, by_hand, free_text, licence_text, progress_text, row_text

_FIELDS = {
    "note": "For",
    "source": "Source",
    "size": "Size",
    "licence": "Licence",
    "place": "Place",
    "free": "Free disk",
}
_STEPS = 1000


class WeightsView(QWidget):
    """A list of weights, what is known of the chosen ones, and what can be done.

    Signals
    -------
    download_requested, cancel_requested, file_requested, folder_requested : str
        Name of the weights: fetch them on the terms that were agreed to; stop that; take a file; show the place.
    """

    download_requested = Signal(str)
    cancel_requested = Signal(str)
    file_requested = Signal(str)
    folder_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._standings: dict[str, Standing] = {}
        self.list = QListWidget()
        self.list.setToolTip("Weights of other people's networks. Nothing is downloaded before you agree.")
        self.list.setAccessibleName("Weights")
        self.list.setMaximumHeight(74)
        self.fields = {name: _words(title) for name, title in _FIELDS.items()}
        self.fields["place"].setToolTip(PLACE_TIP)
        self.fields["licence"].setOpenExternalLinks(True)
        self.agreed = QCheckBox("I &agree to this licence")
        self.agreed.setToolTip("Read the licence behind the link first. Nothing is downloaded without this.")
        self.download = push_button(
            "&Download", "Fetch the file from the source above. It can be cancelled, and goes on where it stopped.",
            lambda: self.download_requested.emit(self.value()),
        )  # fmt: skip
        self.cancel = push_button(
            "&Cancel", "Stop the download. What has come stays, and the next download goes on from there.",
            lambda: self.cancel_requested.emit(self.value()),
        )  # fmt: skip
        self.file = push_button(
            "Choose a &file…", "Take a file that was downloaded elsewhere: it is checked, and copied to its place.",
            lambda: self.file_requested.emit(self.value()),
        )  # fmt: skip
        self.folder = push_button(
            "&Open folder", "Show the place in the file manager; the folder is made if it is not there.",
            lambda: self.folder_requested.emit(self.value()),
        )  # fmt: skip
        self.bar = QProgressBar()
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.bar.setAccessibleName("Progress of the download")
        self.progress, self.trouble, self.hand = (_words(name) for name in ("Progress", "What is wrong", "By hand"))
        self._lay_out()
        self.list.currentRowChanged.connect(self._on_chosen)
        self.agreed.toggled.connect(self._show)

    def value(self) -> str:
        """Return the name of the chosen weights; empty if there are none."""
        item = self.list.currentItem()
        return "" if item is None else str(item.data(Qt.ItemDataRole.UserRole))

    def setValue(self, name: str) -> None:
        """Choose weights."""
        for row in range(self.list.count()):
            item = self.list.item(row)
            if item is not None and item.data(Qt.ItemDataRole.UserRole) == name:
                self.list.setCurrentRow(row)

    def set_standings(self, standings: Sequence[Standing]) -> None:
        """Show how it stands with all weights."""
        if [one.known.name for one in standings] != list(self._standings):
            self.list.clear()
            for one in standings:
                item = QListWidgetItem(self.list)
                item.setData(Qt.ItemDataRole.UserRole, one.known.name)
        self._standings = {one.known.name: one for one in standings}
        for row, one in enumerate(standings):
            shown = self.list.item(row)
            assert shown is not None
            shown.setText(row_text(one))
        if self.list.currentRow() < 0 and standings:
            self.list.setCurrentRow(0)
        self._show()

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow the theme, which is put on after the dialog was made, and may change."""
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            self._show()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Take the colours of the window."""
        super().showEvent(event)
        self._show()

    def _on_chosen(self) -> None:
        # Who has agreed to one licence has not agreed to another.
        self.agreed.setChecked(False)
        self._show()

    def _show(self) -> None:
        one = self._standings.get(self.value())
        if one is None:
            return
        known = one.known
        texts = {"note": known.note, "source": known.url, "size": spoken_size(known.size), "free": free_text(one),
                 "licence": licence_text(known, self._ink()), "place": str(one.place)}  # fmt: skip
        for name, text in texts.items():
            self.fields[name].setText(text)
        fetching, idle = one.busy == "download", not one.busy and not one.present
        for widget, shown in (
            (self.agreed, idle), (self.download, not fetching), (self.cancel, fetching), (self.bar, bool(one.busy)),
            (self.progress, bool(one.busy)), (self.trouble, bool(one.trouble)), (self.hand, not one.present),
        ):  # fmt: skip
            widget.setVisible(shown)
        self.download.setText(f"&Go on: {spoken_size(known.size - one.here)} are missing" if one.here else "&Download")
        if one.present:
            self.download.setText("Is here")
        self.download.setEnabled(idle and self.agreed.isChecked() and one.fits)
        self.file.setEnabled(idle)
        self.bar.setRange(0, _STEPS if fetching else 0)
        self.bar.setValue(round(_STEPS * one.here / max(1, known.size)))
        self.progress.setText(progress_text(one))
        self.trouble.setText(one.trouble)
        self.hand.setText(by_hand(known, str(one.place)))

    def _ink(self) -> str:
        """Return the colour of text: Qt's own one of links cannot be read in napari's dark theme."""
        return str(self.palette().color(QPalette.ColorRole.WindowText).name())

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name, title in _FIELDS.items():
            form.addRow(title, self.fields[name])
        row = QHBoxLayout()
        row.addWidget(self.download)
        row.addWidget(self.cancel)
        row.addStretch()
        row.addWidget(self.file)
        row.addWidget(self.folder)
        layout = QVBoxLayout(self)
        layout.addWidget(self.list)
        layout.addLayout(form)
        layout.addWidget(self.agreed)
        layout.addLayout(row)
        for widget in (self.bar, self.progress, self.trouble, self.hand):
            layout.addWidget(widget)
        layout.addStretch()


def _words(name: str) -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setAccessibleName(name)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
    return label
