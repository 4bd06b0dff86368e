"""Features of objects with what a network sees of them, in an idle worker; see `answering`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..annotation.boxes import Box
from ..classification.files import How, measure
from ..models import find_model
from ..volumes import Volume, open_volume

TABLE, LABELS, IMAGE = "table.npz", "labels.npy", "image.npy"


def features(
    place: Path, request: dict[str, Any], progress: Callable[[int, int, str], None], cancelled: Callable[[], bool]
) -> dict[str, Any]:
    """Measure objects or boxes, and write the table into the folder of the question."""
    size = request["voxel_size"]
    voxel_size = None if size is None else (size[0], size[1], size[2])
    labels = None
    if (place / LABELS).is_file():
        labels = open_volume(place / LABELS, kind="labels", axes="zyx", voxel_size=voxel_size)
    image = _image(place, request)
    boxes = None if request["boxes"] is None else [Box.model_validate(box) for box in request["boxes"]]
    how = How(model=find_model(request["model"]), dims=request["dims"])
    measure(labels, boxes, image, how, progress, cancelled).save(place / TABLE)
    return {}


def _image(place: Path, request: dict[str, Any]) -> Volume:
    size = request["image_voxel_size"]
    return open_volume(place / IMAGE, axes="czyx", voxel_size=None if size is None else (size[0], size[1], size[2]))
