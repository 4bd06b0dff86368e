"""Boxes: regions of ground truth with a role, a status and tags, and their JSON file."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import BoxError
from ..geometry import Region, Triple

Role = Literal["train", "validation", "test"]
Status = Literal["in progress", "done", "reviewed", "rejected"]


class Box(BaseModel):
    """A half-open region of the finest level that a person vouches for.

    Parameters
    ----------
    start, stop : tuple of int
        First voxel and one past the last, in z, y, x order, in voxels of the finest level.
    name : str
        What people call the box.
    role : {'train', 'validation', 'test'}
        What its voxels are used for.
    status : {'in progress', 'done', 'reviewed', 'rejected'}
        Rejected boxes are never used.
    tags : tuple of str
        Free words to choose boxes by.
    sparse : bool, optional
        Whether 0 means *unlabelled*; otherwise 0 means background. None: as the training source says.
    changed : datetime, optional
        When the box, or what is painted in it, was changed last. None: nobody knows, as in files of old.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: Triple
    stop: Triple
    name: str = ""
    role: Role = "train"
    status: Status = "done"
    tags: tuple[str, ...] = Field(default=())
    sparse: bool | None = None
    changed: datetime | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Box:
        if self.region.empty:
            raise ValueError("the box is empty: each stop must be larger than its start")
        return self

    @property
    def region(self) -> Region:
        """The region of the box in voxels of the finest level."""
        return Region(self.start, self.stop)

    @property
    def label(self) -> str:
        """A name to show: the box's own, else its start and shape in x, y, z order."""
        z, y, x = self.start
        dz, dy, dx = self.region.shape
        return self.name or f"box at x {x}, y {y}, z {z} of {dx}×{dy}×{dz}"


def read_boxes(path: Path) -> list[Box]:
    """Read boxes from a JSON file: a list of boxes, or an object with a list named ``boxes``.

    Raises
    ------
    BoxError
        If the file is not JSON, or a box is empty or written wrongly; the box is named.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BoxError(f"{path} does not exist", "a JSON file with boxes", "check the path") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BoxError(f"{path} is not JSON: {error}", "a JSON list of boxes", _EXAMPLE) from error
    rows = data.get("boxes") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise BoxError(f"{path} holds no list of boxes", "a JSON list of boxes", _EXAMPLE)
    return [_read_box(row, number, path) for number, row in enumerate(rows, start=1)]


def _read_box(row: Any, number: int, path: Path) -> Box:
    try:
        return Box.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        told = first["msg"].removeprefix("Value error, ")
        raise BoxError(
            f"box {number} in {path} is not right: {where + ': ' if where else ''}{told}",
            "start and stop of three whole numbers in z, y, x order, each stop larger than its start",
            _EXAMPLE,
        ) from error


def write_boxes(path: Path, boxes: Sequence[Box]) -> None:
    """Write boxes to a JSON file that `read_boxes` reads; a file of that name is replaced in one step."""
    rows = [box.model_dump(mode="json") for box in boxes]
    part = Path(path).with_name(Path(path).name + ".part")
    with part.open("w", encoding="utf-8") as file:
        json.dump({"boxes": rows}, file, indent=2, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


_EXAMPLE = 'write for example [{"start": [0, 0, 0], "stop": [32, 128, 128], "role": "train"}]'
