"""Connects images and ground truths of a session to the Auto-segment dock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from ...autosegment.files import warning_of
from ...autosegment.finding import Found
from ...autosegment.settings import AutosegmentSettings, spoken_size
from ...autosegment.starter import starters_of_objects
from ...errors import AitrainError
from ...geometry import FINEST, Triple
from ..annotate.truth import GroundTruth
from ..aside import Aside
from ..frames import LayerFrame
from ..jobs.main_thread import MainThread
from ..notify import report
from .finder import Finder
from .folder_controller import FolderController
from .part import Part, at_magnification, selected_box, slice_on_screen, whole_image
from .preview import Preview
from .taking import Taken, new_truth, take, truth_of
from .view import AutosegmentView

if TYPE_CHECKING:
    from ..session import Session

_PAUSE = 80
"""Milliseconds without another change before the slice is segmented."""


class AutosegmentController:
    """What the dock does.

    Parameters
    ----------
    session : Session
        Of the window.
    view : AutosegmentView
        What it is shown in.
    """

    def __init__(self, session: Session, view: AutosegmentView) -> None:
        self._session, self._view, self._viewer = session, view, session.viewer
        self._image = ""
        self._closed = False
        self._suggesting: Aside[AutosegmentSettings] = Aside()
        self._taking: Aside[Found | None] = Aside()
        self._main = MainThread()
        self._asked = self._taken = self._changes = 0
        self._finder = Finder()
        self.preview = Preview(self._viewer, self._finder)
        view.image_chosen.connect(self._choose)
        view.preset_chosen.connect(lambda _: self.suggest())
        view.model_chosen.connect(lambda _: self._on_changed())
        view.changed.connect(self._on_changed)
        view.suggest_pressed.connect(self.suggest)
        view.live_toggled.connect(self._on_live)
        view.take_pressed.connect(self.take)
        view.cancel_pressed.connect(self._cancel)
        self.folder = FolderController(session, view.value, view.has_image)
        view.folder_pressed.connect(self.folder.show)
        layers, dims = self._viewer.layers.events, self._viewer.dims.events
        self._events = [
            (layers.inserted, self.refresh), (layers.removed, self.refresh), (layers.renamed, self.refresh),
            (dims.point, self._on_changed), (dims.ndisplay, self._on_changed), (dims.order, self._on_changed),
        ]  # fmt: skip
        for event, slot in self._events:
            event.connect(slot)
        session.boxes.selected_changed.connect(self._on_box)
        self.preview.found.connect(self._on_found)
        self.preview.failed.connect(self._on_failed)
        self.refresh()

    def close(self) -> None:
        """Follow the session no longer, and take the preview away."""
        if not self._closed:
            self.folder.close()
            self.let_go()
            self.preview.hide()

    def let_go(self) -> None:
        """Follow the session no longer; for when the window has gone."""
        if self._closed:
            return
        self._closed = True
        self.folder.let_go()
        for event, slot in self._events:
            event.disconnect(slot)
        self._session.boxes.selected_changed.disconnect(self._on_box)
        self.preview.close()
        self._suggesting.close()
        self._taking.close()
        self._main.close()
        # A question that is being answered ends with its worker.
        self._taken += 1
        self._finder.close()

    def refresh(self, *_: object) -> None:
        """Offer the images there are; another one is looked at for its numbers."""
        names = [layer.name for layer in self._viewer.layers if layer._type_string == "image"]
        before, self._image = self._image, self._image if self._image in names else (names[-1] if names else "")
        self._view.set_images(names, self._image)
        self._offer_starters()
        self._on_box()
        if not self._image:
            self.preview.hide()
        elif self._image != before:
            self.suggest()

    def suggest(self) -> None:
        """Find the numbers in the slice on screen, or of a volume in its middle; they are shown when they are there."""
        image = self._layer()
        if image is None:
            return
        chosen = self._view.value()
        preset = chosen.preset
        # What an earlier preset suggests is not wanted any more.
        self._asked += 1
        asked = self._asked
        if preset == "starter":
            # The model finds the diameter itself, where it works.
            self._finder.forget()
            card = self._view.numbers.card()
            own = {"diameter": None, "threshold": None if card is None else card.threshold}
            self._on_suggested(chosen.model_copy(update=own), asked)
            return
        try:
            part = whole_image(self._viewer, image, FINEST)
        except AitrainError as error:
            self._on_failed(error)
            return
        self._view.set_status("Looking at the image…")
        middle = part.middle()
        self._suggesting.run(
            lambda: middle.suggest(preset, chosen.dark),
            lambda found: self._on_suggested(found, asked),
            self._on_failed,
        )

    def take(self, where: str) -> None:
        """Segment a part and write it into the ground truth of the image, made then if there is none."""
        image = self._layer()
        if image is None:
            return
        truth = truth_of(self._session, image)
        try:
            part = self._part(where, image, FINEST if truth is None else truth.magnification)
        except AitrainError as error:
            report(error)
            return
        settings = self._view.value()
        key = "" if truth is None else truth.key
        self._taken += 1
        taken = self._taken
        self._view.set_busy(True)
        self._view.set_status("Segmenting…")
        self._taking.run(
            lambda: self._finder.find(
                part, settings, lambda: taken != self._taken, lambda *told: self._tell(taken, *told)
            ),
            lambda found: self._on_ready(found, part, image, key, settings, taken),
            lambda error: self._on_take_failed(error, taken),
        )

    def _tell(self, taken: int, done: int, total: int, _name: str) -> None:
        """Show progress; from the thread that segments."""
        self._main.post(lambda: self._view.set_progress(done, total) if taken == self._taken else None)

    def _part(self, where: str, image: Any, magnification: Triple) -> Part:
        if where == "box":
            return selected_box(self._session, image, magnification)
        if where == "whole":
            return whole_image(self._viewer, image, magnification)
        return at_magnification(slice_on_screen(self._viewer, image), self._viewer, image, magnification)

    def _layer(self) -> Any:
        return next((layer for layer in self._viewer.layers if layer.name == self._image), None)

    def _offer_starters(self) -> None:
        """Offer the starter models that can be used on the image; of a stack those of volumes first."""
        image, cards = self._layer(), starters_of_objects()
        flat = image is not None and LayerFrame.of(image).shape[0] == 1
        usable = [name for name, card in cards.items() if card.dims == 2 or not flat]
        self._view.set_starters({name: cards[name] for name in sorted(usable, key=lambda name: -cards[name].dims)})

    def _choose(self, name: str) -> None:
        if name != self._image:
            self._image = name
            self._offer_starters()
            self.preview.hide()
            self._on_box()
            self.suggest()

    def _on_changed(self, *_: object) -> None:
        self._tell_size()
        self.folder.tell_numbers()
        self._changes += 1
        changes = self._changes
        QTimer.singleShot(_PAUSE, lambda: self._show() if changes == self._changes and not self._closed else None)

    def _on_box(self, *_: object) -> None:
        box = self._session.boxes.selected
        self._view.set_box(box is not None and box.image == self._image)

    def _on_suggested(self, found: AutosegmentSettings, asked: int) -> None:
        if asked == self._asked:
            self._view.setValue(found)
            self._on_changed()

    def _tell_size(self) -> None:
        image = self._layer()
        if image is not None:
            frame = LayerFrame.of(image)
            dims = 2 if frame.shape[0] == 1 else 3
            self._view.set_physical(spoken_size(self._view.value().minimum_size, frame.voxel_size, dims))

    def _on_live(self, _on: bool) -> None:
        self._view.set_status("")
        self._show()

    def _show(self) -> None:
        image = self._layer()
        if image is None or not self._view.live.isChecked():
            self.preview.hide()
            return
        try:
            part = slice_on_screen(self._viewer, image)
        except AitrainError as error:
            self.preview.hide()
            self._view.set_status(error.what[:1].upper() + error.what[1:] + ".")
            return
        settings = self._view.value()
        if settings.by_starter and not self._finder.warm:
            self._view.set_status("The model is being loaded, which takes some seconds the first time…")
        self.preview.show(image, part, settings)

    def _on_found(self, found: Found, part: Part) -> None:
        warning = warning_of(found, self._image, self._view.value())
        where = "On this slice" if part.depth > 1 else "Found"
        size = "" if found.diameter is None else f" Diameter: {found.diameter:g} voxels."
        self._view.set_status((warning or f"{where}: {found.count:,} objects.") + size)

    def _on_failed(self, error: AitrainError) -> None:
        self._view.set_status(str(error))

    def _on_ready(
        self, found: Found | None, part: Part, image: Any, key: str, settings: AutosegmentSettings, taken: int
    ) -> None:
        if taken != self._taken or found is None:
            return
        self._view.set_busy(False)
        truth = self._session.truths.of_key(key) if key else None
        if image not in self._viewer.layers or (key and truth is None):
            self._view.set_status("The image or its ground truth was removed meanwhile; nothing was written.")
            return
        try:
            truth = truth or new_truth(self._session, image)
            written = take(self._session, truth, part, found, settings)
        except AitrainError as error:
            self._view.set_status("Nothing was written.")
            report(error)
            return
        self._view.live.setChecked(False)
        self._viewer.layers.selection.active = self._session.truths.layer(truth)
        self._view.set_status(warning_of(found, self._image, settings) or _said(written, truth))

    def _on_take_failed(self, error: AitrainError, taken: int) -> None:
        if taken == self._taken:
            self._view.set_busy(False)
            self._view.set_status("Nothing was written.")
            report(error)

    def _cancel(self) -> None:
        self._taken += 1
        self._view.set_busy(False)
        self._view.set_status("Cancelled; nothing was written.")


def _said(written: Taken, truth: GroundTruth) -> str:
    kept = f" {written.kept:,} were left out where something is painted already." if written.kept else ""
    return f"{written.objects:,} objects written into {truth.layer}; Ctrl+Z undoes it.{kept}"
