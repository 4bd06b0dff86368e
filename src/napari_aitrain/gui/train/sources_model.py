"""The training set of the dock: which ground truth and which files, as rows and as sources."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal

from ...annotation.boxes import Box
from ...annotation.image_copy import copies_of
from ...annotation.world import WorldBox
from ...location import Location, Url, located
from ...training.config import Source
from ...volumes.units import VoxelSize
from ..annotate.image_of import image_layer
from ..aside import Aside
from ..class_names import class_names_of
from ..frames import LayerFrame
from .magnifications import choices, choices_of_files
from .rows import SourceRow, row_of_source, row_of_truth
from .voxel_size import set_voxel_size

if TYPE_CHECKING:
    from ..annotate.truth import GroundTruth
    from ..session import Session


class SourcesModel:
    """Every ground truth of the window that was not left out, and files.

    Parameters
    ----------
    session : Session
        Whose ground truth is meant.

    Signals
    -------
    added
        Sources in files were added.
    looked
        A source on a server was looked at: what it can be trained at is known now.
    """

    added = Signal()
    looked = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._left_out: set[str] = set()
        self._files: list[Source] = []
        self._magnifications: dict[str, str] = {}
        self._class_names: dict[int, str] = {}
        self._choices: dict[tuple[Location, Location], tuple[str, ...]] = {}
        self._aside: Aside[tuple[str, ...]] = Aside()

    def close(self) -> None:
        """Ask servers no more."""
        self._aside.close()

    def truths(self) -> list[GroundTruth]:
        """Return the ground truths of the window that are trained on."""
        return [truth for truth in self._session.truths.all() if truth.key not in self._left_out]

    def rows(self) -> list[SourceRow]:
        """Return the rows of the table."""
        layers = [row_of_truth(self._session, one, self._magnifications.get(one.key, "")) for one in self.truths()]
        return [*layers, *(row_of_source(source, self._offered(source)) for source in self._files)]

    def sources(self) -> list[Source]:
        """Save the ground truth of the window, and return all sources.

        Raises
        ------
        StillCopying
            If a large image, which is nowhere on disk, is being copied.
        AitrainError
            If something cannot be saved or an image is not there.
        """
        found = []
        for truth in self.truths():
            chosen = self._magnifications.get(truth.key)
            sources = self._session.saver.sources(truth, wait=False)
            found += [one.model_copy(update={"magnification": chosen}) for one in sources] if chosen else sources
        return [*found, *self._files]

    def boxes(self) -> list[WorldBox | Box]:
        """Return the boxes of all rows, whether or not they are used."""
        images = {truth.image for truth in self.truths()}
        drawn = [box for box in self._session.boxes if box.image in images]
        return [*drawn, *(box for source in self._files for box in source.boxes)]

    def class_names(self) -> dict[int, str]:
        """Return the names of classes: those of the ground truths, else those that came with files."""
        return self._class_names | class_names_of(self.truths())

    def set_magnification(self, number: int, magnification: str) -> None:
        """Train a row at another magnification, such as ``2-2-1``."""
        row = self.rows()[number]
        if row.truth:
            self._magnifications[row.truth] = magnification
        else:
            change = {"magnification": magnification}
            self._files = [one.model_copy(update=change) if one is row.source else one for one in self._files]

    def set_voxel_size(self, number: int, size: VoxelSize) -> None:
        """Give the image of a row its voxel size, in nm, z, y, x.

        Raises
        ------
        AitrainError
            If its layer is not open, or is rotated.
        """
        row = self.rows()[number]
        if row.truth:
            viewer = self._session.viewer
            set_voxel_size(viewer, self._session.boxes, image_layer(viewer, row.image), size)
        else:
            change = {"voxel_size": size}
            self._files = [one.model_copy(update=change) if one is row.source else one for one in self._files]

    def add(self, *sources: Source) -> None:
        """Add sources in files."""
        self._files += [source for source in sources if source not in self._files]
        self.added.emit()

    def add_layers(self) -> None:
        """Take in all ground truth of the window."""
        self._left_out.clear()

    def remove(self, number: int) -> None:
        """Leave a row out."""
        row = self.rows()[number]
        if row.truth:
            self._left_out.add(row.truth)
        else:
            self._files = [source for source in self._files if source is not row.source]

    def setValue(self, sources: tuple[Source, ...], class_names: Mapping[int, str]) -> None:
        """Take the sources of an earlier training; those that are ground truth of this window are taken as that."""
        self._class_names = dict(class_names)
        project = self._session.saver.project
        keys = {truth.key for truth in self._session.truths.all()}
        self._files, self._magnifications, used = [], {}, set()
        for source in sources:
            key = _key(source.labels, keys) if project is not None else ""
            labels = source.labels
            if key and isinstance(labels, Path) and labels.is_relative_to(project.folder):  # type: ignore[union-attr]
                used.add(key)
                self._magnifications[key] = source.magnification
            else:
                self._files.append(source)
        self._left_out = keys - used

    def target_of(self, where: str) -> str:
        """Return what "show me" goes to for the name of a box, a file or a layer: ``box:ID``, ``row:N`` or nothing."""
        for box in self._session.boxes:
            if box.image in self._session.viewer.layers:
                frame = LayerFrame.of(image_layer(self._session.viewer, box.image))
                if where == frame.to_box(box).label:
                    return f"box:{box.id}"
        for number, row in enumerate(self.rows()):
            names = {row.image, row.labels, *(name for path in self._paths(row) for name in (str(path), path.name))}
            if where in names or (row.source and any(box.label == where for box in row.source.boxes)):
                return f"row:{number}"
        return ""

    def _paths(self, row: SourceRow) -> list[Location]:
        """Return where the image of a row may lie: its file, or a copy in the project."""
        if row.source is not None:
            return [row.source.image, row.source.labels]
        layers, project = self._session.viewer.layers, self._session.saver.project
        found = [] if project is None else copies_of(row.image, project.folder / "images")
        path = layers[row.image].source.path if row.image in layers else None
        return [located(path), *found] if path else list(found)

    def _offered(self, source: Source) -> tuple[str, ...]:
        # Files are looked into once, not at every stroke.
        place = source.image, source.labels
        if place not in self._choices:
            if any(isinstance(one, Url) for one in place):
                self._choices[place] = choices(None, [source.magnification_zyx])
                self._aside.run(lambda: choices_of_files(source), lambda found: self._on_looked(place, found))
            else:
                self._choices[place] = choices_of_files(source)
        return self._choices[place]

    def _on_looked(self, place: tuple[Location, Location], found: tuple[str, ...]) -> None:
        self._choices[place] = found
        self.looked.emit()


def _key(labels: Location, keys: set[str]) -> str:
    return next((key for key in keys if labels.stem == key or labels.stem.startswith(f"{key}_")), "")
