"""Classes of ground truth objects, kept with the frozen crops, so that marking can go on while the job runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from ..classification.marks import MarkSheet, read_marks
from ..errors import ConfigError, GroundTruthError
from ..volumes import atomic_write_text
from .config import Source

if TYPE_CHECKING:
    from .plan import Plan

FILE = "object-classes.json"


class KeptClasses(BaseModel):
    """What was marked, by image; places are voxels of the training magnification."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sheets: dict[str, MarkSheet]


def read_object_classes(source: Source) -> MarkSheet | None:
    """Return what a training source says of its objects; None if it says nothing.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    """
    if source.object_classes is None:
        return None
    path = Path(str(source.object_classes))
    try:
        return read_marks(path)
    except GroundTruthError:
        # A CSV does not say whether objects may have several.
        return read_marks(path, "multi")


def freeze_classes(plan: Plan, place: Path) -> None:
    """Keep classes of objects with frozen crops, so that marking can go on while the job runs.

    Raises
    ------
    ConfigError
        If a file cannot be read, or ground truth is not of objects.
    """
    found: dict[str, MarkSheet] = {}
    for crop in plan.crops:
        name = str(crop.image.image)
        if name in found or (sheet := read_object_classes(crop.image.source)) is None:
            continue
        if not plan.instances:
            raise ConfigError(
                f"{crop.image.source.object_classes} gives classes to objects, and the ground truth has none",
                "ground truth in which each object has an id of its own",
                "train a task of objects, such as instances, or leave object_classes out",
            )
        found[name] = sheet
    if found:
        atomic_write_text(place / FILE, KeptClasses(sheets=found).model_dump_json(indent=1))
