"""A stored prediction, finished or under way, as a layer sees it: read slice by slice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr

from ...inference.store import LABELS, MAPS, RAW, PredictionInfo, StoredPrediction
from ...tasks.protocol import LabelArray
from .thresholded import Slices, Thresholded


class FromMaps:
    """Labels straight from the network's maps, for blocks that are not decoded yet.

    Parameters
    ----------
    maps : array-like of uint8, shape (c, z, y, x)
        255 × what the network says.
    info : PredictionInfo
        Classes, or objects: then whatever is probably foreground gets the id 1.
    """

    def __init__(self, maps: Slices, info: PredictionInfo) -> None:
        self._maps, self._info = maps, info
        self.shape: tuple[int, ...] = tuple(maps.shape[1:])

    def __getitem__(self, index: Any) -> LabelArray:
        if self._info.instances:
            return (np.asarray(self._maps[(0, *index)]) > 127).astype(np.int32)
        maps = np.asarray(self._maps[(slice(None), *index)])
        found: LabelArray = np.asarray(self._info.classes, np.int32)[maps.argmax(axis=0)]
        # A block that has not been predicted is 0 in every map.
        return np.where(maps.any(axis=0), found, np.int32(self._info.classes[0]))


def stored_data(store: Path, info: PredictionInfo, leading: int, flat: bool) -> Thresholded | None:
    """Return what can be shown of a prediction by now; None if that is nothing yet."""
    options: dict[str, Any] = {"leading": leading, "flat": flat}
    if info.finished:
        labels = zarr.open_array(store / LABELS, mode="r")
        if not info.instances:
            maps = zarr.open_array(store / MAPS, mode="r")
            return Thresholded(labels, certainty=maps, background=info.classes[0], **options)
        stored = StoredPrediction(store, info)
        objects, merges = stored.objects, stored.merges
        return Thresholded(labels, objects.score, classes=objects.class_id, merges=merges, **options)
    if info.instances and (store / RAW / "zarr.json").is_file():
        return Thresholded(zarr.open_array(store / RAW, mode="r"), np.zeros(1, np.float32), **options)
    if (store / MAPS / "zarr.json").is_file():
        maps = zarr.open_array(store / MAPS, mode="r")
        if info.instances:
            return Thresholded(FromMaps(maps, info), np.zeros(1, np.float32), **options)
        return Thresholded(FromMaps(maps, info), certainty=maps, background=info.classes[0], **options)
    return None
