"""Makes objects from maps in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...errors import AitrainError
from ...geometry import Region
from ...tasks.protocol import Objects
from ...volumes.lazy import READ_ERRORS
from .maps import MapBytes, Maps
from .prediction import Prediction
from .prediction_layer import PredictionLayer

_PATIENCE = 2.0


@dataclass(frozen=True, eq=False)
class Work:
    """Objects to be made.

    Parameters
    ----------
    base : Prediction
        The prediction as it was stored or sent.
    maps : Maps
        Of it.
    region : Region
        Of which part of it, in its own voxels.
    values : mapping of str to float
        Of the sliders.
    """

    base: Prediction
    maps: Maps
    region: Region
    values: Mapping[str, float]


class DecodeThread:
    """Does the newest work that was asked for each layer; older work that has not been begun is left out.

    Parameters
    ----------
    done : callable
        Called in the thread with work and its objects.
    failed : callable
        Called in the thread with work and why it could not be done.
    """

    def __init__(self, done: Callable[[Work, Objects], None], failed: Callable[[Work, str], None]) -> None:
        self._done, self._failed = done, failed
        self._waiting: dict[PredictionLayer, Work] = {}
        self._read: dict[PredictionLayer, tuple[Maps, Region, MapBytes]] = {}
        self._closing = False
        self._condition = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="napari-aitrain-decode", daemon=True)
        self._thread.start()

    def ask(self, work: Work) -> None:
        """Have objects made."""
        with self._condition:
            self._waiting[work.base.layer] = work
            self._condition.notify()

    def forget(self, layer: PredictionLayer) -> None:
        """Make nothing for a layer, and let go of its maps."""
        with self._condition:
            self._waiting.pop(layer, None)
            self._read.pop(layer, None)

    def close(self) -> None:
        """End the thread; of a volume under way nobody waits for the end."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._closing or self._waiting)
                if self._closing:
                    return
                work = self._waiting.pop(next(iter(self._waiting)))
            try:
                objects = work.maps.decode(self._maps(work), work.values)
            except (AitrainError, *READ_ERRORS) as error:
                # Such as of a folder that somebody deleted.
                self._failed(work, str(error))
            else:
                self._done(work, objects)

    def _maps(self, work: Work) -> MapBytes:
        """Return the maps of a part; those that were read last are kept, since the next value needs the same."""
        layer = work.base.layer
        kept = self._read.get(layer)
        if kept is not None and kept[0] is work.maps and kept[1] == work.region:
            return kept[2]
        maps = work.maps.read(work.region)
        with self._condition:
            self._read[layer] = work.maps, work.region, maps
        return maps
