"""The Classify dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..dock_base import Dock
from ..scrolling import UpDownScroll
from ..session import session_of
from .controller import ClassifyController
from .view import ClassifyView

if TYPE_CHECKING:
    import napari.viewer


class ClassifyDock(Dock):
    """Classes of objects and boxes, by click.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The window that the dock is opened in.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self.view = ClassifyView()
        super().__init__(UpDownScroll(self.view))
        self.controller = controller = ClassifyController(session_of(viewer), self.view)
        self.destroyed.connect(lambda: controller.let_go())

    def leave(self) -> None:
        """Take the classes away; marks stay."""
        self.controller.close()
