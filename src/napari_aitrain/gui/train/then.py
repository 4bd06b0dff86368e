"""What the model is used on as soon as the training has ended: an image of the window, a file, a folder, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtWidgets import QComboBox, QFileDialog

from ...errors import ConfigError
from ...location import Location, located
from ..annotate.image_of import image_layer
from ..annotate.sources import frame_volume, shown_frame
from ..frames import LayerFrame

if TYPE_CHECKING:
    from ..session import Session

LAYER = "layer:"
_NOTHING, _FILE, _FOLDER = "nothing: train only", "a file…", "a folder of images…"


class ThenChoice:
    """The widget of the setting `then_predict`, as `FormField` wants it.

    Its value is None, a place as text, or the name of an image layer behind ``layer:``.

    Parameters
    ----------
    name, label, tooltip : str
        As for widgets of magicgui.

    Signals
    -------
    changed : str or None
        After a choice of a person's, or a new value.
    """

    changed = Signal(object)

    def __init__(self, name: str, label: str, tooltip: str) -> None:
        self.name, self.label, self.tooltip = name, label, tooltip
        self.native = QComboBox()
        self.native.setToolTip(tooltip)
        self.native.setAccessibleName(label)
        self.native.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.native.setMinimumContentsLength(16)
        self._layers: tuple[str, ...] = ()
        self._chosen: str | None = None
        self.native.activated.connect(self._on_activated)
        self._show()

    @property
    def value(self) -> str | None:
        """What is chosen."""
        return self._chosen

    @value.setter
    def value(self, value: Location | str | None) -> None:
        before, self._chosen = self._chosen, None if value is None else str(value)
        self._show()
        if before != self._chosen:
            self.changed.emit(self._chosen)

    def set_images(self, layers: Sequence[str]) -> None:
        """Offer these image layers."""
        if tuple(layers) != self._layers:
            self._layers = tuple(layers)
            self._show()

    def _show(self) -> None:
        choices: list[tuple[str, str | None]] = [(_NOTHING, None)]
        choices += [(f"the image {name}", LAYER + name) for name in self._layers]
        if self._chosen is not None and self._chosen not in [value for _, value in choices]:
            choices.append((_words(self._chosen), self._chosen))
        self.native.clear()
        for text, value in choices:
            self.native.addItem(text, value)
        for text in (_FILE, _FOLDER):
            self.native.addItem(text, text)
        self.native.setCurrentIndex([value for _, value in choices].index(self._chosen))

    def _on_activated(self, number: int) -> None:
        chosen = self.native.itemData(number)
        if chosen == _FILE:
            chosen, _ = QFileDialog.getOpenFileName(self.native, "Image to predict after the training")
        elif chosen == _FOLDER:
            chosen = QFileDialog.getExistingDirectory(self.native, "Images, or a zarr, to predict after the training")
        self.value = chosen if chosen != "" else self._chosen


def place_of(session: Session, chosen: str | None) -> Location | None:
    """Return where that lies which is to be predicted; an image that is no file is copied first.

    Raises
    ------
    StillCopying
        If that takes a while, and is not waited for.
    ConfigError
        If the layer has gone.
    """
    if chosen is None or not chosen.startswith(LAYER):
        return None if chosen is None else located(chosen)
    name = chosen.removeprefix(LAYER)
    if name not in session.viewer.layers:
        raise ConfigError(
            f"then_predict: the image {name} is not open any more", "an image of this window", "choose another"
        )
    image = image_layer(session.viewer, name)
    frame = LayerFrame.of(image)
    if session.saver.files.get(image, frame, False) is not None:
        return located(image.source.path)
    volume = frame_volume(image, frame, shown_frame(session.viewer, frame))
    return session.saver.copies.get(volume, session.saver.ensure_project().folder / "images", False)


def _words(place: str) -> str:
    if place.startswith(LAYER):
        return f"the image {place.removeprefix(LAYER)}"
    return Path(place).name or place
