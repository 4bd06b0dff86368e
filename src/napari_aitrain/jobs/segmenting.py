"""Automatic segmentation in an idle worker; see `answering`."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..autosegment.asked import Asked
from ..autosegment.files import autosegment
from ..autosegment.settings import AutosegmentSettings
from ..autosegment.starter import find_by_starter
from ..inference.blocks import PredictionCancelledError
from ..location import located

IMAGE, LABELS, SCORES = "image.npy", "labels.npy", "scores.npy"


def image(
    place: Path, request: dict[str, Any], progress: Callable[[int, int], None], cancelled: Callable[[], bool]
) -> dict[str, Any]:
    """Find the objects of an image by a starter model."""

    def watch(done: int, total: int) -> None:
        if cancelled():
            raise PredictionCancelledError("cancelled")
        progress(done, total)

    settings = AutosegmentSettings.model_validate(request["settings"])
    size = request["voxel_size"]
    found = find_by_starter(np.load(place / IMAGE), settings, None if size is None else tuple(size), watch)
    # The asker may have gone meanwhile, and its folder with it.
    with contextlib.suppress(OSError):
        np.save(place / LABELS, found.labels)
        np.save(place / SCORES, found.scores)
    return {"diameter": found.diameter, "threshold": found.threshold}


def folder(
    place: Path, request: dict[str, Any], progress: Callable[[int, int, str], None], cancelled: Callable[[], bool]
) -> dict[str, Any]:
    """Segment the images of a folder by any preset."""
    images = autosegment(
        located(request["image"]), Path(request["out"]), Asked(**request["asked"]), progress=progress,
        cancelled=cancelled,
    )  # fmt: skip
    kept = [
        {**dataclasses.asdict(one), "image": str(one.image), "out": str(one.out), "settings": None} for one in images
    ]
    return {"images": kept, "cancelled": cancelled()}
