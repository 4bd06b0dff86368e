"""What a person does with the rows of the training set, and where *Show me* leads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...location import Location
from ...volumes.units import VoxelSize
from ..notify import reported
from .adding import add_dropped, add_sources
from .showing import show_target

if TYPE_CHECKING:
    from ..session import Session
    from .view import TrainView


class RowsController:
    """Connects the table of sources to the training set.

    Parameters
    ----------
    session : Session
        Of the window.
    view : TrainView
        Where the table is.
    changed : callable
        Called after every change.
    """

    def __init__(self, session: Session, view: TrainView, changed: Callable[[], None]) -> None:
        self._session, self._view, self._changed = session, view, changed
        view.sources.add_requested.connect(self._on_add)
        view.sources.dropped.connect(self._on_dropped)
        view.sources.removed.connect(self._on_remove)
        view.sources.magnification_chosen.connect(self._on_magnification)
        view.status.show_requested.connect(self._on_show)

    def _on_add(self, where: str) -> None:
        with reported():
            add_sources(self._session, self._view, where)
        self._changed()

    def _on_dropped(self, places: list[Location]) -> None:
        with reported():
            add_dropped(self._session, self._view, places)
        self._changed()

    def _on_remove(self, number: int) -> None:
        self._session.training_set.remove(number)
        self._changed()

    def _on_magnification(self, number: int, magnification: str) -> None:
        self._session.training_set.set_magnification(number, magnification)
        self._changed()

    def _on_voxel_size(self, number: int, size: VoxelSize) -> None:
        with reported():
            self._session.training_set.set_voxel_size(number, size)
        self._changed()

    def _on_show(self, target: str) -> None:
        with reported():
            show_target(self._session, self._view, target, self._on_voxel_size)
