"""What a person chooses for automatic segmentation: what is in the image, and the numbers that go with it."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from ..volumes.units import VoxelSize

Classical = Literal["single-cells", "nuclei-in-organoids", "organoids", "membranes"]
Preset = Literal["single-cells", "nuclei-in-organoids", "organoids", "membranes", "starter"]
CLASSICAL: tuple[Classical, ...] = get_args(Classical)
PRESETS: tuple[Preset, ...] = get_args(Preset)
TITLES: dict[Preset, str] = {
    "single-cells": "Single cells",
    "nuclei-in-organoids": "Nuclei in organoids",
    "organoids": "Organoids",
    "membranes": "Cells between membranes",
    "starter": "Starter model",
}
DESCRIPTIONS: dict[Preset, str] = {
    "single-cells": "Cells or nuclei that stand out from their background, touching or not.",
    "nuclei-in-organoids": "Crowded nuclei on a background that is brighter in some places than in others.",
    "organoids": "Whole organoids or colonies: what lies close together is one object.",
    "membranes": "Cells that a bright membrane or wall surrounds; dark ones with Dark membranes.",
    "starter": "A trained network that ships with the plugin, for what it was trained on: touching and dim nuclei too.",
}

MOST_SIGMA = 500.0
MOST_DIAMETER = 10_000.0
_OF_CLASSICAL = ("minimum_size", "sigma", "dark")
_OF_STARTER = ("model", "diameter", "threshold", "dark")


class AutosegmentSettings(BaseModel):
    """What to find, and numbers: a minimum size and a sigma, or those of a starter model.

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
    model: Annotated[str, Field(title="Model", description="Name of the starter model.")] = ""
    diameter: Annotated[
        float | None,
        Field(
            ge=1,
            le=MOST_DIAMETER,
            allow_inf_nan=False,
            title="Diameter (voxels)",
            description="Of a typical object: the image is brought to the size that the model knows. None: found.",
        ),
    ] = None
    threshold: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            allow_inf_nan=False,
            title="Threshold",
            description="Objects that the model is less sure of are left out. None: the model's own.",
        ),
    ] = None

    @property
    def by_starter(self) -> bool:
        """Whether a starter model finds the objects."""
        return self.preset == "starter"

    def used(self) -> dict[str, Any]:
        """Return the preset and the numbers that count with it."""
        return self.model_dump(include=used_with(self.preset))


def used_with(preset: Preset) -> set[str]:
    """Return the names of the settings that count with a preset."""
    return {"preset", *(_OF_STARTER if preset == "starter" else _OF_CLASSICAL)}


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
