"""Segments a folder beside the window, and takes what was made into it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...autosegment.asked import Asked
from ...autosegment.settings import TITLES, AutosegmentSettings
from ...errors import AitrainError, ConfigError
from ...jobs.segmenter import SegmentedFile, SegmentedFolder, Segmenter
from ...location import located
from ...training.config import Source
from ...volumes import Volume, open_volume
from ..aside import Aside
from ..jobs.main_thread import MainThread
from ..jobs.use import open_dock
from ..notify import report, reported
from .folder_dialog import FolderDialog

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from ..session import Session

MOST_SHOWN = 2**28
"""Voxels of an image that is opened; of larger ones ground truth is better painted through a window."""


class FolderController:
    """What "Segment a folder…" does; one folder at a time.

    Parameters
    ----------
    session : Session
        Of the window.
    value : callable
        Returns the numbers of the dock.
    suggested : callable
        Whether an image has suggested them: else each image of a folder suggests its own.
    make : callable
        Makes the `Segmenter`.
    """

    def __init__(
        self,
        session: Session,
        value: Callable[[], AutosegmentSettings],
        suggested: Callable[[], bool],
        make: Callable[[], Segmenter] = Segmenter,
    ) -> None:
        self._session, self._value, self._suggested, self._make = session, value, suggested, make
        self._dialog: FolderDialog | None = None
        self._main = MainThread()
        self._running: Aside[SegmentedFolder | None] = Aside()
        self._opening: Aside[tuple[Volume, npt.NDArray[Any], npt.NDArray[Any]]] = Aside()
        self._segmenter: Segmenter | None = None
        self._files: tuple[SegmentedFile, ...] = ()
        self._cancelled = False

    def show(self) -> FolderDialog:
        """Open the dialog, or bring it to the front."""
        if self._dialog is None:
            window = self._session.viewer.window._qt_window
            self._dialog = dialog = FolderDialog(window)
            dialog.own_toggled.connect(self.tell_numbers)
            dialog.start_pressed.connect(self.start)
            dialog.cancel_pressed.connect(self.cancel)
            dialog.open_pressed.connect(self.open)
            dialog.train_pressed.connect(self.add_to_training)
        self.tell_numbers()
        self._dialog.show()
        self._dialog.raise_()
        return self._dialog

    def tell_numbers(self) -> None:
        """Show the numbers of the dock, as they are now."""
        if self._dialog is not None and self._segmenter is None:
            settings = self._value()
            choice = self._suggested() and not settings.by_starter
            self._dialog.set_numbers(spoken(settings, self._own(settings)), choice)

    def close(self) -> None:
        """End what runs, files that are written stay, and take the dialog away."""
        self._cancelled = True
        for thread in (self._main, self._running, self._opening):
            thread.close()
        self._end()
        if self._dialog is not None:
            self._dialog.close()
            self._dialog.deleteLater()
            self._dialog = None

    def let_go(self) -> None:
        """End what runs; for when the window, and the dialog with it, has gone."""
        self._dialog = None
        self.close()

    def start(self) -> None:
        """Segment the folder; returns at once."""
        assert self._dialog is not None
        images, out = self._dialog.folders()
        settings = self._value()
        asked = asked_of(settings, self._own(settings))
        self._cancelled = False
        self._files = ()
        self._segmenter = segmenter = self._make()
        self._session.ending[self] = f"The folder {images.name} is still being segmented."
        self._dialog.set_results(())
        self._dialog.set_busy(True)
        self._dialog.set_status("Starting…")

        def work() -> SegmentedFolder | None:
            if not images.is_dir():
                raise ConfigError(f"{images} is no folder", "a folder of images", "choose the folder")
            return segmenter.folder(images, out, asked, lambda: self._cancelled, self._progress)

        self._running.run(work, self._on_done, self._on_failed)

    def _own(self, settings: AutosegmentSettings) -> bool:
        """Whether each image suggests its own numbers."""
        assert self._dialog is not None
        return not settings.by_starter and (self._dialog.own.isChecked() or not self._suggested())

    def cancel(self) -> None:
        """End it after the image that is being segmented."""
        assert self._dialog is not None
        self._cancelled = True
        self._dialog.cancel.setEnabled(False)
        self._dialog.set_status("Cancelling: the image that was begun is finished…")

    def open(self, number: int) -> None:
        """Open an image that was segmented; its labels are ground truth to be corrected."""
        one = self._files[number]
        self._opening.run(lambda: _read(one), lambda read: self._add(one, *read), report)

    def add_to_training(self) -> None:
        """Add all images and their labels to the training set."""
        made = [one for one in self._files if not one.error]
        self._session.training_set.add(*(Source(image=located(one.image), labels=Path(one.out)) for one in made))
        assert self._dialog is not None
        self._dialog.set_status(f"{len(made):,} images and their labels were added to the Train dock.")
        open_dock(self._session, "Train")

    def _progress(self, done: int, total: int, name: str) -> None:
        """Show progress; from the thread that asks."""

        def show() -> None:
            if self._dialog is not None and not self._cancelled:
                self._dialog.set_progress(done, total, name)

        self._main.post(show)

    def _on_done(self, folder: SegmentedFolder | None) -> None:
        self._end()
        if self._dialog is None:
            return
        self._files = () if folder is None else folder.images
        self._dialog.set_busy(False)
        self._dialog.set_results(self._files)
        self._dialog.set_status(said(folder))
        self.tell_numbers()

    def _on_failed(self, error: AitrainError) -> None:
        self._end()
        if self._dialog is not None:
            self._dialog.set_busy(False)
            self._dialog.set_status(str(error))
            self.tell_numbers()

    def _end(self) -> None:
        self._session.ending.pop(self, None)
        segmenter, self._segmenter = self._segmenter, None
        if segmenter is not None:
            segmenter.close()

    def _add(self, one: SegmentedFile, volume: Volume, image: npt.NDArray[Any], labels: npt.NDArray[Any]) -> None:
        viewer, size = self._session.viewer, volume.voxel_size
        flat = image.shape[1] == 1
        spatial = slice(1, None) if flat else slice(None)
        scale = None if size is None else [v / 1000 for v in size][spatial]
        place: dict[str, Any] = {} if scale is None else {"scale": scale, "units": ("um",) * len(scale)}
        name = Path(one.image).stem
        pixels = image[:, 0] if flat else image
        with reported():
            if len(image) == 1:
                shown = viewer.add_image(pixels[0], name=name, **place)
            else:
                shown = viewer.add_image(pixels, name=name, channel_axis=0, **place)[0]
            layer = viewer.add_labels(labels[0] if flat else labels, name=f"{name} ground truth", **place)
            self._session.truths.adopt(layer, shown.name)


def asked_of(settings: AutosegmentSettings, own: bool) -> Asked:
    """Return what is asked for of each image of a folder: these numbers, or those that it suggests itself."""
    return Asked(preset=settings.preset, dark=settings.dark) if own else Asked.of(settings)


def spoken(settings: AutosegmentSettings, own: bool = False) -> str:
    """Return settings as a sentence; `own` is whether each image suggests its numbers."""
    title = TITLES[settings.preset]
    if settings.by_starter:
        size = "found in each image" if settings.diameter is None else f"{settings.diameter:g} voxels"
        model = Path(settings.model).name
        return f"{title} {model}, diameter {size}, threshold {settings.threshold:.2f}"
    dark = ", dark" if settings.dark else ""
    if own:
        return f"{title}, minimum size and sigma of each image{dark}"
    return f"{title}, minimum size {settings.minimum_size:,} voxels, sigma {settings.sigma:g} voxels{dark}"


def said(folder: SegmentedFolder | None) -> str:
    """Return what became of a folder as a sentence or two."""
    if folder is None:
        return "Cancelled; nothing was written."
    done = [one for one in folder.images if not one.error]
    text = f"{len(done):,} images segmented, {sum(one.objects for one in done):,} objects."
    failed = len(folder.images) - len(done)
    if failed:
        text += f" {failed:,} could not be: see below."
    return f"Cancelled. {text} What is done stays." if folder.cancelled else text


def _read(one: SegmentedFile) -> tuple[Volume, npt.NDArray[Any], npt.NDArray[Any]]:
    volume, labels = open_volume(one.image), open_volume(one.out, kind="labels")
    if volume.region.size > MOST_SHOWN:
        raise ConfigError(
            f"{volume.name} has {volume.region.size:,} voxels, too many to be corrected at once",
            f"at most {MOST_SHOWN:,} voxels",
            "open the image by itself, and train on the files",
        )
    ids = labels.read(labels.region)[0]
    return volume, volume.read(volume.region), ids.astype(np.int32)
