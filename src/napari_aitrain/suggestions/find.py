"""From stored predictions to suggestions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..geometry import FINEST, Region, Triple
from ..inference.blocks import Cancelled, Progress
from ..inference.store import StoredPrediction
from ..models import ModelCard
from ..tasks.protocol import FloatArray, LabelArray
from .choose import Chosen, Features, choose
from .looks import looks_of
from .maps import UncertaintyMap
from .onto import Onto, labels_at
from .queue import Suggestion
from .scan import scan
from .settings import SuggestSettings
from .size import useful_size


@dataclass(frozen=True)
class Searched:
    """An image in which places are sought.

    Parameters
    ----------
    name : str
        Path of the image, or name of its layer, as suggestions keep it.
    stored : StoredPrediction
        What the model says of it.
    uncertainty : UncertaintyMap
        On the voxels of that.
    shape : tuple of int
        Of the image, z, y, x.
    frame : tuple of int
        Index along the axes before z, y and x.
    boxes : sequence of Region
        Of every role: nothing is suggested in them, or the figures of validation and test would lie.
    skipped : sequence of Region
        What a person does not want to be asked again.
    labelled : callable, optional
        Whether something is painted in a region, boxes or not.
    magnification : tuple of int, optional
        Of the ground truth; that of the training if not given.
    read : callable, optional
        Returns the normalised image of a region of the prediction, for places that look different.
    """

    name: str
    stored: StoredPrediction
    uncertainty: UncertaintyMap
    shape: Triple
    frame: tuple[int, ...] = ()
    boxes: Sequence[Region] = ()
    skipped: Sequence[Region] = ()
    labelled: Callable[[Region], bool] | None = None
    magnification: Triple | None = None
    read: Callable[[Region], FloatArray] | None = None


@dataclass(frozen=True)
class Found:
    """What was found.

    Parameters
    ----------
    suggestions : list of Suggestion
        The one to begin with first.
    labels : list of ndarray of int32
        What the model shows at each.
    places : int
        Places that were compared, which overlap each other.
    """

    suggestions: list[Suggestion]
    labels: list[LabelArray]
    places: int


def find_places(
    images: Sequence[Searched],
    card: ModelCard,
    settings: SuggestSettings,
    *,
    before: int = 0,
    size: Triple | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Found:
    """Suggest what to label next, in one or several images; memory does not grow with them.

    Parameters
    ----------
    images : sequence of Searched
        Where to look.
    card : ModelCard
        Of the model.
    settings : SuggestSettings
        How many places, and how they are chosen.
    before : int
        How many were suggested earlier.
    size : tuple of int, optional
        Of the boxes in voxels, z, y, x; see `useful_size` for what is taken if not given.
    progress, cancelled : callable, optional
        See `predict_volume`.

    Raises
    ------
    PredictionCancelledError
        If `cancelled` said so.
    """
    ontos = [Onto.of(one.stored.info) for one in images]
    scans = [
        scan(
            one.uncertainty, onto, useful_size(card, one.shape, one.magnification, one.boxes, size),
            grid=one.magnification or FINEST, taken=(*one.boxes, *one.skipped), image=number,
            seed=settings.seed + before, progress=progress, cancelled=cancelled,
        )
        for number, (one, onto) in enumerate(zip(images, ontos, strict=True))
    ]  # fmt: skip

    def labelled(number: int, region: Region) -> bool:
        painted = images[number].labelled
        return painted is not None and painted(region)

    def describe(number: int, region: Region) -> Features:
        one, seen = images[number], ontos[number].seen(region)
        return looks_of(one.stored.maps(seen), None if one.read is None else one.read(seen))

    known = [(number, box) for number, one in enumerate(images) for box in one.boxes]
    chosen = choose(
        scans, settings, depths=[one.shape[0] for one in images], before=before, labelled=labelled,
        describe=describe, known=known,
    )  # fmt: skip
    # Those by chance are a fair sample of all.
    levels = np.sort([one.score for some in scans for one in some.chance])
    ranks = [float(np.searchsorted(levels, one.score) / len(levels)) for one in chosen]
    return Found(
        [_suggestion(images[one.image], one, rank, card, settings) for one, rank in zip(chosen, ranks, strict=True)],
        [labels_at(images[one.image].stored, one.region) for one in chosen],
        sum(one.places for one in scans),
    )


def _suggestion(image: Searched, chosen: Chosen, rank: float, card: ModelCard, settings: SuggestSettings) -> Suggestion:
    return Suggestion(
        image=image.name,
        frame=image.frame,
        start=chosen.region.start,
        stop=chosen.region.stop,
        kind=chosen.kind,
        score=chosen.score,
        rank=rank,
        measure=settings.measure,
        model=f"{card.name} v{card.version}",
        fingerprint=image.stored.info.model_fingerprint,
        instances=image.stored.info.instances,
    )
