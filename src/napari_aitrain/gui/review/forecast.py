"""What the prediction of a whole volume will take, said before it begins."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import AitrainError, StorageError
from ...geometry import Triple, magnified_shape, parse_magnification
from ...jobs.predict_config import PredictConfig
from ...models import ModelCard
from ...words import rough_time, spoken_size

AT_ONCE = 2**25
"""Voxels up to which nothing is asked: it takes minutes at most."""

_ENOUGH = 1.1


@dataclass(frozen=True)
class Forecast:
    """Time and disk of a prediction.

    Parameters
    ----------
    config : PredictConfig
        What is to be predicted.
    voxels : int
        Of the image.
    bytes_needed : int
        On the disk while it runs.
    free : int
        Bytes that are free there.
    place : Path
        Where that is.
    seconds : float, optional
        On this machine; None where it could not be measured, such as while a job runs.
    """

    config: PredictConfig
    voxels: int
    bytes_needed: int
    free: int
    place: Path
    seconds: float | None = None

    @property
    def fits(self) -> bool:
        """Whether the disk has room for it."""
        return self.free >= _ENOUGH * self.bytes_needed

    def text(self) -> str:
        """Say it."""
        time = "The time could not be measured now" if self.seconds is None else f"About {rough_time(self.seconds)}"
        said = (
            f"{_count(self.voxels)} voxels. {time}. Up to {spoken_size(self.bytes_needed)} of disk, and "
            f"{spoken_size(self.free)} are free in {self.place}."
        )
        if self.fits:
            return f"{said} It goes on without napari, and what is on screen comes first."
        return (
            f"{said} That is not enough: free some space, choose another folder for jobs in napari's "
            "preferences, below napari-aitrain, or predict a box."
        )


def forecast_of(
    config: PredictConfig, card: ModelCard, shape: Triple, place: Path, measured: dict[str, Any] | None
) -> Forecast:
    """Return what a prediction will take.

    Parameters
    ----------
    config : PredictConfig
        What is to be predicted.
    card : ModelCard
        Of the model.
    shape : tuple of int
        z, y, x, of the image.
    place : Path
        Where the job's folder will be.
    measured : dict, optional
        What a worker measured; else the disk is taken from the size.

    Raises
    ------
    StorageError
        If the disk cannot be asked.
    """
    there = next((p for p in (place, *place.parents) if p.exists()), place)
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        raise StorageError(f"{there} cannot be asked how much is free: {error}", "a disk", "choose another") from error
    told = measured or {"seconds": None, "bytes_needed": _bytes(card, shape)}
    return Forecast(config, math.prod(shape), int(told["bytes_needed"]), free, there, told["seconds"])


def _count(voxels: int) -> str:
    return f"{voxels / 1e9:,.1f} billion" if voxels >= 1e9 else f"{voxels / 1e6:,.0f} million"


def _bytes(card: ModelCard, shape: Triple) -> int:
    """Return bytes by rule of thumb: a byte per voxel and map, and as much as four for labels."""
    try:
        magnification = parse_magnification(card.magnification)
    except AitrainError:
        magnification = (1, 1, 1)
    return math.prod(magnified_shape(shape, magnification)) * (int(card.network.get("heads", 3)) + 4)
