"""Shows what is painted of a sparse ground truth outside of its window, at every zoom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.layers import Labels

from ...annotation.sparse import SparseTruth
from ...annotation.sparse_pyramid import coarser
from ...annotation.sparse_sheet import Sheet
from ...geometry import Region, Triple, to_finest, triple
from ..frames import LayerFrame
from ..review.prediction_layer import kept_selection
from .colours import colour_truth
from .new_layer import placed
from .window_writer import WindowWriter

if TYPE_CHECKING:
    from ..session import Session
    from .truth import GroundTruth, Window


class LevelElsewhere:
    """An array-like over one level of the pyramid on disk, clear where the window lies.

    Parameters
    ----------
    sheet : Sheet
        The level.
    flat : bool
        Whether the array has the axes y and x alone.
    window : Region
        In voxels of the level.
    """

    dtype = np.dtype(np.int32)

    def __init__(self, sheet: Sheet, flat: bool, window: Region) -> None:
        self._sheet, self._flat, self.window = sheet, flat, window
        self.shape = sheet.shape[1:] if flat else sheet.shape
        self.ndim, self.size = len(self.shape), int(np.prod(self.shape))

    def __getitem__(self, key: Any) -> npt.NDArray[np.int32]:
        parts = list(key) if isinstance(key, tuple) else [key]
        parts += [slice(None)] * (self.ndim - len(parts))
        spans, order = [], []
        for part, n in zip(parts, self.shape, strict=True):
            indices = np.arange(n)[part] if isinstance(part, slice) else np.asarray([part])
            low, high = (int(indices.min()), int(indices.max()) + 1) if len(indices) else (0, 0)
            spans.append((low, high))
            order.append(indices - low if isinstance(part, slice) else int(indices[0]) - low)
        spans = [(0, 1), *spans] if self._flat else spans
        region = Region(triple([a for a, _ in spans]), triple([b for _, b in spans]))
        values = self._sheet.read(region)
        inside = region.intersect(self.window)
        if not inside.empty:
            values[inside.relative_to(region.start).slices] = 0
        found = values[0] if self._flat else values
        for axis, chosen in reversed(list(enumerate(order))):
            found = found.take(chosen, axis=axis)
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self[(slice(None),) * self.ndim].astype(dtype or self.dtype, copy=False)


class Elsewhere:
    """One layer per sparse ground truth of an image without further axes, as soon as there is something to show.

    A person may remove it.

    Parameters
    ----------
    session : Session
        Whose ground truths are shown.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._layers: dict[str, Any] = {}
        self._shown: dict[str, list[tuple[LevelElsewhere, Triple]]] = {}
        self._drawn: dict[str, GroundTruth] = {}
        self._empty: dict[str, Window] = {}
        session.truths.changed.connect(self._on_truths)
        session.saver.saved.connect(self._on_saved)

    def layer(self, truth: GroundTruth) -> Any:
        """Return the layer of a ground truth; None if there is none."""
        found = self._layers.get(truth.key)
        return found if found in self._session.viewer.layers else None

    def close(self) -> None:
        """Follow the session no longer; layers stay."""
        self._session.truths.changed.disconnect(self._on_truths)
        self._session.saver.saved.disconnect(self._on_saved)

    def _on_truths(self) -> None:
        truths = {truth.key: truth for truth in self._session.truths.all()}
        for key in [key for key in self._layers if key not in truths]:
            layer = self._layers.pop(key)
            self._drawn.pop(key)
            self._shown.pop(key)
            if layer in self._session.viewer.layers:
                with kept_selection(self._session.viewer):
                    self._session.viewer.layers.remove(layer)
        for key in self._layers.keys() & truths.keys():
            if truths[key] != self._drawn[key]:
                self._show(truths[key])
        self._on_saved()

    def _on_saved(self) -> None:
        """Add what is missing; what is saved lies in the window, where a layer is clear: it need not be drawn again."""
        for truth in self._session.truths.all():
            if truth.key not in self._layers and truth.window not in (None, self._empty.get(truth.key)):
                self._add(truth)

    def _levels(self, truth: GroundTruth) -> list[tuple[LevelElsewhere, Triple]] | None:
        """Return the levels to show; None if nothing is painted outside of the window, or it cannot be shown."""
        project = self._session.saver.project
        if truth.window is None or truth.image not in self._session.viewer.layers or project is None:
            return None
        frame, writer = LayerFrame.of(self._session.viewer.layers[truth.image]), self._session.saver.writer(truth)
        if frame.leading or not isinstance(writer, WindowWriter) or not project.labels_path(truth.key).exists():
            return None
        store: SparseTruth = writer.store(project, ())
        fine = to_finest(truth.window.region, truth.magnification)
        if all(fine.contains(region) for region in store.extents()):
            self._empty[truth.key] = truth.window
            return None
        sheets = [Sheet(store.path / str(number)) for number in range(len(store.levels))]
        return [
            (LevelElsewhere(sheet, frame.flat, coarser(fine, level)), level)
            for sheet, level in zip(sheets, store.levels, strict=True)
        ]

    def _add(self, truth: GroundTruth) -> None:
        levels = self._levels(truth)
        if levels is None:
            return
        viewer = self._session.viewer
        image, above = viewer.layers[truth.image], self._session.truths.layer(truth)
        layer = Labels(
            [level for level, _ in levels],
            multiscale=True,
            name=f"{truth.image}, painted elsewhere",
            **placed(image, (1, 1, 1), Region.from_shape(LayerFrame.of(image).shape)),
            affine=image.affine,
            units=image.units,
            axis_labels=image.axis_labels,
            opacity=above.opacity,
        )
        colour_truth(layer, truth)
        self._layers[truth.key], self._drawn[truth.key], self._shown[truth.key] = layer, truth, levels
        with kept_selection(viewer):
            viewer.layers.insert(viewer.layers.index(above), layer)

    def _show(self, truth: GroundTruth) -> None:
        """Follow the window and the classes of a ground truth."""
        before, self._drawn[truth.key] = self._drawn[truth.key], truth
        layer = self.layer(truth)
        if layer is None or truth.window is None:
            return
        if truth.window != before.window or truth.magnification != before.magnification:
            fine = to_finest(truth.window.region, truth.magnification)
            for level, m in self._shown[truth.key]:
                level.window = coarser(fine, m)
            layer.refresh()
        if truth.classes != before.classes or truth.background_id != before.background_id:
            colour_truth(layer, truth)
