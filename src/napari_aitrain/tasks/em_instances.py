"""EM instances: mitochondria, nuclei, vesicles; whatever has a size that is known in nanometres.

As *instances*, with two rules in nanometres: seeds that are farther apart than the largest object is long are never one
object, and seeds that are very near each other always are.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from .dividing import Division
from .maps import outline_spacing
from .object_maps import ObjectMapsTask
from .protocol import TaskSettings, VoxelSize

SMOOTHING = 1.5
"""Of the distance, in voxels of the finest axis."""

SMALL = 0.1
"""Seed distance and smallest diameter where nobody chose them, as a share of the max distance."""

MINIMUM_VOXELS = 20
"""The smallest object where the voxel size is not known."""


class EmInstancesSettings(TaskSettings):
    """Settings of the task for objects in electron micrographs."""

    max_distance: Annotated[
        float,
        Field(
            gt=0,
            allow_inf_nan=False,
            title="Max distance (nm)",
            json_schema_extra={"basic": True},
            description="Diameter of the largest objects, in nm: parts that are farther apart are never one object.",
        ),
    ] = 1000.0
    seed_distance: Annotated[
        float | None,
        Field(
            ge=0,
            allow_inf_nan=False,
            title="Seed distance (nm)",
            description="Middles that are nearer to each other, in nm, are one object; none is a tenth of the max "
            "distance.",
        ),
    ] = None
    minimum_diameter: Annotated[
        float | None,
        Field(
            ge=0,
            allow_inf_nan=False,
            title="Smallest diameter (nm)",
            description="Objects smaller than a ball of this diameter, in nm, are left out; none is a tenth of the max "
            "distance.",
        ),
    ] = None
    foreground: Annotated[
        float, Field(gt=0, lt=1, description="Voxels whose foreground is more probable than this belong to objects.")
    ] = 0.5
    split: Annotated[
        float,
        Field(gt=0, le=1, description="Higher splits touching objects more readily, and odd shapes too."),
    ] = 0.5

    @model_validator(mode="after")
    def _in_order(self) -> EmInstancesSettings:
        for name in ("seed_distance", "minimum_diameter"):
            value = getattr(self, name)
            if value is not None and value >= self.max_distance:
                raise ValueError(f"{name} is {value:g} nm, and must be below max_distance, {self.max_distance:g} nm")
        return self


class EmInstancesTask(ObjectMapsTask):
    """Separate objects in electron micrographs, each with an id and a score.

    Parameters
    ----------
    settings : EmInstancesSettings
        How maps become objects.
    classes : tuple of int
        Not used: a voxel is background or of an object.
    """

    name: ClassVar[str] = "em-instances"
    title: ClassVar[str] = "EM instances"
    description: ClassVar[str] = "Mitochondria, nuclei, vesicles in electron micrographs: objects up to a size in nm."
    Settings: ClassVar[type[TaskSettings]] = EmInstancesSettings
    alternatives: ClassVar[tuple[dict[str, float], ...]] = ({"split": 0.8}, {"split": 0.65}, {"split": 0.35})
    micrographs: ClassVar[bool] = True
    needs_voxel_size: ClassVar[bool] = True
    sliders: ClassVar[tuple[str, ...]] = ("foreground", "split")
    most_rim_step: ClassVar[float] = 2.0

    def __init__(self, settings: EmInstancesSettings | None = None, classes: tuple[int, ...] = (0, 1)) -> None:
        self.settings: EmInstancesSettings = settings or EmInstancesSettings()
        super().__init__(self.settings)

    @property
    def max_distance(self) -> float | None:
        """How far apart, in nm, two places of one object can be."""
        return self.settings.max_distance

    def division(self, voxel_size: VoxelSize | None, dims: int) -> Division:
        """Return the rules in nm; where the voxel size is not known those in nm are left out."""
        chosen = self.settings
        if voxel_size is None:
            relative = outline_spacing(None)[3 - dims :]
            return Division(relative, chosen.foreground, chosen.split, SMOOTHING, MINIMUM_VOXELS)
        spacing = tuple(float(v) for v in voxel_size[3 - dims :])
        small = SMALL * chosen.max_distance
        diameter = small if chosen.minimum_diameter is None else chosen.minimum_diameter
        ball = math.pi / 4 * diameter**2 if dims == 2 else math.pi / 6 * diameter**3
        voxel = math.prod(spacing)
        return Division(
            spacing=spacing,
            foreground=chosen.foreground,
            split=chosen.split,
            smoothing=SMOOTHING * min(spacing),
            minimum_size=math.ceil(ball / voxel),
            seed_distance=small if chosen.seed_distance is None else chosen.seed_distance,
            max_distance=chosen.max_distance,
            voxel=voxel / small**dims,
        )
