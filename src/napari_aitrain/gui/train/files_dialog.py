"""A dialog for one training source in files, made from `Source`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from magicgui.types import FileDialogMode
from magicgui.widgets import Container, FileEdit
from pydantic import ValidationError
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from ...annotation.boxes import read_boxes
from ...errors import AitrainError
from ...training.config import Source
from .fields import as_widget, make_field

_LABELS = {"image": "Image", "labels": "Ground truth", "voxel_size": "Voxel size z, y, x (nm)"}
_FILES = "Images (*.tif *.tiff *.png *.jpg *.npy *.npz *.zarr *.zip);;All files (*)"


class FilesDialog(QDialog):
    """Asks for image, labels and what the files do not say."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Training source from files")
        self._fields = {
            name: make_field(name, info, _LABELS.get(name, name.replace("_", " ").capitalize()))
            for name, info in Source.model_fields.items()
            if name != "boxes"
        }
        for name in ("image", "labels"):
            self._fields[name].widget.mode = FileDialogMode.EXISTING_FILE
            self._fields[name].widget.filter = _FILES
        self.boxes = FileEdit(
            mode=FileDialogMode.EXISTING_FILE,
            nullable=True,
            filter="Boxes (*.json)",
            label="Boxes",
            tooltip="JSON file with boxes; none means everything that is labelled.",
        )
        self._container = Container(widgets=[*as_widget(list(self._fields.values())), self.boxes])
        self.trouble = QLabel()
        self.trouble.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self._container.native)
        layout.addWidget(self.trouble)
        layout.addWidget(buttons)
        self.source: Source | None = None

    def setValue(self, **values: Any) -> None:
        """Fill in fields of `Source`."""
        for name, value in values.items():
            self._fields[name].value = value

    def accept(self) -> None:
        """Take the source if it is one; else say what is wrong and stay."""
        try:
            self.source = self._read()
        except AitrainError as error:
            self.trouble.setText(str(error))
        except ValidationError as error:
            first = error.errors()[0]
            self.trouble.setText(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}")
        else:
            super().accept()

    def _read(self) -> Source:
        values = {name: field.value for name, field in self._fields.items()}
        boxes: Any = self.boxes.value
        if boxes is not None and str(boxes) not in ("", "."):
            values["boxes"] = tuple(read_boxes(Path(boxes)))
        return Source.model_validate({key: value for key, value in values.items() if value is not None})
