"""The Evaluate dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..dock_base import Dock
from ..session import session_of
from .controller import EvaluateController
from .view import EvaluateView

if TYPE_CHECKING:
    import napari.viewer


class EvaluateDock(Dock):
    """How good a model is on train, validation and test boxes, and where it fails.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The window that the dock is opened in.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self.view = EvaluateView()
        super().__init__(self.view)
        self.setSizePolicy(self.view.sizePolicy())
        self.controller = EvaluateController(session_of(viewer), self.view)

    def leave(self) -> None:
        """Let go of the session; what runs goes on, and what is shown stays."""
        self.controller.close()
