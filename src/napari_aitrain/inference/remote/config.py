"""Where a remote model answers and how it is talked to: ``remote.json``, in which no key stands."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ...errors import ConfigError, ModelError
from ...models.model import REMOTE
from ...volumes.atomic import atomic_write_text
from .address import check_address
from .steps import After, Before, Clip, Multiply, Percentiles, ToType

FORMAT_VERSION = 1
MOST_SIDE = 8192
_MOST_BYTES = 2**18

Form = Literal["aitrain", "multipart", "json"]
Answer = Literal["network", "classes", "objects", "boxes", "scores"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Output(_Part):
    """One class of the server, and what it is here."""

    output: Annotated[str, Field(min_length=1, max_length=200, description="Position from 0, pixel value, or name.")]
    id: Annotated[int | None, Field(ge=1, le=65535, description="Of your class; none leaves the output out.")] = None
    name: Annotated[str, Field(max_length=200, description="Of your class.")] = ""


class Waiting(_Part):
    """For how long a server is waited for, in seconds."""

    connect: Annotated[float, Field(gt=0, le=300, description="Until a connection stands.")] = 10.0
    read: Annotated[float, Field(gt=0, le=3600, description="Without a byte of the answer.")] = 60.0
    write: Annotated[float, Field(gt=0, le=3600, description="Without a byte of the image being taken.")] = 120.0
    whole: Annotated[float, Field(gt=0, le=36000, description="For one whole answer.")] = 600.0
    busy: Annotated[float, Field(ge=0, le=36000, description="While the server says that it is busy.")] = 300.0


class RemoteConfig(_Part):
    """Everything about a remote model but its key."""

    format_version: Literal[1] = 1
    url: Annotated[str, Field(description="Address of the model.")]
    form: Annotated[
        Form,
        Field(description='aitrain: a server of this program; multipart: a TIFF in a form; json: {"image": …}.'),
    ] = "aitrain"
    answer: Annotated[
        Answer,
        Field(
            description="network: the model's own maps; classes: a class per pixel; objects: a number per object; "
            "boxes: boxes with labels; scores: one score per class for the whole image."
        ),
    ] = "network"
    headers: Annotated[
        tuple[str, ...], Field(max_length=8, description="Names of headers whose values are in the keyring.")
    ] = ()
    field: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="Name of the image in a request.")] = (
        "image"
    )
    encoding: Annotated[
        Literal["tiff", "png", "list"], Field(description="How the image stands in JSON: base64 of a file, or numbers.")
    ] = "tiff"
    channels: Annotated[int | None, Field(ge=1, le=256, description="That the server wants; none takes any.")] = None
    before: Annotated[tuple[Before, ...], Field(max_length=12, description="Steps before the image is sent.")] = (
        Percentiles(), Multiply(by=255), Clip(high=255), ToType(dtype="uint8"),
    )  # fmt: skip
    after: Annotated[tuple[After, ...], Field(max_length=12, description="Steps on what is answered.")] = ()
    outputs: Annotated[tuple[Output, ...], Field(max_length=4096, description="Classes of the server and yours.")] = ()
    tile: Annotated[
        int | None, Field(ge=32, le=MOST_SIDE, description="Side of a request in pixels; none sends whole slices.")
    ] = 512
    overlap: Annotated[int, Field(ge=0, le=2048, description="Pixels that neighbouring tiles share.")] = 96
    fixed: Annotated[bool, Field(description="Whether the server takes tiles of just this size only.")] = False
    corners: Annotated[
        Literal["xyxy", "yxyx", "xywh", "cxcywh"], Field(description="What the four numbers of a box are.")
    ] = "xyxy"
    relative: Annotated[bool, Field(description="Whether boxes are in parts of the image instead of pixels.")] = False
    shape: Annotated[Literal["box", "ellipse"], Field(description="What is painted of a box.")] = "box"
    waiting: Waiting = Waiting()

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        try:
            return check_address(value)
        except ConfigError as error:
            raise ValueError(error.what) from error

    @model_validator(mode="after")
    def _goes_together(self) -> RemoteConfig:
        if (self.form == "aitrain") != (self.answer == "network"):
            raise ValueError("only a server of this program answers with the maps of a network")
        if self.tile is not None and 2 * self.overlap >= self.tile:
            raise ValueError("the overlap must be less than half a tile")
        seen: set[str] = set()
        for one in self.outputs:
            if one.output in seen:
                raise ValueError(f"the output {one.output!r} is mapped twice")
            seen.add(one.output)
        if any(isinstance(step, Percentiles) for step in self.before[1:]):
            raise ValueError("steps that look at the whole image come first")
        return self

    @property
    def classes(self) -> dict[int, str]:
        """Your classes by id, in the order of ids."""
        found = {one.id: one.name or f"class {one.id}" for one in self.outputs if one.id is not None}
        return dict(sorted(found.items()))

    @property
    def fingerprint(self) -> str:
        """Changes with whatever changes the result; not with the time-outs."""
        said = json.dumps(self.model_dump(mode="json", exclude={"waiting", "headers"}), sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()


def parse_remote(data: object, where: str = "the remote model") -> RemoteConfig:
    """Check plain data.

    Raises
    ------
    ConfigError
        If something is unknown, or has a value that it cannot have.
    """
    try:
        return RemoteConfig.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "it"
        known = RemoteConfig.model_fields.get(str(first["loc"][0])) if first["loc"] else None
        raise ConfigError(
            f"{where}: {key}: {first['msg'].removeprefix('Value error, ')}",
            (known.description if known else None) or "settings that go together", f"change {key}",
        ) from None  # fmt: skip


def read_remote(folder: Path) -> RemoteConfig:
    """Read ``remote.json`` of a model folder.

    Raises
    ------
    ModelError
        If it cannot be read.
    """
    path = folder / REMOTE
    try:
        with path.open("rb") as file:
            data: Any = json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read: {error}", "the settings of a remote model", "add it again") from error
    if isinstance(data, dict) and isinstance(version := data.get("format_version"), int) and version > FORMAT_VERSION:
        raise ModelError(
            f"{path} was written by a newer version (format {version})", f"format {FORMAT_VERSION} or older",
            "update napari-aitrain",
        )  # fmt: skip
    try:
        return parse_remote(data, str(path))
    except ConfigError as error:
        raise ModelError(error.what, error.expected, error.remedy) from error


def write_remote(folder: Path, config: RemoteConfig) -> None:
    """Write ``remote.json``."""
    atomic_write_text(folder / REMOTE, config.model_dump_json(indent=2))
