"""The Train dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..dock_base import Dock
from ..session import session_of
from .controller import TrainController
from .view import TrainView

if TYPE_CHECKING:
    import napari.viewer

    from ...training.config import TrainConfig


class TrainDock(Dock):
    """From ground truth to a training that runs.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The window that the dock is opened in.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self.view = TrainView()
        super().__init__(self.view)
        self.controller = TrainController(session_of(viewer), self.view)

    def fill(self, config: TrainConfig) -> None:
        """Show the settings of an earlier training, to change some and train again."""
        self.controller.fill(config)

    def leave(self) -> None:
        """Let go of the session; what runs goes on."""
        self.controller.close()
