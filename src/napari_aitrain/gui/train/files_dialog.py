"""A dialog for one training source that is no layer: files, folders or addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from ...errors import ConfigError
from ...location import Location, Url
from ...training.config import Source
from ...volumes import open_volume
from ...volumes.pairs import match_files, says_labels
from ...volumes.webknossos import boxes_for
from ..aside import Aside
from .fields import FormField, make_field
from .place_edit import PlaceEdit

_PLACES = {"image": "Image", "labels": "Ground truth"}
_ELSEWHERE = frozenset({"object_classes"})
"""Given in the Classify dock, or in a config."""
_LABELS = {"voxel_size": "Voxel size z, y, x (nm)", "sparse": "Sparse: 0 is unlabelled"}
_FILES = "Images (*.tif *.tiff *.png *.jpg *.npy *.npz *.h5 *.hdf5 *.zip);;All files (*)"
_BOXES = "Boxes (*.json *.nml *.zip);;All files (*)"
_BOXES_TIP = "JSON, or an NML or an annotation from WEBKNOSSOS; none means everything that is labelled."


class FilesDialog(QDialog):
    """Asks for image, labels and what they do not say themselves.

    Attributes
    ----------
    source : Source or None
        What was given, after `accept`.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Training source from files")
        self.source: Source | None = None
        self._aside: Aside[Source] = Aside()
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        self.places: dict[str, PlaceEdit] = {}
        self._fields: dict[str, FormField] = {}
        for name, info in Source.model_fields.items():
            label = _PLACES.get(name) or _LABELS.get(name, name.replace("_", " ").capitalize())
            if name in _PLACES:
                self.places[name] = PlaceEdit(label, info.description or "", _FILES)
                form.addRow(label, self.places[name])
            elif name == "boxes":
                self.boxes = PlaceEdit("Boxes", _BOXES_TIP, _BOXES, folders=False)
                form.addRow("Boxes", self.boxes)
            elif name not in _ELSEWHERE:
                self._fields[name] = make_field(name, info, label)
                form.addRow(label, self._fields[name].widget.native)
        self._fields["sparse"].widget.text = ""
        self.trouble = QLabel()
        self.trouble.setWordWrap(True)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.trouble)
        layout.addWidget(self.buttons)

    def setValue(self, **values: Any) -> None:
        """Fill in fields of `Source`; boxes are given as their file."""
        for name, value in values.items():
            if name in self.places:
                self.places[name].setValue(value)
            elif name == "boxes":
                self.boxes.setValue(value)
            else:
                self._fields[name].value = value

    def accept(self) -> None:
        """Look at the source, and take it if it is one; else say what is wrong and stay."""
        values = {name: field.value for name, field in self._fields.items()}
        values |= {name: place.value() for name, place in self.places.items()}
        try:
            source = Source.model_validate({key: value for key, value in values.items() if value is not None})
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            self._on_trouble(f"{_PLACES.get(name, name)}: {first['msg']}")
            return
        boxes = self.boxes.value()
        self._set_looking(True)
        self._aside.run(lambda: _looked_at(source, boxes), self._on_source, lambda error: self._on_trouble(str(error)))

    def done(self, result: int) -> None:
        """Close; what is still looked at is forgotten."""
        self._aside.close()
        super().done(result)

    def _on_source(self, source: Source) -> None:
        self.source = source
        super().accept()

    def _on_trouble(self, text: str) -> None:
        self._set_looking(False)
        self.trouble.setText(text)

    def _set_looking(self, looking: bool) -> None:
        button = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
        if button is not None:
            button.setEnabled(not looking)
        self.trouble.setText("Looking at the files…" if looking else "")


def fields_of(dropped: Sequence[Location]) -> dict[str, Location]:
    """Return which field each of one or two dropped files belongs in, by their names; of two the first is the image.

    Raises
    ------
    ConfigError
        If there are more.
    """
    if len(dropped) > 2:
        raise ConfigError(
            f"{len(dropped)} files were dropped at once",
            "an image and its ground truth, or two folders of the same file names",
            "drop two at a time, or put images and ground truth into a folder each",
        )
    labels_first = says_labels(dropped[0]) and not says_labels(dropped[-1])
    if len(dropped) == 1:
        return {"labels" if says_labels(dropped[0]) else "image": dropped[0]}
    return dict(zip(("labels", "image") if labels_first else ("image", "labels"), dropped, strict=True))


def _looked_at(source: Source, boxes: Location | None) -> Source:
    """Return a source with its boxes, as the command line reads them; of two files those of folders are matched."""
    match_files(source.image, source.labels)
    if boxes is None:
        return source
    if isinstance(boxes, Url):
        raise ConfigError(f"{boxes} is an address", "a file of boxes on this computer", "download it first")
    found = boxes_for(boxes, lambda: open_volume(source.image, axes=source.axes).place)
    return source.model_copy(update={"boxes": found})
