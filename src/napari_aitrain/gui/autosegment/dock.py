"""The Auto-segment dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..dock_base import Dock
from ..session import session_of
from .controller import AutosegmentController
from .view import AutosegmentView

if TYPE_CHECKING:
    import napari.viewer


class AutosegmentDock(Dock):
    """Objects without a model, by a minimum size and a sigma.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The window that the dock is opened in.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self.view = AutosegmentView()
        super().__init__(self.view)
        self.controller = controller = AutosegmentController(session_of(viewer), self.view)
        self.destroyed.connect(lambda: controller.let_go())

    def leave(self) -> None:
        """Take the preview away; what was written stays."""
        self.controller.close()
