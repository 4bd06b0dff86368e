"""Small image files with ground truth, written as people would have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_aitrain.annotation.boxes import Box
from napari_aitrain.training.config import Source, TrainConfig


class Files:
    """Writes images with labels into a folder, and makes a config of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.random = np.random.default_rng(0)

    def image(self, shape, dtype=np.uint8, name="image.tif"):
        array = self.random.integers(0, 200, shape).astype(dtype)
        tifffile.imwrite(self.folder / name, array, **_axes(len(shape)))
        return self.folder / name

    def labels(self, array, name="labels.tif"):
        tifffile.imwrite(self.folder / name, array, **_axes(array.ndim))
        return self.folder / name

    def objects(self, shape, size=8, step=16, dtype=np.uint16):
        """Return labels with a cube on every node of a grid."""
        labels = np.zeros(shape, dtype)
        nodes = np.ndindex(*[max(1, n // step) for n in shape])
        for number, corner in enumerate(nodes, start=1):
            labels[tuple(slice(c * step + 2, c * step + 2 + size) for c in corner)] = number
        return labels

    def source(self, shape=(128, 128), labels=None, **more):
        truth = self.objects(shape) if labels is None else labels
        return Source(image=self.image(shape), labels=self.labels(truth), **more)

    def config(self, *sources, **more):
        return TrainConfig(sources=sources or (self.source(),), **({"start_from": "scratch"} | more))


def _axes(count):
    return {"metadata": {"axes": "ZYX"[3 - count :]}, "imagej": False} if count < 4 else {}


def box(start, stop, **more):
    return Box(start=start, stop=stop, **more)


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "mit Ümläut und Leerzeichen"
    folder.mkdir()
    return Files(folder)
