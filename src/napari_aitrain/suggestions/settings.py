"""What a person chooses about suggestions: how doubt is measured, how places are spread, and how many are by chance."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Measure = Literal["margin", "augmentation", "ensemble"]
Spread = Literal["distance", "features"]
Kind = Literal["uncertain", "random"]


class SuggestSettings(BaseModel):
    """How places are chosen.

    The defaults follow ``benchmarks/active_learning.py``: margin was clearly better than chance on one of its data sets
    and worse on the other, so every other place is by chance.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    measure: Annotated[
        Measure,
        Field(
            description="margin: how near the model is to deciding otherwise; augmentation: how much it disagrees with "
            "itself on mirrored images; ensemble: how much earlier versions of it disagree."
        ),
    ] = "margin"
    spread: Annotated[
        Spread,
        Field(description="distance: never twice nearly the same place; features: also places that look different."),
    ] = "distance"
    random_share: Annotated[
        float, Field(ge=0, le=1, description="Share of places that chance chooses, to compare the others with.")
    ] = 0.5
    count: Annotated[int, Field(ge=1, le=1000, description="How many places to suggest.")] = 12
    seed: Annotated[int, Field(ge=0, description="Of the places that chance chooses.")] = 0
