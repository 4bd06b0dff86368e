"""The slice on screen, segmented in a layer of its own while numbers move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psygnal import Signal

from ...autosegment.finding import Found
from ...autosegment.settings import AutosegmentSettings
from ...errors import AitrainError
from ..aside import Aside
from ..frames import LayerFrame
from .finder import Finder
from .part import Part

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels

NAME = "Auto-segment: preview"


class Preview:
    """Segments in a thread; of what was asked for meanwhile only the last is done.

    Parameters
    ----------
    viewer : napari.Viewer
        Where it is shown.
    finder : Finder
        Finds the objects.

    Signals
    -------
    found : Found, Part
        After the layer was changed.
    failed : AitrainError
        Why nothing can be shown.
    """

    found = Signal(object, object)
    failed = Signal(object)

    def __init__(self, viewer: napari.Viewer, finder: Finder) -> None:
        self._viewer, self._finder = viewer, finder
        self._aside: Aside[Found | None] = Aside()
        self._layer: Labels | None = None
        self._busy = self._shown = False
        self._wanted: tuple[Any, Part, AutosegmentSettings] | None = None

    def show(self, image: Any, part: Part, settings: AutosegmentSettings) -> None:
        """Segment a slice and show it; returns at once."""
        self._wanted, self._shown = (image, part, settings), True
        if not self._busy:
            self._next()

    def hide(self) -> None:
        """Show nothing, nor what is being segmented."""
        self._wanted, self._shown = None, False
        layer, self._layer = self._layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def close(self) -> None:
        """Show nothing new; the layer stays."""
        self._wanted, self._shown = None, False
        self._aside.close()

    def _next(self) -> None:
        if self._wanted is None:
            return
        image, part, settings = self._wanted
        self._wanted, self._busy = None, True
        self._aside.run(
            lambda: self._finder.find(part, settings, self._unwanted),
            lambda found: self._on_found(image, part, found),
            lambda e: self._on_failed(e),
        )

    def _unwanted(self) -> bool:
        """Whether what is being segmented will not be shown; asked in its thread."""
        return self._wanted is not None or not self._shown

    def _on_found(self, image: Any, part: Part, found: Found | None) -> None:
        self._busy = False
        if found is not None and not self._unwanted() and image in self._viewer.layers:
            self._draw(image, part, found)
            self.found.emit(found, part)
        self._next()

    def _on_failed(self, error: AitrainError) -> None:
        self._busy = False
        self.failed.emit(error)
        self._next()

    def _draw(self, image: Any, part: Part, found: Found) -> None:
        from napari.layers import Labels

        frame = LayerFrame.of(image)
        spatial = slice(1, None) if frame.flat else slice(None)
        labels = found.labels[0] if frame.flat else found.labels
        start = zip(frame.translate, frame.scale, part.region.start, strict=True)
        scale, translate = frame.scale[spatial], [t + s * a for t, s, a in start][spatial]
        if self._layer is None or self._layer not in self._viewer.layers:
            active = self._viewer.layers.selection.active
            self._layer = Labels(
                labels, name=NAME, opacity=0.6, scale=scale, translate=translate, units=image.units[-labels.ndim :]
            )
            self._layer.editable = False
            self._viewer.layers.insert(self._viewer.layers.index(image) + 1, self._layer)
            self._viewer.layers.selection.active = active
            return
        self._layer.data = labels
        self._layer.scale, self._layer.translate = scale, translate
