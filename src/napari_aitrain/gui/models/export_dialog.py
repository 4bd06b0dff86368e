"""What is asked before a model is exported: for whom, and what the zoo is told of it."""

from __future__ import annotations

import getpass

from qtpy.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from .listing import Listed

_KINDS = {
    "aitrain": "A colleague with napari-aitrain (.aitrain.zip)",
    "bioimageio": "The BioImage Model Zoo, and programs that read it (.zip)",
    "cellpose": "Cellpose",
}
_LICENCES = ("CC-BY-4.0", "CC0-1.0", "MIT", "BSD-3-Clause", "CC-BY-NC-4.0")


class ExportDialog(QDialog):
    """Asks for whom a model is written.

    Parameters
    ----------
    row : Listed
        The model.
    parent : QWidget, optional
        The dock.
    """

    def __init__(self, row: Listed, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Export {row.label}")
        architecture = "unet" if row.card is None else row.card.network.get("architecture", "unet")
        self.kinds = QComboBox()
        self.kinds.setToolTip("Which programs are to open the file.")
        for kind, text in _KINDS.items():
            if kind == "aitrain" or {"bioimageio": "unet", "cellpose": "cellpose"}[kind] == architecture:
                self.kinds.addItem(text, kind)
        self.title = QLineEdit(row.name)
        self.title.setToolTip("What the model is called in the zoo.")
        self.about = QLineEdit("" if row.card is None else row.card.comments.split("\n")[0])
        self.about.setToolTip("A sentence on what it is for.")
        self.author = QLineEdit(_user())
        self.author.setToolTip("Who made the model.")
        self.licence = QComboBox()
        self.licence.setEditable(True)
        self.licence.addItems(list(_LICENCES))
        self.licence.setToolTip("On what terms others may use it (an SPDX name).")
        self.note = QLabel("Names of images are written, and not where they lie.")
        self.note.setWordWrap(True)
        self._fields = QWidget()
        form = QFormLayout(self._fields)
        form.setContentsMargins(0, 0, 0, 0)
        for name, widget in (("Title", self.title), ("For", self.about), ("Author", self.author)):
            form.addRow(name, widget)
        form.addRow("Licence", self.licence)
        form.addRow(self.note)
        box = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        box.accepted.connect(self.accept)
        box.rejected.connect(self.reject)
        top = QFormLayout()
        top.addRow("For", self.kinds)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(self._fields)
        layout.addWidget(box)
        self.kinds.currentIndexChanged.connect(lambda: self._fields.setVisible(self.kind == "bioimageio"))
        self._fields.setVisible(False)

    @property
    def kind(self) -> str:
        """For whom: aitrain, bioimageio or cellpose."""
        return str(self.kinds.currentData())

    def options(self) -> list[str]:
        """Return what the command is told besides."""
        if self.kind != "bioimageio":
            return []
        given = {"--title": self.title, "--description": self.about, "--author": self.author}
        told = [part for name, field in given.items() if field.text().strip() for part in (name, field.text().strip())]
        return [*told, "--licence", self.licence.currentText().strip() or _LICENCES[0]]


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
