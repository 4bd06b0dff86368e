"""Everything about a stored prediction but its arrays; ``prediction.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import VolumeError
from ..geometry import Triple
from ..volumes.atomic import atomic_write_text
from ..volumes.place import Place

STORE_VERSION = 1
INFO, MAPS, LABELS, MERGES = "prediction.json", "maps.zarr", "labels.zarr", "merges.npz"
RAW = "pieces.zarr"
"""Decoded blocks that are not stitched yet; it goes when all are."""

SUFFIX = ".prediction"
_AGAIN = "remove the folder and predict again"

VoxelSize = tuple[float, float, float]


class Export(BaseModel):
    """A file that was written from a prediction, as it was when it was written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int
    mtime_ns: int
    threshold: float
    corrections: str = ""


class OnImage(BaseModel):
    """How the prediction of a resampled image lies on the voxels of the image; all in z, y, x order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    factors: Annotated[tuple[float, float, float], Field(description="Length of a voxel in voxels of the image.")]
    start: Annotated[Triple, Field(description="Where the labels begin that are written, in voxels of the image.")]
    shape: Annotated[Triple, Field(description="Of these labels.")]
    voxel_size: Annotated[VoxelSize | None, Field(description="nm, of these labels.")]


class FailedBlock(BaseModel):
    """A part of the volume that could not be predicted; z, y, x, in voxels of the prediction."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: str
    start: Triple
    stop: Triple
    error: str


class PredictionInfo(BaseModel):
    """Everything about a prediction but its arrays; ``prediction.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = STORE_VERSION
    finished: bool = False
    model_name: str
    model_fingerprint: Annotated[str, Field(description="Checksum of weights and of what shapes the result.")]
    image: Annotated[str, Field(description="Path of the image, or its name if it is in memory.")]
    image_fingerprint: str
    channels: tuple[str, ...]
    task: str
    task_settings: Annotated[
        dict[str, Any] | None, Field(description="What maps were decoded with; none in those of older versions.")
    ] = None
    instances: Annotated[bool, Field(description="Whether labels are ids of objects or of classes.")]
    agglomerates: Annotated[bool, Field(description="Whether labels are fragments, which a threshold joins.")] = False
    offsets: Annotated[tuple[Triple, ...], Field(description="Neighbours that maps are affinities to.")] = ()
    scale: Annotated[float, Field(description="Voxels of the network per voxel of the prediction.")] = 1.0
    classes: tuple[int, ...]
    feature_names: tuple[str, ...] = ()
    dims: Literal[2, 3]
    heads: int
    magnification: Annotated[Triple, Field(description="z, y, x, relative to the finest level of the image.")]
    start: Annotated[Triple, Field(description="Where the prediction begins, in voxels of its magnification.")]
    shape: Annotated[Triple, Field(description="z, y, x.")]
    voxel_size: Annotated[VoxelSize | None, Field(description="nm, z, y, x, of the prediction.")]
    low: tuple[float, ...]
    high: tuple[float, ...]
    multiple: Triple
    halo: Annotated[Triple, Field(description="Context beside a block that the network was given.")]
    overlap: Annotated[Triple, Field(description="Voxels that neighbouring decoded blocks share.")]
    network_block: Triple
    decode_block: Triple
    threshold: Annotated[float, Field(description="The model's own threshold.")]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    resampled: Annotated[
        OnImage | None, Field(description="How the prediction lies on an image that was resampled.")
    ] = None
    decode_size: Annotated[
        VoxelSize | None, Field(description="nm, z, y, x: what decoding takes for the voxel size.")
    ] = None
    place: Annotated[
        Place | None, Field(description="Where what is written lies in the dataset that the image is a part of.")
    ] = None
    failed: Annotated[
        tuple[FailedBlock, ...], Field(description="What failed three times, and is background; a resume tries again.")
    ] = ()
    exports: dict[str, Export] = {}


def read_info(store: Path) -> PredictionInfo:
    """Read ``prediction.json``.

    Raises
    ------
    VolumeError
        If it is missing, damaged, or from a newer version.
    """
    try:
        return PredictionInfo.model_validate_json((store / INFO).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise VolumeError(f"{store} holds no prediction", f"a folder with {INFO}", "check the path") from None
    except ValidationError as error:
        raise VolumeError(
            f"{store / INFO} cannot be read: {error.errors()[0]['msg']}", f"format {STORE_VERSION}", _AGAIN
        ) from error


def write_info(store: Path, info: PredictionInfo) -> None:
    """Write ``prediction.json``."""
    atomic_write_text(store / INFO, info.model_dump_json(indent=2))
