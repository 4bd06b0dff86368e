"""Boxes in world coordinates, as they are drawn in a viewer: they know units of length, not voxels."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .boxes import Role, Status

WorldPoint = tuple[float, float, float]


def new_id() -> str:
    """Return a short identifier that no other box has."""
    return uuid4().hex[:12]


class WorldBox(BaseModel):
    """A box as it was drawn.

    Parameters
    ----------
    start, stop : tuple of float
        Outer faces in world units, in z, y, x order. A 2-D image spans −0.5 … 0.5 in z.
    image : str
        Name of the image layer that it was drawn on.
    frame : tuple of int
        Index along the axes before z, y and x, such as time; empty where there are none.
    id : str
        Stays the same when the box is changed or renamed.
    name, role, status, tags, sparse, changed
        As for `boxes.Box`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: WorldPoint
    stop: WorldPoint
    image: str
    frame: tuple[int, ...] = ()
    id: str = Field(default_factory=new_id)
    name: str = ""
    role: Role = "train"
    status: Status = "done"
    tags: tuple[str, ...] = ()
    sparse: bool | None = None
    changed: datetime | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> WorldBox:
        if not all(a < b for a, b in zip(self.start, self.stop, strict=True)):
            raise ValueError("the box is empty: each stop must be larger than its start")
        return self
