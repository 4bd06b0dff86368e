"""How large the objects of an image are that nobody has labelled, so that a model sees them as in its training.

A model finds objects at several scales. Near the right one it is sure of them, and what it finds has the same diameter
at each; far from it pieces of objects differ from scale to scale. So scales vote for diameters. As in Cellpose
(Stringer et al. 2021) the diameter of what was found then says the scale more exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..evaluation.calibration import Calibration, rescore
from ..geometry import Region, Triple, triple
from ..models import Model
from ..models.model import bounded_scale
from ..nets.scaled import at_scale
from ..tasks.diameters import across, median_diameter
from ..volumes import Volume
from .fingerprint import model_fingerprint
from .image import PreparedImage, choose_view, prepare_image
from .info import PredictionInfo
from .planning import make_network
from .predictor import Network, predict_array

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)
SEEN = {2: (1, 384, 384), 3: (32, 80, 80)}
"""Voxels of the network that are looked at."""
NEAR = 1.15
"""A scale that differs by less than this factor from one that was tried is not tried."""
REFINED = 2
ALIKE = 0.3
"""Octaves by which diameters may differ to support each other."""

Diameter = float | Literal["auto"]


@dataclass(frozen=True)
class ObjectSize:
    """What was found.

    Parameters
    ----------
    scale : float
        Voxels of the network per voxel of the image, for `Model.of_scale`.
    diameter : float or None
        Median, in voxels of the finest axis of the image; None where nothing was found.
    objects : int
        From how many objects.
    """

    scale: float
    diameter: float | None
    objects: int


@dataclass(frozen=True)
class _Tried:
    """What the model finds at a scale: the diameter of objects, and which share of the image it is surely right in."""

    scale: float
    diameter: float | None = None
    objects: int = 0
    sure: float = 0.0

    def support(self, diameter: float, learned: float) -> float:
        """Return how much this speaks for a diameter: if it finds that, all the more the nearer its scale is to it."""
        if self.diameter is None:
            return 0.0
        same, apt = math.log2(self.diameter / diameter), math.log2(diameter * self.scale / learned)
        return self.sure * math.exp(-((same / ALIKE) ** 2) - 0.5 * apt**2)


def estimate_scale(
    model: Model, image: Volume, *, device: str = "auto", precision: str = "auto", resample: bool = False
) -> ObjectSize:
    """Find the scale at which a model sees the objects of an image in the size that it has learned.

    Parameters
    ----------
    model : Model
        With a diameter on its card.
    image : Volume
        Of a large one the most varied of some pieces is looked at.
    device, precision, resample
        As for `predict_volume`.

    Raises
    ------
    ModelError
        If the model knows no diameter.
    ConfigError
        If the image has not the channels of the model.
    """
    prepared = prepare_image(model, image, resample)
    return _estimate(model, prepared, make_network(model.of_scale(1.0), device, precision))


def _estimate(model: Model, prepared: PreparedImage, network: Network) -> ObjectSize:
    learned, middle = model.learned_diameter, _most_varied(prepared, model.card.dims)
    tried: list[_Tried] = []

    def look(scale: float) -> None:
        if not any(1 / NEAR < scale / one.scale < NEAR for one in tried):
            tried.append(_look(model.of_scale(scale), network, prepared, middle))

    for scale in SCALES:
        look(scale)
    for _ in range(REFINED):
        best = _best(tried, learned)
        if best.diameter is not None:
            look(bounded_scale(learned / best.diameter))
    best = _best(tried, learned)
    if best.diameter is None:
        return ObjectSize(model.card.scale, None, 0)
    return ObjectSize(bounded_scale(learned / best.diameter), best.diameter, best.objects)


def sized(
    model: Model,
    image: Volume,
    diameter: Diameter | None,
    network: Callable[[], Network],
    resample: bool = False,
    begun: PredictionInfo | None = None,
) -> Model:
    """Return a model for an image whose objects have a diameter.

    Parameters
    ----------
    model : Model
        As it is stored.
    image : Volume
        The image.
    diameter : float or 'auto', optional
        In voxels of the finest axis; found by the model with ``'auto'``. Not given, the model stays as it is.
    network : callable
        Gives the model's network, not scaled.
    resample : bool
        As for `predict_volume`.
    begun : PredictionInfo, optional
        Of an earlier prediction: if it is of the same model and image, its scale is kept.

    Raises
    ------
    ModelError
        If the model knows no diameter.
    ConfigError
        If the diameter is not a number above 0.
    """
    if diameter is None:
        return model
    view = choose_view(model, image, resample)
    if diameter != "auto":
        # The network may see the image at another magnification.
        return model.of_diameter(diameter / (view.resampled or view.magnification)[2])
    if begun is not None:
        same = model.of_scale(begun.scale)
        wanted = (model_fingerprint(same), view.volume.fingerprint)
        if (begun.model_fingerprint, begun.image_fingerprint) == wanted:
            return same
    return model.of_scale(_estimate(model, prepare_image(model, image, resample), network()).scale)


def _best(tried: Sequence[_Tried], learned: float) -> _Tried:
    """Return the try whose diameter all tries together support most; near it, the one at the aptest scale."""

    def votes(diameter: float) -> float:
        return sum(one.support(diameter, learned) for one in tried)

    found = [(one, one.diameter) for one in tried if one.diameter is not None]
    if not found:
        return tried[0]
    chosen = max((diameter for _, diameter in found), key=votes)
    near = [(one, diameter) for one, diameter in found if abs(math.log2(diameter / chosen)) < ALIKE]
    return min(near, key=lambda pair: abs(math.log2(pair[1] * pair[0].scale / learned)))[0]


def _look(model: Model, network: Network, prepared: PreparedImage, middle: Triple) -> _Tried:
    card, task = model.card, model.task()
    whole = prepared.volume.region
    seen = [n if axis == 0 and card.dims == 2 else n / card.scale for axis, n in enumerate(SEEN[card.dims])]
    size = triple([min(n, max(1, round(wide))) for n, wide in zip(whole.shape, seen, strict=True)])
    start = [min(max(0, m - n // 2), most - n) for m, n, most in zip(middle, size, whole.shape, strict=True)]
    piece = prepared.read(Region.from_shape(size, start))
    maps = predict_array(at_scale(network, card.scale, card.dims), task.activate, piece, card.dims)
    calibration = Calibration.model_validate(card.calibration) if card.calibration else None
    objects = rescore(task.decode(maps, prepared.decode_size, card.dims), calibration)
    # Far from the size that is known all scores are low, and still the better ones tell the diameter.
    least = min(card.threshold, 0.5 * float(objects.scores.max(initial=0)))
    shown = np.where(objects.scores >= least, objects.scores, 0).astype(np.float32)
    shown[:1] = 0
    shown[across(objects.labels)] = 0
    labels = np.where(shown[objects.labels] > 0, objects.labels, 0)
    diameter = median_diameter([(labels, prepared.decode_size)], card.dims)
    return _Tried(card.scale, diameter, int(np.count_nonzero(shown)), float(shown[objects.labels].mean()))


def _most_varied(prepared: PreparedImage, dims: int) -> Triple:
    """Return the middle of the most varied of some pieces of an image, in voxels of the prediction."""
    shape = prepared.volume.shape
    size = triple([min(n, wide) for n, wide in zip(shape, SEEN[dims], strict=True)])
    places = [sorted({(n - s) * part // 4 for part in (1, 2, 3)}) for n, s in zip(shape, size, strict=True)]
    starts = [(z, y, x) for z in places[0][len(places[0]) // 2 :][:1] for y in places[1] for x in places[2]]
    best = max(starts, key=lambda start: float(prepared.read(Region.from_shape(size, start)).std()))
    return triple([a + n // 2 for a, n in zip(best, size, strict=True)])
