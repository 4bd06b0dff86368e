"""Which of many places to suggest: the most uncertain ones that differ from each other, and some by chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..geometry import Region, Triple
from .scan import Candidate, Scan
from .settings import Kind, SuggestSettings

Features = npt.NDArray[np.float64]
Describe = Callable[[int, Region], Features]
"""Gives what a place of an image looks like, as numbers."""

IsLabelled = Callable[[int, Region], bool]
_POOL = 6
"""With features, so many times as many places as are wanted are compared."""
_SLICES = 8
"""Neighbouring slices show the same: flat boxes keep so many slices apart, or a tenth of a thin stack."""


@dataclass(frozen=True)
class Chosen:
    """A place to suggest.

    Parameters
    ----------
    image : int
        Number of the image.
    region : Region
        In voxels of the image.
    kind : {'uncertain', 'random'}
        Whether uncertainty or chance has chosen it.
    score : float
        Mean uncertainty.
    """

    image: int
    region: Region
    kind: Kind
    score: float


def choose(
    scans: Sequence[Scan],
    settings: SuggestSettings,
    *,
    depths: Sequence[int],
    before: int = 0,
    labelled: IsLabelled = lambda _image, _region: False,
    describe: Describe | None = None,
    known: Sequence[tuple[int, Region]] = (),
) -> list[Chosen]:
    """Choose places of one or several images, the one to begin with first.

    Greedy: the most uncertain place is taken, and what overlaps it or lies next to it drops out (non-maximum
    suppression), then the next. With ``spread`` *features*, of the most uncertain ones that is taken whose looks differ
    most from those that were taken and from what is labelled, times how uncertain it is (k-centre, Sener and Savarese
    2018).

    Parameters
    ----------
    scans : sequence of Scan
        One per image.
    settings : SuggestSettings
        How many, and how.
    depths : sequence of int
        Slices of each image.
    before : int
        How many were suggested earlier, so that the share of chance holds over all.
    labelled : callable
        Whether something is painted in a region of an image.
    describe : callable, optional
        Looks of a region; needed for *features*.
    known : sequence of (int, Region)
        What is labelled, by image.

    Returns
    -------
    list of Chosen
        Fewer than wanted where no more fit, or the model is surer than in the median.
    """
    # Of the surer half of an image nobody would say that the model is unsure there.
    least = float(np.median([one.score for scan in scans for one in scan.chance] or [0.0]))
    unsure_ones = (one for scan in scans for one in scan.best if one.score >= least)
    pools = {
        "uncertain": sorted(unsure_ones, key=lambda one: -one.score),
        "random": sorted((one for scan in scans for one in scan.chance), key=lambda one: one.key),
    }
    taken = _Taken(depths, labelled)
    # Where few places are left both kinds get their share; chance draws first, or its sample would not be fair.
    room = len(_fitting(pools["random"], _Taken(depths, labelled), settings.count))
    kinds = list(kinds_of(room, settings.random_share, before))
    by_chance = _fitting(pools["random"], taken, kinds.count("random"))
    if settings.spread == "features" and describe is not None:
        unsure = _different(pools["uncertain"], taken, kinds.count("uncertain"), describe, known)
    else:
        unsure = _fitting(pools["uncertain"], taken, kinds.count("uncertain"))
    found: list[Chosen] = []
    for kind in kinds:
        rest = by_chance if kind == "random" else unsure
        if rest:
            one = rest.pop(0)
            found.append(Chosen(one.image, one.region, kind, one.score))
    return found


def kinds_of(count: int, share: float, before: int = 0) -> Iterator[Kind]:
    """Yield which suggestions are by chance, spread evenly.

    Examples
    --------
    >>> "".join(kind[0] for kind in kinds_of(8, 0.25)), "".join(kind[0] for kind in kinds_of(4, 0.25, before=2))
    ('uuuruuur', 'uruu')
    """
    for number in range(before, before + count):
        yield "random" if int((number + 1) * share + 1e-9) > int(number * share + 1e-9) else "uncertain"


class _Taken:
    """Places that were chosen, by image."""

    def __init__(self, depths: Sequence[int], labelled: IsLabelled) -> None:
        self.depths, self._labelled = depths, labelled
        self._chosen: dict[int, list[Region]] = {}

    def fits(self, one: Candidate) -> bool:
        """Whether a place is near to none of those that were chosen, and nothing is painted there."""
        near = one.region.grow(apart(one.region, self.depths[one.image]))
        if any(near.overlaps(other) for other in self._chosen.get(one.image, ())):
            return False
        return not self._labelled(one.image, one.region)

    def add(self, one: Candidate) -> None:
        """Choose a place."""
        self._chosen.setdefault(one.image, []).append(one.region)


def apart(region: Region, depth: int) -> Triple:
    """Return how far another place must be: slices next to a flat box show the same as it does."""
    if region.shape[0] > 1 or depth == 1:
        return 0, 0, 0
    return min(_SLICES, depth // 10), 0, 0


def _fitting(pool: Sequence[Candidate], taken: _Taken, count: int) -> list[Candidate]:
    found: list[Candidate] = []
    for one in pool:
        if len(found) == count:
            break
        if taken.fits(one):
            taken.add(one)
            found.append(one)
    return found


def _different(
    pool: Sequence[Candidate], taken: _Taken, count: int, describe: Describe, known: Sequence[tuple[int, Region]]
) -> list[Candidate]:
    # Of a pool without overlaps, so that it does not hold one place over and over.
    pooled = _Taken(taken.depths, lambda image, region: False)
    some = [one for one in _fitting(pool, pooled, _POOL * count) if taken.fits(one)]
    if not some:
        return []
    looks = np.stack([describe(one.image, one.region) for one in some])
    centres = np.stack([describe(*one) for one in known]) if known else np.zeros((0, looks.shape[1]))
    middle, spread = np.median(looks, axis=0), looks.std(axis=0)
    spread[spread == 0] = 1
    looks, centres = (looks - middle) / spread, (centres - middle) / spread
    weight = np.array([one.score for one in some])
    away = np.full(len(some), np.inf)
    for centre in centres:
        away = np.minimum(away, np.linalg.norm(looks - centre, axis=1))
    found: list[Candidate] = []
    while len(found) < count and np.any(away > -np.inf):
        gain = weight * np.where(np.isinf(away) & (away > 0), 1.0, away)
        best = int(np.argmax(np.where(away == -np.inf, -np.inf, gain)))
        if taken.fits(some[best]):
            taken.add(some[best])
            found.append(some[best])
            away = np.minimum(away, np.linalg.norm(looks - looks[best], axis=1))
        away[best] = -np.inf
    return found
