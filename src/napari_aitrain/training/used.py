"""Which images and boxes a training used, as they stand on the card of its model, and as sources to use again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..annotation.boxes import Box
from ..geometry import format_magnification, to_finest
from ..location import located
from ..models import SourceCard
from .config import Source, TrainConfig
from .cropset import Crop, CropSet


def source_cards(config: TrainConfig, crops: CropSet) -> tuple[SourceCard, ...]:
    """Return the images of which something was used, with the boxes as they were used: cut, and each with its role."""
    cards = []
    for key in dict.fromkeys((crop.source, crop.truth, crop.magnification) for crop in crops.crops):
        mine = [crop for crop in crops.crops if (crop.source, crop.truth, crop.magnification) == key]
        image, truth, magnification = key
        source = _source_of(config, mine[0])
        cards.append(
            SourceCard(
                image=image,
                labels=truth or ("" if source is None else str(source.labels)),
                magnification=format_magnification(magnification),
                image_fingerprint=mine[0].fingerprint,
                boxes=tuple(_as_used(crop) for crop in mine),
                **({} if source is None else source.model_dump(include={"voxel_size", "channels", "axes"})),
                background_id=None if source is None else source.background_id,
            )
        )
    return tuple(cards)


def used_sources(cards: Sequence[SourceCard]) -> tuple[Source, ...]:
    """Return what a training used as sources, but for images whose ground truth is not known."""
    return tuple(
        Source(
            image=located(card.image),
            labels=located(card.labels),
            boxes=card.boxes,
            magnification=card.magnification,
            voxel_size=card.voxel_size,
            channels=card.channels,
            axes=card.axes,
            background_id=card.background_id,
        )
        for card in cards
        if card.labels and card.boxes
    )


def _as_used(crop: Crop) -> Box:
    where = to_finest(crop.region, crop.magnification)
    return Box(start=where.start, stop=where.stop, name=crop.name, role=crop.role, sparse=crop.sparse)


def _source_of(config: TrainConfig, crop: Crop) -> Source | None:
    """Return the source of the config that a crop comes from: an image, or the folder that it lies in."""
    places = {crop.source, str(Path(crop.source).parent)}
    return next((source for source in config.sources if str(source.image) in places), None)
