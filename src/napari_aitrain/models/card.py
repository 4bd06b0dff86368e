"""The card of a model: what it was made for, from what, and how good it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ..annotation.boxes import Box

FORMAT_VERSION = 1


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceCard(_Part):
    """One training source as it was when the model was trained."""

    image: str
    labels: str
    magnification: str = "1"
    shape: Annotated[tuple[int, ...], Field(description="Of the image, z, y, x.")] = ()
    image_fingerprint: Annotated[str, Field(description="Checksum of what was read, to recognise the data.")] = ""
    labels_fingerprint: str = ""
    boxes: Annotated[tuple[Box, ...], Field(description="As they were used: cut, and each with its role.")] = ()
    voxel_size: Annotated[
        tuple[float, float, float] | None, Field(description="nm, z, y, x, of the finest level, where it was told.")
    ] = None
    channels: Annotated[tuple[str | int, ...] | None, Field(description="That were chosen; none means all.")] = None
    axes: Annotated[str | None, Field(description="Order of the image's axes, where it was told.")] = None
    background_id: Annotated[int | None, Field(description="The label that was painted as background.")] = None


class DataCard(_Part):
    """The data a model was trained on."""

    sources: tuple[SourceCard, ...] = ()
    classes: Annotated[
        tuple[int, ...], Field(description="Classes that were chosen to be learned; none means all.")
    ] = ()
    split: Annotated[str, Field(description="How training and validation were kept apart, as a sentence.")] = ""
    voxels: Annotated[dict[str, int], Field(description="Labelled voxels per role.")] = {}
    objects: Annotated[dict[str, int], Field(description="Objects per role.")] = {}
    images: Annotated[
        int | None, Field(description="Images of the training set, whether or not something of them was used.")
    ] = None
    warnings: Annotated[tuple[str, ...], Field(description="What was warned of before the training.")] = ()


class ScriptCard(_Part):
    """The script that provides a model's task; a copy lies beside the card, and nobody runs it unasked."""

    title: str
    sha256: str


class ModelCard(_Part):
    """Everything about a model except its weights; ``model.json``."""

    format_version: int = FORMAT_VERSION
    name: Annotated[str, Field(min_length=1)] = "model"
    version: Annotated[int, Field(ge=1)] = 1
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    task: str
    task_settings: dict[str, Any] = {}
    script: Annotated[
        ScriptCard | None, Field(description="Of a task that is a script; ``task.py`` beside the card is its copy.")
    ] = None
    classes: Annotated[tuple[int, ...], Field(description="Ids of the classes, in the order of channels.")] = (0, 1)
    class_names: dict[int, str] = {}
    dims: Literal[2, 3]
    channels: Annotated[tuple[str, ...], Field(description="Names of the image channels it takes.")] = ()
    network: Annotated[dict[str, Any], Field(description="A `NetworkConfig` as plain data.")]
    normalisation: Annotated[dict[str, tuple[float, ...]], Field(description="`low` and `high` per channel.")] = {}
    voxel_size: Annotated[
        tuple[float, float, float] | None, Field(description="nm, z, y, x, at the training magnification.")
    ] = None
    magnification: Annotated[str, Field(description="x-y-z, relative to the finest level.")] = "1"
    diameter: Annotated[
        float | None,
        Field(gt=0, description="Median diameter of objects, in voxels of the finest axis, as the network sees them."),
    ] = None
    scale: Annotated[
        float, Field(gt=0, allow_inf_nan=False, description="Voxels of the network per voxel of the image.")
    ] = 1.0
    threshold: Annotated[float, Field(ge=0, le=1, description="Objects below this score are not shown.")] = 0.5
    calibration: Annotated[dict[str, Any] | None, Field(description="A `Calibration` as plain data.")] = None
    metrics: Annotated[dict[str, Any], Field(description="Metrics per role.")] = {}
    data: DataCard = DataCard()
    seed: int = 0
    steps: int = 0
    seconds: float = 0.0
    packages: Annotated[dict[str, str], Field(description="Versions it was trained with.")] = {}
    parent: Annotated[str | None, Field(description="The model that training went on from.")] = None
    comments: str = ""
    weights_sha256: Annotated[str, Field(description="Checksum of ``weights.safetensors``; set on saving.")] = ""

    @field_validator("channels", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        return tuple(str(v) for v in value) if isinstance(value, (list, tuple)) else value
