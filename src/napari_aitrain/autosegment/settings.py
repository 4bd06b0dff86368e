"""What a person chooses for automatic segmentation: what is in the image, and two numbers."""

from __future__ import annotations

import math
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from ..volumes.units import VoxelSize

Preset = Literal["single-cells", "nuclei-in-organoids", "organoids"]
PRESETS: tuple[Preset, ...] = get_args(Preset)
TITLES: dict[Preset, str] = {
    "single-cells": "Single cells",
    "nuclei-in-organoids": "Nuclei in organoids",
    "organoids": "Organoids",
}
DESCRIPTIONS: dict[Preset, str] = {
    "single-cells": "Cells or nuclei that stand out from their background, touching or not.",
    "nuclei-in-organoids": "Crowded nuclei on a background that is brighter in some places than in others.",
    "organoids": "Whole organoids or colonies: what lies close together is one object.",
}


MOST_SIGMA = 500.0


class AutosegmentSettings(BaseModel):
    """Two numbers, and what they are for.

    Lengths are in voxels of the finest axis.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Annotated[Preset, Field(title="What to find", description="What is in the image.")] = "single-cells"
    minimum_size: Annotated[
        int, Field(ge=1, title="Minimum size (voxels)", description="Smaller objects are left out.")
    ] = 20
    sigma: Annotated[
        float,
        Field(
            ge=0,
            le=MOST_SIGMA,
            allow_inf_nan=False,
            title="Sigma (voxels)",
            description="How much is smoothed before objects are told apart: larger merges more distant parts.",
        ),
    ] = 3.0
    dark: Annotated[bool, Field(title="Dark objects", description="The objects are darker than their background.")] = (
        False
    )


def spoken_size(voxels: int, voxel_size: VoxelSize | None, dims: int) -> str:
    """Return a number of voxels as an area or volume; empty where the voxel size is not known.

    Examples
    --------
    >>> spoken_size(1000, (200.0, 100.0, 100.0), 3), spoken_size(100, (200.0, 100.0, 100.0), 2)
    ('2 µm³', '1 µm²')
    """
    if voxel_size is None:
        return ""
    return f"{voxels * math.prod(v / 1000 for v in voxel_size[3 - dims :]):.3g} µm{'³' if dims == 3 else '²'}"
