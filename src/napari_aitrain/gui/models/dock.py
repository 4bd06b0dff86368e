"""The Models dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..dock_base import Dock
from ..session import session_of
from .controller import ModelsController
from .view import ModelsView

if TYPE_CHECKING:
    import napari.viewer


class ModelsDock(Dock):
    """Models of the store, of trainings, and those that come with the program.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The window that the dock is opened in.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self.view = ModelsView()
        super().__init__(self.view)
        self.controller = ModelsController(session_of(viewer), self.view)

    def leave(self) -> None:
        """Let go of the session; what is being copied goes on."""
        self.controller.close()
