"""The Label next dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..dock_base import Dock
from ..session import session_of
from .controller import SuggestController
from .view import SuggestView

if TYPE_CHECKING:
    import napari.viewer


class SuggestDock(Dock):
    """What to label next.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The window that the dock is opened in.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self.view = SuggestView()
        super().__init__(self.view)
        self.controller = controller = SuggestController(session_of(viewer), self.view)
        self.destroyed.connect(lambda: controller.close())

    def leave(self) -> None:
        """Follow the session no longer; the queue stays, and so does the policy."""
        self.controller.close()
