"""The objects of a prediction as boxes: to annotate within, to train on, or because a detection was wanted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..annotation.boxes import Box
from ..errors import ConfigError
from ..geometry import triple
from .store import StoredPrediction, check_threshold

MOST = 20_000
TAG = "predicted"


def object_boxes(
    stored: StoredPrediction, threshold: float | None = None, class_names: Mapping[int, str] | None = None
) -> list[Box]:
    """Return a box around every object, the surest first.

    Parameters
    ----------
    stored : StoredPrediction
        Of objects.
    threshold : float, optional
        Lowest score; the model's own if not given.
    class_names : mapping of int to str, optional
        For the names of the boxes.

    Returns
    -------
    list of Box
        In voxels of the finest level of the image, *in progress*, with the tag ``predicted``.

    Raises
    ------
    ConfigError
        If the prediction has no objects, or too many for boxes.
    """
    info = stored.info
    if not info.instances or info.agglomerates:
        raise ConfigError(
            f"the prediction in {stored.folder} has no objects with boxes", "a prediction of objects",
            "export labels instead",
        )  # fmt: skip
    wanted = info.threshold if threshold is None else threshold
    check_threshold(wanted)
    table, factors, first = stored.objects, np.asarray(info.magnification), np.multiply(info.start, info.magnification)
    if info.resampled is not None:
        table, factors = table.on_image(info.start, info.resampled), np.ones(3, int)
        first = np.asarray(info.resampled.start)
    rows = np.flatnonzero((table.score >= wanted) & (table.size > 0))
    rows = rows[rows > 0]
    if len(rows) > MOST:
        raise ConfigError(f"there are {len(rows):,} objects", f"at most {MOST:,} boxes", "choose a higher threshold")
    names = class_names or {}
    boxes = []
    for row in rows[np.argsort(-table.score[rows], kind="stable")]:
        start, stop = (edges[row] * factors + first for edges in (table.start, table.stop))
        label = names.get(int(table.class_id[row]), f"class {table.class_id[row]}")
        low, high, name = triple(start.tolist()), triple(stop.tolist()), f"{label} {table.score[row]:.2f}"
        boxes.append(Box(start=low, stop=high, name=name, status="in progress", tags=(TAG,)))
    return boxes
