"""The config of a prediction job, and its YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from .. import location as locations
from ..errors import ConfigError
from ..geometry import Region
from ..location import LocationField
from ..models import locate_model

KIND: Literal["prediction"] = "prediction"
T = TypeVar("T", bound=BaseModel)
Length = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_SEE = "see the page on the job folder for an example"


class PredictConfig(BaseModel):
    """Everything a prediction needs to run again."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    kind: Annotated[Literal["prediction"], Field(description="Tells it from a training.")] = KIND
    version: Annotated[int, Field(ge=1, le=1, description="Version of this file's format.")] = 1
    name: Annotated[str, Field(min_length=1, description="Name of the job.")] = "prediction"
    model: Annotated[Path, Field(description="Folder of a model or of a job with one, or the name of a model.")]
    image: Annotated[LocationField, Field(description="Image file or zarr, or its URL.")]
    channels: Annotated[
        tuple[str | int, ...] | None, Field(description="Channels to use, by name or number from 0; none means all.")
    ] = None
    axes: Annotated[str | None, Field(description="Order of the image's axes, to correct a guess.")] = None
    voxel_size: Annotated[
        tuple[Length, Length, Length] | None,
        Field(description="Voxel size in nm in z, y, x order, where the file does not say it."),
    ] = None
    resample: Annotated[
        bool, Field(description="Bring the image to the voxel size of the training; `out` fits the image.")
    ] = False
    diameter: Annotated[
        Length | Literal["auto"] | None,
        Field(description="Of the objects, in voxels of the finest axis; auto finds it; none is that of the training."),
    ] = None
    near: Annotated[
        tuple[float, float, float] | None,
        Field(description="Place in z, y, x order, in voxels of the image, whose blocks are made first."),
    ] = None
    scheduler: Annotated[
        str | None, Field(description="local, threads or tcp://HOST:PORT of dask.distributed; none is one process.")
    ] = None
    workers: Annotated[int | None, Field(ge=1, description="How many workers local or threads start.")] = None
    at: Annotated[dict[str, int], Field(description="Index to take of other axes, such as t: 0.")] = {}
    region: Annotated[
        Region | None, Field(description="Start and stop in z, y, x order, in voxels of the image; none is all of it.")
    ] = None
    device: Annotated[str, Field(description="auto, cpu, cuda, cuda:N or mps.")] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        Field(description="auto: bfloat16 where the processor or GPU computes in it."),
    ] = "auto"
    threads: Annotated[int | None, Field(ge=1, description="Processor threads; none means one per core.")] = None
    threshold: Annotated[
        float | None, Field(ge=0, le=1, description="For `out`: lowest score that is shown; none is the model's own.")
    ] = None
    out: Annotated[
        Path | None, Field(description="Labels file to write as well, OUT.tif or OUT.ome.zarr; none writes no file.")
    ] = None

    @field_validator("region")
    @classmethod
    def _not_empty(cls, value: Region | None) -> Region | None:
        if value is not None and value.empty:
            raise ValueError("the region is empty: each stop must be larger than its start")
        return value


def parse_predict_config(data: object, where: str = "the config") -> PredictConfig:
    """Check plain data against `PredictConfig`.

    Raises
    ------
    ConfigError
        If a key is unknown, or missing, or has a value that is not allowed.
    """
    return checked(PredictConfig, data, where)


def checked(kind: type[T], data: object, where: str) -> T:
    """Check plain data against the config of a job.

    Raises
    ------
    ConfigError
        If a key is unknown, or missing, or has a value that is not allowed.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "it"
        known = kind.model_fields.get(key)
        raise ConfigError(
            f"{where}: {key}: {first['msg']}",
            (known.description if known else None) or "one of " + ", ".join(kind.model_fields),
            _SEE,
        ) from error


def read_predict_config(path: Path) -> PredictConfig:
    """Read a YAML config; paths in it are relative to its folder.

    Raises
    ------
    ConfigError
        If it cannot be read or is none.
    """
    return absolute(parse_predict_config(read_yaml(path), str(path)), Path(path).resolve().parent)


def absolute(config: PredictConfig, base: Path | None = None) -> PredictConfig:
    """Return the config with absolute paths; relative ones are taken from `base`, or from here."""
    base = Path.cwd() if base is None else base
    model = locate_model(config.model, base) or base / config.model
    update: dict[str, Any] = {"model": base / model, "image": locations.absolute(config.image, base)}
    if config.out is not None:
        update["out"] = base / config.out
    return config.model_copy(update=update)


def read_yaml(path: Path) -> object:
    """Return the plain data of a YAML file.

    Raises
    ------
    ConfigError
        If it is missing or is not YAML.
    """
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", "a YAML file with settings", _SEE) from error


def predict_config_to_yaml(config: PredictConfig) -> str:
    """Return the config as YAML that `read_predict_config` reads."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
