"""The training set of the dock: which ground truth and which files, as rows and as sources."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...training.config import Source
from ..annotate.image_of import image_layer
from ..frames import LayerFrame
from .rows import SourceRow, row_of_source, rows_of_truths

if TYPE_CHECKING:
    from ..session import Session


class SourcesModel:
    """Every ground truth of the window that was not left out, and files.

    Parameters
    ----------
    session : Session
        Whose ground truth is meant.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._left_out: set[str] = set()
        self._files: list[Source] = []

    def rows(self) -> list[SourceRow]:
        """Return the rows of the table."""
        layers = [row for row in rows_of_truths(self._session) if row.truth not in self._left_out]
        return [*layers, *map(row_of_source, self._files)]

    def sources(self) -> list[Source]:
        """Save the ground truth of the window, and return all sources.

        Raises
        ------
        AitrainError
            If something cannot be saved or an image is not there.
        """
        truths = [truth for truth in self._session.truths.all() if truth.key not in self._left_out]
        found = [source for truth in truths for source in self._session.saver.sources(truth)]
        return [*found, *self._files]

    def add(self, *sources: Source) -> None:
        """Add sources in files."""
        self._files += [source for source in sources if source not in self._files]

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

    def setValue(self, sources: tuple[Source, ...]) -> None:
        """Take the sources of an earlier training; those that are ground truth of this window are taken as that."""
        project = self._session.saver.project
        keys = {truth.key for truth in self._session.truths.all()}
        self._files, used = [], set()
        for source in sources:
            key = _key(source.labels, keys) if project is not None else ""
            if key and source.labels.is_relative_to(project.folder):  # type: ignore[union-attr]
                used.add(key)
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
            paths = () if row.source is None else (str(row.source.image), str(row.source.labels))
            names = {row.image, row.labels, *paths, *(Path(path).name for path in paths)}
            if where in names or (row.source and any(box.label == where for box in row.source.boxes)):
                return f"row:{number}"
        return ""


def _key(labels: Path, keys: set[str]) -> str:
    return next((key for key in keys if labels.stem == key or labels.stem.startswith(f"{key}_")), "")
