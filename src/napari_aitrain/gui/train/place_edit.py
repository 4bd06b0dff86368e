"""A field for where something lies: typed, pasted, dropped, or chosen as a file or a folder."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QMimeData, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget

from ...location import Location, absolute, located


class PlaceEdit(QWidget):
    """A line with a button for files, and one for folders where these will do.

    Parameters
    ----------
    name : str
        What is asked for, as people read it.
    tip : str
        More about it.
    files : str
        Filter of the dialog for files, as Qt writes it.
    folders : bool
        Whether it may be a folder or an address; else it is a file.

    Signals
    -------
    changed
        Of the text.
    """

    changed = Signal()

    def __init__(self, name: str, tip: str, files: str, folders: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._files = name, files
        self.line = QLineEdit()
        self.line.setMinimumWidth(260)
        self.line.setAccessibleName(name)
        self.line.setToolTip(tip)
        self.line.setPlaceholderText("File, folder or https://…" if folders else "None: everything that is labelled")
        # Drops are taken here: the line would write them as file:// into what it holds.
        self.line.setAcceptDrops(False)
        self.setAcceptDrops(True)
        self.file = QPushButton("File…")
        self.file.setAccessibleName(f"{name}: choose a file")
        self.folder = QPushButton("Folder…")
        self.folder.setAccessibleName(f"{name}: choose a folder")
        self.folder.setToolTip("A zarr, a dataset, or a folder of images.")
        self.folder.setVisible(folders)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line, 1)
        for button in (self.file, self.folder):
            button.setAutoDefault(False)
            layout.addWidget(button)
        self.line.textChanged.connect(self.changed)
        self.file.clicked.connect(self._on_file)
        self.folder.clicked.connect(self._on_folder)

    def value(self) -> Location | None:
        """Return the location, None where the line is empty."""
        # Some file managers copy paths in quotes.
        text = self.line.text().strip().strip("\"'")
        place = located(text)
        return None if not text else absolute(place.expanduser() if isinstance(place, Path) else place)

    def setValue(self, place: Location | None) -> None:
        """Show a location."""
        self.line.setText("" if place is None else str(place))

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Accept a file, a folder or an address."""
        if event is not None and len(places_of(event.mimeData())) == 1:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Take it."""
        if event is not None:
            self.setValue(places_of(event.mimeData())[0])
            event.acceptProposedAction()

    def _on_file(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, self._name, self._start(), self._files)
        if chosen:
            self.setValue(Path(chosen))

    def _on_folder(self) -> None:
        if chosen := QFileDialog.getExistingDirectory(self, self._name, self._start()):
            self.setValue(Path(chosen))

    def _start(self) -> str:
        place = self.value()
        return str(place.parent) if isinstance(place, Path) else ""


def places_of(dropped: QMimeData | None) -> list[Location]:
    """Return the files, folders and addresses that something dropped holds."""
    urls = dropped.urls() if dropped is not None and dropped.hasUrls() else []
    return [
        Path(url.toLocalFile()) if url.isLocalFile() else located(bytes(url.toEncoded().data()).decode())
        for url in urls
    ]
