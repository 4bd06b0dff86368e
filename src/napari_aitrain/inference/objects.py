"""The table of all objects of a prediction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..tasks.protocol import FloatArray, LabelArray
from .archive import read_arrays, write_archive
from .stitching import Merged
from .tables import Columns, csv_text, write_table

if TYPE_CHECKING:
    from ..geometry import Triple
    from .info import OnImage

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

    @classmethod
    def of_fragments(
        cls,
        size: npt.NDArray[np.int64],
        start: npt.NDArray[np.int64],
        stop: npt.NDArray[np.int64],
        total: npt.NDArray[np.float64],
        class_id: int,
    ) -> ObjectTable:
        """Return the table of fragments, all of score 1, from their sizes, boxes and sums of coordinates."""
        score, classes = np.ones(len(size), np.float32), np.full(len(size), class_id, np.int32)
        score[:1] = classes[:1] = 0
        centroid = total / np.maximum(size, 1)[:, None]
        return cls(score, size, start, stop, centroid, np.zeros((len(size), 0), np.float32), classes)

    def kept(self, threshold: float) -> ObjectTable:
        """Return the table in which objects of a lower score have no voxel."""
        return replace(self, size=np.where(self.score >= threshold, self.size, 0))

    def joined(self, segment: LabelArray, score: FloatArray) -> ObjectTable:
        """Return the table of segments, rows by their ids; other rows have no voxel.

        Parameters
        ----------
        segment : ndarray of int32, shape (n + 1,)
            Segment per fragment.
        score : ndarray of float32, shape (n + 1,)
            Per segment.
        """
        n = len(self.size)
        there = np.flatnonzero(self.size > 0)
        owner = segment[there]
        size = np.bincount(owner, self.size[there], n).astype(np.int64)
        start, stop, centroid = np.full((n, 3), np.iinfo(np.int64).max), np.zeros((n, 3), np.int64), np.zeros((n, 3))
        np.minimum.at(start, owner, self.start[there])
        np.maximum.at(stop, owner, self.stop[there])
        for axis in range(3):
            moment = self.centroid[there, axis] * self.size[there]
            centroid[:, axis] = np.bincount(owner, moment, n) / np.maximum(size, 1)
        start[size == 0] = 0
        return replace(self, score=score, size=size, start=start, stop=stop, centroid=centroid)

    def __len__(self) -> int:
        """Return the number of objects."""
        return len(self.score) - 1

    def save(self, folder: Path) -> None:
        """Write ``objects.npz``, and ``objects.csv`` for people."""
        write_table(folder / "objects.csv", self.columns())
        write_archive(folder / OBJECTS, vars(self))

    @classmethod
    def load(cls, folder: Path) -> ObjectTable:
        """Read ``objects.npz``."""
        return cls(**read_arrays(folder / OBJECTS))

    def on_image(self, start: Triple, onto: OnImage) -> ObjectTable:
        """Return the table in voxels of what is written of a resampled image; the prediction begins at `start`."""
        factors, first = np.asarray(onto.factors), np.asarray(onto.start)

        def edges(at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
            moved: npt.NDArray[np.int64] = np.rint((at + start) * factors).astype(np.int64) - first
            return np.clip(moved, 0, np.asarray(onto.shape, np.int64), out=moved)

        return replace(
            self,
            size=np.rint(self.size * factors.prod()).astype(np.int64),
            start=edges(self.start),
            stop=edges(self.stop),
            centroid=(self.centroid + start + 0.5) * factors - 0.5 - first,
        )

    def columns(self, threshold: float = 0.0) -> Columns:
        """Return the objects of at least a score as columns: id, score, size, places and class."""
        there = (self.score >= threshold) & (self.size > 0)
        there[:1] = False
        rows = np.flatnonzero(there)
        found: dict[str, npt.NDArray[Any]] = {"id": rows, "score": self.score[rows], "size": self.size[rows]}
        for what in ("centroid", "start", "stop"):
            values = getattr(self, what)[rows]
            found |= {f"{what}_{axis}": values[:, number] for number, axis in enumerate("zyx")}
        return {**found, "class": self.class_id[rows]}

    def csv(self, threshold: float = 0.0) -> str:
        """Return the objects of at least a score as CSV text, one row each."""
        return csv_text(self.columns(threshold))
