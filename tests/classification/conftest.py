"""Images of round and long cells whose classes are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from napari_aitrain.classification.marks import MarkSheet, ObjectClass
from napari_aitrain.classification.measuring import labels_volume, measure_objects
from napari_aitrain.classification.table import FeatureTable
from napari_aitrain.volumes import Volume

ROUND, LONG = 1, 2


@dataclass
class Cells:
    """An image, its labels, and the class of each object by id."""

    image: np.ndarray
    labels: np.ndarray
    classes: dict[int, int]

    @property
    def table(self) -> FeatureTable:
        return measure_objects(labels_volume(self.labels), Volume.from_array(self.image))


def make_cells(count: int = 12, seed: int = 0, step: int = 32) -> Cells:
    """Return `count`² cells on a grid, about half of them long, in random directions and sizes; ids have gaps."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((count * step, count * step), np.int32)
    y, x = np.mgrid[:step, :step] - step / 2 + 0.5
    classes = {}
    for number in range(count**2):
        kind = LONG if rng.random() < 0.5 else ROUND
        size, turn = rng.uniform(6, 9), rng.uniform(0, np.pi)
        stretch = rng.uniform(1.7, 2.2) if kind == LONG else rng.uniform(1, 1.3)
        along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        mask = along**2 / stretch + across**2 * stretch < size**2
        identity = 3 * number + 5
        row, column = divmod(number, count)
        labels[row * step : (row + 1) * step, column * step : (column + 1) * step][mask] = identity
        classes[identity] = kind
    image = rng.normal(100 + 60 * (labels > 0), 8).astype(np.float32)
    return Cells(image, labels, classes)


@pytest.fixture(scope="session")
def cells() -> Cells:
    return make_cells()


@pytest.fixture
def sheet() -> MarkSheet:
    return MarkSheet(classes=(ObjectClass(id=ROUND, name="round"), ObjectClass(id=LONG, name="long")))
