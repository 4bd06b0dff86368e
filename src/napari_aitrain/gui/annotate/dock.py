"""The Annotate dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QWidget

if TYPE_CHECKING:
    import napari


class AnnotateDock(QWidget):
    """Ground truth, boxes and the project of a viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        Given by napari.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
