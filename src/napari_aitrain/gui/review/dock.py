"""The Review dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..dock_base import Dock
from ..session import session_of
from .controller import ReviewController
from .sliders_controller import SlidersController
from .view import ReviewView

if TYPE_CHECKING:
    import napari.viewer


class ReviewDock(Dock):
    """Predictions, their threshold, corrections, and prediction with a chosen model.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The window that the dock is opened in.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self.view = ReviewView()
        super().__init__(self.view)
        self.setSizePolicy(self.view.sizePolicy())
        session = session_of(viewer)
        self.controller = ReviewController(session, self.view)
        self.sliders = SlidersController(session.predictions, self.view.sliders, self.view.sliders_group)

    def leave(self) -> None:
        """Let go of the session; predictions stay, and live ones go on."""
        self.controller.close()
        self.sliders.close()
