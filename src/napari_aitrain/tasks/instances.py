"""Instances: one id per object, in 2-D, slice by slice, or in 3-D.

The network gives three maps: foreground, the distance to the object's border divided by its maximum in the object,
and the border. A watershed of the distance divides the foreground; parts that no clear saddle divides are joined again.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from .dividing import Division
from .maps import outline_spacing
from .object_maps import ObjectMapsTask
from .protocol import TaskSettings, VoxelSize


class InstancesSettings(TaskSettings):
    """Settings of the instances task."""

    foreground: Annotated[
        float, Field(gt=0, lt=1, description="Voxels whose foreground is more probable than this belong to objects.")
    ] = 0.5
    split: Annotated[
        float,
        Field(gt=0, le=1, description="Higher splits touching objects more readily, and odd shapes too."),
    ] = 0.95
    minimum_size: Annotated[
        int, Field(ge=0, description="Objects of fewer voxels are left out (pixels of a slice in 2-D).")
    ] = 20
    smoothing: Annotated[
        float, Field(ge=0, le=10, description="Smoothing of the distance in voxels; higher merges more objects.")
    ] = 1.5
    scale: Annotated[
        float,
        Field(
            gt=0,
            description="Voxels of the network per voxel of the image: smoothing, and sizes as scores see them, are in "
            "the former. It follows from the model.",
            json_schema_extra={"hidden": True},
        ),
    ] = 1.0


class InstancesTask(ObjectMapsTask):
    """Separate objects, each with an id and a score.

    Parameters
    ----------
    settings : InstancesSettings
        How maps become objects.
    classes : tuple of int
        Not used: a voxel is background or of an object.
    """

    name: ClassVar[str] = "instances"
    title: ClassVar[str] = "Objects"
    description: ClassVar[str] = "Separate objects such as nuclei, cells or organelles, each with its own id and score."
    Settings: ClassVar[type[TaskSettings]] = InstancesSettings
    alternatives: ClassVar[tuple[dict[str, float], ...]] = ({"split": 0.9}, {"split": 0.8}, {"split": 0.7})
    needs_voxel_size: ClassVar[bool] = False
    sliders: ClassVar[tuple[str, ...]] = ("foreground", "split")

    def __init__(self, settings: InstancesSettings | None = None, classes: tuple[int, ...] = (0, 1)) -> None:
        self.settings: InstancesSettings = settings or InstancesSettings()
        super().__init__(self.settings)

    def division(self, voxel_size: VoxelSize | None, dims: int) -> Division:
        """Return the rules as the settings say; lengths are in voxels of the finest axis, as the network sees it."""
        chosen = self.settings
        voxel = chosen.scale**dims
        return Division(
            tuple(chosen.scale * step for step in outline_spacing(voxel_size, dims)[3 - dims :]),
            chosen.foreground,
            chosen.split,
            chosen.smoothing,
            # What is too small for the network may be whole in an image that is enlarged for it.
            round(chosen.minimum_size / max(1, voxel)),
            voxel=voxel,
        )
