"""The uncertainty map as a layer, of a volume of any size: what is on screen is read in a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...geometry import Region, Triple, triple
from ...inference.store import StoredPrediction
from ...suggestions.maps import UncertaintyMap
from ..jobs.main_thread import MainThread
from ..review.prediction_layer import MapLayer, Placement
from ..review.through import Held
from ..review.tile_grid import span_of, steps_for
from ..review.tiles import Tiles

if TYPE_CHECKING:
    from ..session import Session

_CHUNK: Triple = (16, 256, 256)


class _Parts:
    """Bytes of an uncertainty map, for `Tiles`."""

    def __init__(self, uncertainty: UncertaintyMap) -> None:
        self._map = uncertainty
        self.shape: tuple[int, ...] = uncertainty.shape
        self.chunks: tuple[int, ...] = _CHUNK

    def read(self, region: Region) -> npt.NDArray[np.uint8]:
        """Return voxels."""
        return np.rint(np.clip(self._map.read(region), 0, 1) * 255).astype(np.uint8)


class _Level:
    """A level with one entry along the axes before z, and without z where the image has none; see `Shown`."""

    dtype: np.dtype[Any] = np.dtype(np.uint8)
    late = True

    def __init__(self, tiles: Tiles, level: int, leading: int, flat: bool) -> None:
        self._tiles, self._level, self._leading, self._flat = tiles, level, leading, flat
        shape = tiles.level_shape(level)
        self.shape: tuple[int, ...] = (*(1,) * leading, *(shape[1:] if flat else shape))

    def __getitem__(self, index: Any) -> npt.NDArray[np.uint8]:
        parts = index if isinstance(index, tuple) else (index,)
        parts = (*parts, *[slice(None)] * (len(self.shape) - len(parts)))
        spatial = (0, *parts[self._leading :]) if self._flat else parts[self._leading :]
        shape = self._tiles.level_shape(self._level)
        whole = [span_of(part, n) for part, n in zip(spatial, shape, strict=True)]
        sliced = tuple(
            slice(*span) if isinstance(part, slice) else span[0] for part, span in zip(spatial, whole, strict=True)
        )
        found = self._tiles.get(self._level, sliced)
        kept = [part for part in parts[: self._leading] if isinstance(part, slice)]
        return found[(None,) * len(kept)]


class UncertaintyLayer:
    """One image layer of what the model is unsure of.

    Parameters
    ----------
    session : Session
        Of the window.
    """

    def __init__(self, session: Session) -> None:
        self._session, self._main = session, MainThread()
        self._layer = MapLayer(session.viewer, "Uncertainty")
        self._tiles: Tiles | None = None

    @property
    def present(self) -> bool:
        """Whether it is shown."""
        return self._layer.present

    @property
    def layer(self) -> Any:
        """The layer of napari; None if there is none."""
        return self._layer.layer

    def show(self, uncertainty: UncertaintyMap, stored: StoredPrediction, image: Any, frame: tuple[int, ...]) -> None:
        """Show a map on its image."""
        self.hide()
        info = stored.info
        steps = steps_for(triple(uncertainty.shape), info.voxel_size)
        self._tiles = Tiles(_Parts(uncertainty), steps, np.uint8, lambda: self._main.post(self._came))
        place = Placement(image, info.magnification, info.start, frame)
        levels = [Held(_Level(self._tiles, n, len(frame), place.flat)) for n in range(len(steps))]
        self._layer.show(levels if len(levels) > 1 else levels[0], place)

    def hide(self) -> None:
        """Take it away."""
        self._layer.remove()
        if self._tiles is not None:
            self._tiles.close()
        self._tiles = None

    def close(self) -> None:
        """Let go of the thread; the layer stays with its window."""
        self._main.close()
        if self._tiles is not None:
            self._tiles.close()

    def _came(self) -> None:
        if self._layer.present:
            kept = getattr(self._layer.layer, "_level_materializer", None)
            if kept is not None:
                kept.cache_clear()
            self._layer.layer.refresh(thumbnail=False, highlight=False, extent=False)
