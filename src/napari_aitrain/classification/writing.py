"""What a classifier says of objects, as a table and as labels with the numbers of classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..geometry import tiles
from ..inference.tables import Columns
from ..volumes import LabelsWriter, Volume, read_labels
from .classified import Classified
from .measuring import BLOCK_2D, BLOCK_3D
from .table import FeatureTable


def columns_of(table: FeatureTable, found: Classified | None, threshold: float = 0.0) -> Columns:
    """Return a table for people: id, class and probabilities, then all features."""
    classes = {} if found is None else found.columns(threshold)
    return {**classes, **{name: values for name, values in table.columns().items() if name not in classes}}


def write_classes(
    path: Path, labels: Volume, found: Classified, threshold: float = 0.0, attribute: int | None = None
) -> int:
    """Write labels in which each object has the number of its class, block by block.

    Parameters
    ----------
    path : Path
        ``.tif`` or ``.ome.zarr``.
    labels : Volume
        The objects.
    found : Classified
        Their classes.
    threshold : float
        Objects that are less sure get a number of their own, the one above all classes.
    attribute : int, optional
        Of attributes: which; objects without it get the number above it.

    Returns
    -------
    int
        The number of unsure objects.

    Raises
    ------
    OutputExistsError, StorageError, ConfigError
        See `LabelsWriter`.
    """
    best, sure = found.best(attribute)
    unsure = max(one.id for one in found.classes) + 1
    if attribute is not None:
        best = np.where(best == attribute, best, unsure)
        unsure += 1
    numbers = np.where(sure >= threshold, best, unsure)
    block = BLOCK_2D if labels.shape[0] == 1 else BLOCK_3D
    writer = LabelsWriter(path, labels.shape, voxel_size=labels.voxel_size, max_id=unsure, image=labels.path)
    with writer:
        for tile in tiles(labels.region, block):
            writer.write(tile.core, looked_up(read_labels(labels, tile.core), found.ids, numbers))
    return unsure


def looked_up(
    labels: npt.NDArray[np.int32], ids: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return labels with the number of each object in the place of its id; 0 for others."""
    if not len(ids):
        return np.zeros(labels.shape, np.int64)
    rows = np.searchsorted(ids, labels).clip(0, len(ids) - 1)
    return np.where(ids[rows] == labels, numbers[rows], 0)
