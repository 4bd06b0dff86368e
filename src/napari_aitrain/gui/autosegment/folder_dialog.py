"""A window that stays open beside napari's: the images of a folder, where their labels go, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ..buttons import push_button
from ..train.place_edit import PlaceEdit

if TYPE_CHECKING:
    from ...jobs.segmenter import SegmentedFile

_IMAGES_TIP = "All images in it are segmented; other files are left alone."
_LABELS_TIP = "A new or empty folder: one file of labels per image, under the name of the image."
_COLUMNS = ("Image", "Objects", "Remarks")


class FolderDialog(QDialog):
    """Asks for two folders, shows how far it is, and what was done.

    Signals
    -------
    own_toggled
        Whether each image suggests its own numbers.
    start_pressed
        Segment the folder.
    cancel_pressed
        End it; what is done stays.
    open_pressed : int
        Number of an image that was segmented: open it with its labels.
    train_pressed
        Train on all that was segmented.
    """

    own_toggled = Signal()
    start_pressed = Signal()
    cancel_pressed = Signal()
    open_pressed = Signal(int)
    train_pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Segment a folder")
        self.images = _folder_edit("Images", _IMAGES_TIP)
        self.labels = _folder_edit("Labels go to", _LABELS_TIP)
        self.numbers = QLabel()
        self.numbers.setWordWrap(True)
        self.own = QCheckBox("Let each &image suggest its own numbers")
        self.own.setToolTip("Instead of those of the dock; for images whose objects differ in size.")
        self.own.toggled.connect(lambda _: self.own_toggled.emit())
        self.start = push_button("&Start", "Segment all images of the folder.", self.start_pressed.emit)
        self.cancel = push_button("&Cancel", "End it; files that are written stay.", self.cancel_pressed.emit)
        self.bar = QProgressBar()
        self.bar.setAccessibleName("Images done")
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.status.setAccessibleName("What was done")
        self.table = QTreeWidget()
        self.table.setHeaderLabels(list(_COLUMNS))
        self.table.setRootIsDecorated(False)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setAccessibleName("Images")
        self.table.setToolTip("Double-click an image to open it with its labels.")
        self.correct = push_button(
            "&Open and correct", "Open the selected image; its labels are ground truth to correct.", self._on_open
        )
        self.train = push_button(
            "&Train on all of them", "Add every image and its labels to the Train dock.", self.train_pressed.emit
        )
        self._touched = False
        self._lay_out()
        self.images.changed.connect(self._propose)
        self.labels.changed.connect(self._allow)
        self.labels.line.textEdited.connect(lambda _: self._on_touched())
        self.table.itemSelectionChanged.connect(self._allow_open)
        self.table.itemActivated.connect(lambda *_: self._on_open())
        self.set_busy(False)
        self.set_results(())

    def folders(self) -> tuple[Path, Path]:
        """Return where the images are and where the labels are to be."""
        images, labels = self.images.value(), self.labels.value()
        assert isinstance(images, Path) and isinstance(labels, Path)
        return images, labels

    def set_numbers(self, text: str, own: bool) -> None:
        """Say by which numbers it is done, and whether each image can suggest its own."""
        self.numbers.setText(text)
        self.own.setVisible(own)

    def set_busy(self, busy: bool) -> None:
        """Show whether a folder is being segmented."""
        self._busy = busy
        self.bar.setVisible(busy)
        self.bar.setRange(0, 0)
        self.cancel.setVisible(busy)
        self.cancel.setEnabled(True)
        for widget in (self.images, self.labels, self.own):
            widget.setEnabled(not busy)
        self._allow()

    def set_progress(self, done: int, total: int, name: str) -> None:
        """Show how many images are done, and which is being segmented."""
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self.status.setText(f"{done:,} of {total:,} done; {name}…")

    def set_status(self, text: str) -> None:
        """Tell what was done, or why nothing was."""
        self.status.setText(text)

    def set_results(self, files: Sequence[SegmentedFile]) -> None:
        """Show what became of the images; those with an error first."""
        self.table.clear()
        rows = sorted(enumerate(files), key=lambda row: (not row[1].error, not row[1].warning))
        for number, one in rows:
            remark = (one.error or one.warning).splitlines()[:1]
            # The name stands beside it.
            short = [line.removeprefix(one.image).lstrip(" :") for line in remark]
            item = QTreeWidgetItem([Path(one.image).name, "" if one.error else f"{one.objects:,}", *short])
            item.setToolTip(2, one.error or one.warning)
            item.setToolTip(0, one.image)
            item.setTextAlignment(1, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter))
            item.setData(0, Qt.ItemDataRole.UserRole, -1 if one.error else number)
            self.table.addTopLevelItem(item)
        for widget in (self.table, self.correct, self.train):
            widget.setVisible(bool(files))
        self.train.setEnabled(any(not one.error for one in files))
        first = next((n for n, (_, one) in enumerate(rows) if not one.error), None)
        if first is not None:
            self.table.setCurrentItem(self.table.topLevelItem(first))
        self._allow_open()
        if files:
            self.resize(max(self.width(), 560), max(self.height(), 420))

    def _chosen(self) -> int:
        chosen = self.table.selectedItems()
        return int(chosen[0].data(0, Qt.ItemDataRole.UserRole)) if chosen else -1

    def _on_open(self) -> None:
        if self._chosen() >= 0:
            self.open_pressed.emit(self._chosen())

    def _allow_open(self) -> None:
        self.correct.setEnabled(self._chosen() >= 0)

    def _on_touched(self) -> None:
        self._touched = True

    def _propose(self) -> None:
        """Propose a folder beside that of the images, unless a person has written one."""
        images = self.images.value()
        if not self._touched:
            named = images if isinstance(images, Path) and images.name else None
            self.labels.setValue(named and named.with_name(f"{named.name} labels"))
        self._allow()

    def _allow(self) -> None:
        both = isinstance(self.images.value(), Path) and isinstance(self.labels.value(), Path)
        self.start.setEnabled(both and not self._busy)

    def _lay_out(self) -> None:
        self._busy = False
        form = QFormLayout()
        form.addRow("I&mages", self.images)
        form.addRow("&Labels go to", self.labels)
        form.addRow("Numbers", self.numbers)
        form.addRow("", self.own)
        pressed, after = QHBoxLayout(), QHBoxLayout()
        for row, buttons in ((pressed, (self.start, self.cancel)), (after, (self.correct, self.train))):
            row.addStretch(1)
            for button in buttons:
                button.setAutoDefault(False)
                row.addWidget(button)
        header = self.table.header()
        assert header is not None
        header.setStretchLastSection(True)
        self.table.setColumnWidth(0, 190)
        self.table.setColumnWidth(1, 70)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addLayout(pressed)
        column.addWidget(self.bar)
        column.addWidget(self.status)
        column.addWidget(self.table, 1)
        column.addLayout(after)


def _folder_edit(name: str, tip: str) -> PlaceEdit:
    edit = PlaceEdit(name, tip, "")
    edit.file.hide()
    edit.line.setPlaceholderText("A folder")
    edit.folder.setToolTip(tip)
    edit.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return edit
