"""The Review dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QWidget

from ..session import session_of

if TYPE_CHECKING:
    import napari


class ReviewDock(QWidget):
    """Predictions, their threshold, corrections, and prediction with a chosen model.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose session is looked at.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
        self.session = session_of(viewer)
