"""Two pages of the form: the server and its key; tiles and time-outs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QLabel, QLineEdit, QSpinBox, QWidget

from ...inference.remote.config import MOST_SIDE, Waiting
from .draft import BEARER, Draft

_FORMS = {
    "aitrain": "napari-aitrain serve",
    "multipart": "Form with a TIFF, as SCANEO sends",
    "json": "JSON, as SCANEO documents",
}
_ANSWERS = {
    "classes": "Segmentation: a class per pixel",
    "objects": "Segmentation: a number per object",
    "boxes": "Detection: boxes with labels",
    "scores": "Classification: a score per class",
}
_ENCODINGS = {"tiff": "TIFF as text (base64)", "png": "PNG as text (base64)", "list": "Lists of numbers"}
_CORNERS = {
    "xyxy": "x, y of two corners", "yxyx": "y, x of two corners", "xywh": "x, y, width, height",
    "cxcywh": "x, y of the middle, width, height",
}  # fmt: skip
_SHAPES = {"box": "the box", "ellipse": "the ellipse in it"}
_TIMES = {
    "connect": ("Connecting", "How long to wait until the server takes the connection."),
    "read": ("Silence", "How long the server may be silent while it computes and answers."),
    "write": ("Sending", "How long the server may take nothing of the image."),
    "whole": ("One answer", "How long one answer may take in all."),
    "busy": ("While it is busy", "How long to ask again and again while the server says that it is busy."),
}


class ServerView(QWidget):
    """Where the server is, how it is talked to, and its key.

    Signals
    -------
    form_changed
        Another form of request was chosen.
    """

    form_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.name = _line("Name in the model store; it predicts wherever a model's name does.", "lab-gpu")
        self.url = _line("Address as who runs the server gave it. It may not hold a key.", "https://gpu.lab.org:8642")
        self.form = _choice(_FORMS, "What kind of server it is, that is in which form it wants the image.")
        self.answer = _choice(_ANSWERS, "What the server finds in an image.")
        self.encoding = _choice(_ENCODINGS, "How the image stands in the JSON.")
        self.field = _line("Name of the image in the request; most servers call it image.", "image")
        self.channels = QSpinBox()
        self.channels.setRange(0, 256)
        self.channels.setSpecialValueText("any")
        self.channels.setToolTip("How many channels the image must have, such as 3 for colour; any takes every image.")
        self.header = QComboBox()
        self.header.setEditable(True)
        self.header.addItems(["", BEARER, "X-Api-Key"])
        self.header.setToolTip("Header in which the server wants its key; empty if it wants none.")
        self.key = _line("Kept in the system keyring, for this address alone; never in a file.", "")
        self.key.setEchoMode(QLineEdit.EchoMode.Password)
        self.corners = _choice(_CORNERS, "What the four numbers of a box are.")
        self.relative = QCheckBox("in parts of the image, 0 … 1")
        self.relative.setToolTip("Some servers give boxes in parts of width and height instead of pixels.")
        self.shape = _choice(_SHAPES, "What of a box becomes an object: boxes of round cells are better as ellipses.")
        self._form = QFormLayout(self)
        for title, widget in (
            ("Name", self.name), ("Kind of server", self.form), ("Address", self.url), ("Key in header", self.header),
            ("Key", self.key), ("It finds", self.answer), ("Image as", self.encoding), ("Field", self.field),
            ("Channels", self.channels), ("Boxes are", self.corners), ("", self.relative),
            ("Painted is", self.shape),
        ):  # fmt: skip
            self._form.addRow(title, widget)
            widget.setAccessibleName(title or "Boxes in parts of the image")
        self.form.currentIndexChanged.connect(self._on_form)
        self.answer.currentIndexChanged.connect(lambda _: self._show())
        self.header.currentTextChanged.connect(lambda _: self._show())
        self._known = False
        self._show()

    def settings(self) -> dict[str, Any]:
        """Return the settings that stand here."""
        found: dict[str, Any] = {"url": self.url.text().strip(), "form": self.form.currentData()}
        if found["form"] == "aitrain":
            return {**found, "answer": "network"}
        return {
            **found,
            "answer": self.answer.currentData(),
            "encoding": self.encoding.currentData(),
            "field": self.field.text().strip() or "image",
            "channels": self.channels.value() or None,
            "corners": self.corners.currentData(),
            "relative": self.relative.isChecked(),
            "shape": self.shape.currentData(),
        }

    def setValue(self, draft: Draft, known: bool) -> None:
        """Show a form; see `RemoteView.setValue`."""
        settings, self._known = draft.settings, known
        self.name.setText(draft.name)
        self.name.setReadOnly(known)
        self.url.setText(settings.get("url", ""))
        for widget, key in ((self.form, "form"), (self.answer, "answer"), (self.encoding, "encoding"),
                            (self.corners, "corners"), (self.shape, "shape")):  # fmt: skip
            widget.setCurrentIndex(max(0, widget.findData(settings.get(key))))
        self.field.setText(settings.get("field", "image"))
        self.channels.setValue(settings.get("channels") or 0)
        self.relative.setChecked(bool(settings.get("relative")))
        self.header.setCurrentText(draft.header)
        self.key.setText(draft.key)
        self._show()

    def _on_form(self) -> None:
        self._show()
        self.form_changed.emit()

    def _show(self) -> None:
        form, boxes = self.form.currentData(), self.answer.currentData() == "boxes"
        other = form != "aitrain"
        shown = {
            self.answer: other, self.encoding: form == "json", self.field: other, self.channels: other,
            self.corners: other and boxes, self.relative: other and boxes, self.shape: other and boxes,
            self.key: bool(self.header.currentText()),
        }  # fmt: skip
        for widget, visible in shown.items():
            self._form.setRowVisible(widget, visible)
        self.key.setPlaceholderText("the one in the keyring" if self._known else "")


class TilesView(QWidget):
    """How large images are cut, and how long a server is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.tile = QSpinBox()
        self.tile.setRange(0, MOST_SIDE)
        self.tile.setSingleStep(64)
        self.tile.setSuffix(" px")
        self.tile.setSpecialValueText("the whole slice")
        self.tile.setToolTip("Side of what is sent at once. Large images are sent in such tiles, and joined again.")
        self.overlap = QSpinBox()
        self.overlap.setRange(0, 2048)
        self.overlap.setSuffix(" px")
        self.overlap.setToolTip(
            "What neighbouring tiles share; objects should fit into it, so that one sees them whole."
        )
        self.fixed = QCheckBox("only tiles of just this size")
        self.fixed.setToolTip("For servers that take one size only: tiles at the edge are filled up by mirroring.")
        self.times = {name: _seconds(tip) for name, (_, tip) in _TIMES.items()}
        self._form = QFormLayout(self)
        for title, widget in (("Tile", self.tile), ("Overlap", self.overlap), ("", self.fixed)):
            self._form.addRow(title, widget)
            widget.setAccessibleName(title or "Fixed size")
        self._form.addRow(QLabel("Time-outs"))
        for name, (title, _) in _TIMES.items():
            self._form.addRow(title, self.times[name])
            self.times[name].setAccessibleName(title)

    def settings(self) -> dict[str, Any]:
        """Return the settings that stand here."""
        waiting = {name: field.value() for name, field in self.times.items()}
        tile = self.tile.value() or None
        return {"tile": tile, "overlap": self.overlap.value(), "fixed": self.fixed.isChecked(), "waiting": waiting}

    def setValue(self, settings: Mapping[str, Any]) -> None:
        """Show settings."""
        self.tile.setValue(settings.get("tile", 512) or 0)
        self.overlap.setValue(settings.get("overlap", 96))
        self.fixed.setChecked(bool(settings.get("fixed")))
        waiting = {**Waiting().model_dump(), **settings.get("waiting", {})}
        for name, field in self.times.items():
            field.setValue(waiting[name])

    def set_ours(self, ours: bool) -> None:
        """Leave out what a server of this program decides itself."""
        for widget in (self.tile, self.overlap, self.fixed):
            self._form.setRowVisible(widget, not ours)


def _line(tip: str, example: str) -> QLineEdit:
    line = QLineEdit()
    line.setToolTip(tip)
    line.setPlaceholderText(example)
    return line


def _choice(choices: Mapping[str, str], tip: str) -> QComboBox:
    box = QComboBox()
    for value, title in choices.items():
        box.addItem(title, value)
    box.setToolTip(tip)
    return box


def _seconds(tip: str) -> QDoubleSpinBox:
    field = QDoubleSpinBox()
    field.setDecimals(1)
    field.setRange(0.1, 36000)
    field.setSuffix(" s")
    field.setToolTip(tip)
    return field
