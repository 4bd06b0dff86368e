"""A stored prediction, finished or under way, as a layer sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ConfigError
from ...evaluation.calibration import Calibration
from ...inference.store import LABELS, MAPS, RAW, PredictionInfo, StoredPrediction
from ...tasks import make_task
from .maps import Maps
from .stored_arrays import Certainty, FromMaps, GrowingObjects, StoredArray
from .thresholded import Thresholded
from .tile_grid import steps_for
from .tiles import Tiles

SMALL = 2**22
"""Voxels up to which a prediction is read at once, whenever it is looked at."""


def stored_data(
    store: Path,
    info: PredictionInfo,
    leading: int,
    flat: bool,
    *,
    calibration: Calibration | None = None,
    arrived: Callable[[], None] | None = None,
) -> Thresholded | None:
    """Return what can be shown of a prediction by now; None if that is nothing yet.

    Parameters
    ----------
    store : Path
        The stored prediction.
    info : PredictionInfo
        What it is.
    leading, flat
        As for `Thresholded`.
    calibration : Calibration, optional
        Of the model, for objects that are not scored yet.
    arrived : callable, optional
        Called in a thread when more of what was asked for can be shown; if given, a large prediction is shown in
        levels, and asking for it never waits.
    """
    data = _whole(store, info, calibration, {"leading": leading, "flat": flat})
    if data is None or arrived is None or np.prod(info.shape, dtype=float) <= SMALL:
        return data
    steps = steps_for(info.shape, info.voxel_size)
    labels = Tiles(_parts(data.labels), steps, np.int32, arrived)
    certainty = None if data.certainty is None else Tiles(_parts(data.certainty), steps, np.uint8, arrived)
    data.take_levels(labels, certainty)
    return data


def stored_maps(store: Path, info: PredictionInfo, calibration: Calibration | None) -> Maps | None:
    """Return what the network said of a finished prediction; None where no slider can be moved on it.

    Parameters
    ----------
    store : Path
        The stored prediction.
    info : PredictionInfo
        What it is.
    calibration : Calibration, optional
        Of the model.
    """
    if info.task_settings is None or not info.finished or not (store / MAPS / "zarr.json").is_file():
        return None
    try:
        task = make_task(info.task, info.task_settings, info.classes)
    except ConfigError:
        # Of a package that is not installed any more: what was predicted is shown all the same.
        return None
    if not task.sliders:
        return None
    maps = StoredArray(store / MAPS)
    size = info.decode_size or info.voxel_size
    return Maps(task, info.dims, size, lambda region: np.asarray(maps[region.slices]), calibration)


def _whole(
    store: Path, info: PredictionInfo, calibration: Calibration | None, options: dict[str, Any]
) -> Thresholded | None:
    if info.finished:
        labels = StoredArray(store / LABELS)
        if not info.instances:
            certainty = Certainty(StoredArray(store / MAPS))
            return Thresholded(labels, certainty=certainty, background=info.classes[0], **options)
        stored = StoredPrediction(store, info)
        objects, merges = stored.objects, stored.merges
        return Thresholded(labels, objects.score, classes=objects.class_id, merges=merges, **options)
    if info.instances and (store / RAW / "zarr.json").is_file():
        raw = StoredArray(store / RAW)
        if info.agglomerates:
            return Thresholded(raw, np.zeros(1, np.float32), **options)
        maps = StoredArray(store / MAPS) if (store / MAPS / "zarr.json").is_file() else None
        growing = GrowingObjects(raw, maps, store, info, calibration)
        return Thresholded(growing, growing.scores(), **options)
    if not info.instances and (store / MAPS / "zarr.json").is_file():
        read = StoredArray(store / MAPS)
        return Thresholded(FromMaps(read, info), certainty=Certainty(read), background=info.classes[0], **options)
    return None


def _parts(array: Any) -> Any:
    assert hasattr(array, "read")
    return array
