"""Finds the objects of a part of an image: by two numbers in this process, by a starter model in a worker."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from ...autosegment.files import read_image
from ...autosegment.finding import Found
from ...autosegment.settings import AutosegmentSettings
from ...autosegment.starter import Scored, place_of
from ...geometry import Region, Triple
from ...jobs.segmenter import Cancelled, Progress, Segmenter
from ...models import read_card
from .part import Part

AROUND = 16
"""Slices to either side that a model of volumes sees of a single slice."""


@dataclass(frozen=True)
class _Last:
    """What was asked of the model, but for the threshold, and its answer."""

    where: tuple[str, tuple[int, ...], Triple, Region]
    settings: AutosegmentSettings
    scored: Scored


class Finder:
    """Its methods wait: they are for threads, any of them.

    Parameters
    ----------
    make : callable
        Makes the `Segmenter`, when a starter model is first used.
    """

    def __init__(self, make: Callable[[], Segmenter] = Segmenter) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._segmenter: Segmenter | None = None
        self._last: _Last | None = None
        self._diameters: dict[tuple[str, Triple, str, bool], float | None] = {}

    @property
    def warm(self) -> bool:
        """Whether a starter model has answered before."""
        return self._last is not None

    def forget(self) -> None:
        """Have diameters found anew."""
        self._diameters.clear()

    def find(
        self, part: Part, settings: AutosegmentSettings, cancelled: Cancelled, progress: Progress | None = None
    ) -> Found | None:
        """Find objects; None if it was cancelled. Where only the threshold has changed no network is run.

        A diameter that was found once in an image is that of all its slices.

        Raises
        ------
        AitrainError
            If the part cannot be read or segmented.
        """
        if not settings.by_starter:
            return part.find(settings)
        where = (part.volume.name, part.frame, part.magnification, part.region)
        last = self._last
        again = settings if last is None else last.settings.model_copy(update={"threshold": settings.threshold})
        if last is not None and last.where == where and again == settings != last.settings:
            scored = last.scored
        else:
            found = self._ask(part, settings, cancelled, progress)
            if found is None:
                return None
            scored = found
        self._last = _Last(where, settings, scored)
        return scored.above(settings.threshold)

    def close(self) -> None:
        """End the worker."""
        with self._lock:
            if self._segmenter is not None:
                self._segmenter.close()

    def _ask(
        self, part: Part, settings: AutosegmentSettings, cancelled: Cancelled, progress: Progress | None
    ) -> Scored | None:
        with self._lock:
            if self._segmenter is None:
                self._segmenter = self._make()
        volumes = read_card(place_of(settings.model)).dims == 3
        wide = part.around(AROUND) if volumes and part.dims == 2 else part
        image = read_image(wide.volume, wide.region)
        which = (part.volume.name, part.magnification, settings.model, settings.dark)
        asked = part.fitted(settings)
        if asked.diameter is None:
            asked = asked.model_copy(update={"diameter": self._diameters.get(which)})
        found = self._segmenter.image(image, asked, wide.volume.voxel_size, cancelled, progress)
        if found is not None and settings.diameter is None and found.scores.size > 1:
            self._diameters[which] = found.diameter
        return None if found is None else found.part(part.region.relative_to(wide.region.start).slices)
