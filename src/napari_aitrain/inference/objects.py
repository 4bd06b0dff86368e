"""The table of all objects of a prediction."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..tasks.protocol import FloatArray, LabelArray
from ..volumes.atomic import atomic_write_bytes, atomic_write_text
from .archive import read_arrays, write_arrays
from .stitching import Merged

OBJECTS = "objects.npz"


@dataclass(frozen=True)
class ObjectTable:
    """All objects of a prediction, whatever their score; row 0 is the background.

    Parameters
    ----------
    score : ndarray of float32, shape (n + 1,)
        Probability that the object is right.
    size : ndarray of int64, shape (n + 1,)
        Voxels.
    start, stop : ndarray of int64, shape (n + 1, 3)
        Bounding box, half-open, z, y, x, in voxels of the prediction.
    centroid : ndarray of float64, shape (n + 1, 3)
        z, y, x, in voxels of the prediction.
    features : ndarray of float32, shape (n + 1, k)
        What the score was made from.
    class_id : ndarray of int32, shape (n + 1,)
        Class of the object.
    """

    score: FloatArray
    size: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    stop: npt.NDArray[np.int64]
    centroid: npt.NDArray[np.float64]
    features: FloatArray
    class_id: LabelArray

    @classmethod
    def of(cls, merged: Merged, score: FloatArray, class_id: int) -> ObjectTable:
        """Return the table of merged objects with their final scores."""
        classes = np.full(len(score), class_id, np.int32)
        classes[:1] = 0
        return cls(score, merged.size, merged.start, merged.stop, merged.centroid, merged.features, classes)

    def __len__(self) -> int:
        """Return the number of objects."""
        return len(self.score) - 1

    def save(self, folder: Path) -> None:
        """Write ``objects.npz``, and ``objects.csv`` for people."""
        atomic_write_text(folder / "objects.csv", self.csv())
        atomic_write_bytes(folder / OBJECTS, write_arrays(vars(self)))

    @classmethod
    def load(cls, folder: Path) -> ObjectTable:
        """Read ``objects.npz``."""
        return cls(**read_arrays(folder / OBJECTS))

    def csv(self, threshold: float = 0.0) -> str:
        """Return the objects of at least a score as CSV text, one row each."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        places = [f"{what}_{axis}" for what in ("centroid", "start", "stop") for axis in "zyx"]
        writer.writerow(["id", "score", "size", *places, "class"])
        for i in np.flatnonzero(self.score >= threshold):
            if i:
                row = [i, f"{self.score[i]:.4f}", self.size[i], *(f"{c:.2f}" for c in self.centroid[i])]
                writer.writerow([*row, *self.start[i], *self.stop[i], self.class_id[i]])
        return buffer.getvalue()
