"""The Jobs dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..dock_base import Dock
from ..session import session_of
from .controller import JobsController
from .view import JobsView

if TYPE_CHECKING:
    import napari.viewer


class JobsDock(Dock):
    """Trainings and predictions: what runs, what waits, what has ended.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The window that the dock is opened in.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self.view = JobsView()
        super().__init__(self.view)
        self.controller = JobsController(session_of(viewer), self.view)

    def leave(self) -> None:
        """Let go of the session; the jobs go on."""
        self.controller.close()
