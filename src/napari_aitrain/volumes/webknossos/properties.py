"""``datasource-properties.json``: the layers of a dataset, their place, magnifications and files."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator

from ...errors import VolumeError
from ...geometry import Region, Triple, format_magnification
from ..units import VoxelSize, nanometres_per

PROPERTIES = "datasource-properties.json"
MAX_BYTES = 1 << 26
_Count = Annotated[int, Field(ge=0, lt=2**40)]
_Factor = Annotated[int, Field(ge=1, le=2**20)]
_XYZ = tuple[int, int, int]


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class BoundingBox(_Lenient):
    """Place of a layer in voxels of magnification 1, as the file has it."""

    topLeft: _XYZ
    width: _Count
    height: _Count
    depth: _Count

    @property
    def region(self) -> Region:
        """The place in z, y, x order."""
        x, y, z = self.topLeft
        return Region.from_shape((self.depth, self.height, self.width), (z, y, x))


class Mag(_Lenient):
    """One magnification of a layer."""

    mag: Annotated[tuple[_Factor, _Factor, _Factor], Field(validation_alias=AliasChoices("mag", "resolution"))]
    path: str | None = None
    axisOrder: dict[str, _Count] | None = None

    @field_validator("mag", mode="before")
    @classmethod
    def _isotropic(cls, value: object) -> object:
        return [value] * 3 if isinstance(value, int) else value

    @property
    def zyx(self) -> Triple:
        """The magnification in z, y, x order."""
        x, y, z = self.mag
        return z, y, x

    def folders(self, layer: str) -> list[str]:
        """Return where the files may lie, relative to the dataset."""
        if self.path:
            return [self.path.removeprefix("./").rstrip("/")]
        x, y, z = self.mag
        return list(dict.fromkeys(f"{layer}/{text}" for text in (format_magnification(self.zyx), f"{x}-{y}-{z}")))


class Layer(_Lenient):
    """One layer of a dataset."""

    name: str
    category: str = "segmentation"
    boundingBox: BoundingBox
    elementClass: str = ""
    dataFormat: str
    mags: tuple[Mag, ...] = ()
    wkwResolutions: tuple[Mag, ...] = ()

    @property
    def magnifications(self) -> tuple[Mag, ...]:
        """The magnifications, the finest first."""
        return tuple(sorted(self.mags or self.wkwResolutions, key=lambda mag: (sum(mag.mag), mag.mag)))


class _Scale(_Lenient):
    factor: tuple[float, float, float]
    unit: str = "nanometer"


class Properties(_Lenient):
    """A dataset."""

    scale: Annotated[_Scale | None, Field(validation_alias=AliasChoices("scale", "voxelSize"))] = None
    dataLayers: tuple[Layer, ...]

    @field_validator("scale", mode="before")
    @classmethod
    def _old_form(cls, value: object) -> object:
        return {"factor": value} if isinstance(value, list) else value

    @property
    def voxel_size(self) -> VoxelSize | None:
        """Nanometres in z, y, x order; None where it is not said or no length."""
        unit = None if self.scale is None else nanometres_per(self.scale.unit)
        if self.scale is None or unit is None or not all(0 < f < math.inf for f in self.scale.factor):
            return None
        x, y, z = self.scale.factor
        return z * unit, y * unit, x * unit


def parse_properties(data: bytes, where: str) -> Properties:
    """Read the metadata of a dataset.

    Raises
    ------
    VolumeError
        If they are no JSON, or lack what the format asks for.
    """
    try:
        return Properties.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise VolumeError(
            f"{PROPERTIES} of {where} cannot be used: {place + ': ' if place else ''}{first['msg']}",
            "the metadata that WEBKNOSSOS writes: scale, and dataLayers with boundingBox, dataFormat and mags",
            "copy the dataset again, or write the file anew with the WEBKNOSSOS command line tool",
        ) from error
