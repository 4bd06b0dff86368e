"""What is kept of a prediction: maps, labels, scored objects, and what they were made from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import ZstdCodec

from ..errors import ConfigError, VolumeError
from ..geometry import Region, Triple
from ..tasks.merge_tree import Correction, MergeTree
from ..tasks.protocol import FloatArray, LabelArray
from ..tasks.threshold import kept_ids
from .archive import read_arrays
from .corrections import corrections_fingerprint, read_corrections, write_corrections
from .info import (
    INFO,
    LABELS,
    MAPS,
    MERGES,
    RAW,
    STORE_VERSION,
    SUFFIX,
    Export,
    PredictionInfo,
    VoxelSize,
    read_info,
    write_info,
)
from .objects import ObjectTable

__all__ = [
    "INFO",
    "LABELS",
    "MAPS",
    "MERGES",
    "RAW",
    "STORE_VERSION",
    "SUFFIX",
    "PredictionInfo",
    "StoredPrediction",
    "VoxelSize",
    "check_threshold",
    "create_array",
    "fingerprint_output",
    "from_bytes",
    "read_info",
    "write_info",
]


class StoredPrediction:
    """A finished prediction on disk; nothing is held in memory but the table of objects.

    Parameters
    ----------
    folder : Path
        The store.
    info : PredictionInfo
        What is known about it.
    """

    def __init__(self, folder: Path, info: PredictionInfo) -> None:
        self.folder, self.info = folder, info

    @classmethod
    def open(cls, store: Path | str) -> StoredPrediction:
        """Open a finished prediction.

        Raises
        ------
        VolumeError
            If there is none, or it is not finished.
        """
        info = read_info(Path(store))
        if not info.finished:
            raise VolumeError(
                f"the prediction in {store} is not finished",
                "a prediction that ran to its end",
                "run the same command again with --resume",
            )
        return cls(Path(store), info)

    @property
    def shape(self) -> Triple:
        """z, y, x."""
        return self.info.shape

    @property
    def region(self) -> Region:
        """The whole prediction, in its own voxels."""
        return Region.from_shape(self.info.shape)

    @cached_property
    def objects(self) -> ObjectTable:
        """All objects, or fragments; none for class maps."""
        return ObjectTable.load(self.folder)

    @property
    def scores(self) -> FloatArray:
        """Score per object id, entry 0 being the background; 1 for fragments; empty for classes."""
        return self.objects.score if self.info.instances else np.zeros(0, np.float32)

    @cached_property
    def _labels(self) -> zarr.Array[Any]:
        return zarr.open_array(self.folder / LABELS, mode="r")

    @cached_property
    def _maps(self) -> zarr.Array[Any]:
        return zarr.open_array(self.folder / MAPS, mode="r")

    def maps(self, region: Region | None = None) -> FloatArray:
        """Return the activated maps of a region, shape (heads, z, y, x)."""
        z, y, x = (region or self.region).slices
        return from_bytes(np.asarray(self._maps[:, z, y, x]))

    def labels(self, region: Region | None = None, threshold: float | None = None) -> LabelArray:
        """Return the labels of a region as a threshold leaves them.

        Parameters
        ----------
        region : Region, optional
            In voxels of the prediction; the whole if not given.
        threshold : float, optional
            0 … 1; the model's own if not given. Objects with a lower score, and voxels of class maps whose class is
            less probable, become background; the others keep their ids. Fragments are joined where a merge has at
            least this score; a segment has the id of its largest fragment.

        Returns
        -------
        ndarray of int32, shape (z, y, x)
        """
        threshold = check_threshold(self.info.threshold if threshold is None else threshold)
        labels = self.fragments(region)
        if self.info.instances:
            return self.lookup(threshold)[labels]
        unsure = self.maps(region).max(axis=0) < threshold
        return np.where(unsure, np.int32(self.info.classes[0]), labels)

    def fragments(self, region: Region | None = None) -> LabelArray:
        """Return the stored ids of a region, before any threshold."""
        z, y, x = (region or self.region).slices
        return np.asarray(self._labels[z, y, x], np.int32)

    def lookup(self, threshold: float | None = None) -> LabelArray:
        """Return what each stored id becomes at a threshold, which `labels` looks up; not for class maps."""
        threshold = check_threshold(self.info.threshold if threshold is None else threshold)
        return kept_ids(self.scores, threshold) if self.merges is None else self.merges.segments(threshold)

    def table(self, threshold: float) -> ObjectTable:
        """Return the objects at a threshold, rows by their ids; those that are not there have no voxel."""
        if self.merges is None:
            return self.objects.kept(threshold)
        return self.objects.joined(self.merges.segments(threshold), self.merges.weakest(threshold))

    def count(self, threshold: float) -> int:
        """Return how many objects there are at a threshold."""
        return int(np.count_nonzero(np.unique(self.lookup(threshold))))

    @cached_property
    def tree(self) -> MergeTree | None:
        """The merge tree as it was computed; None for tasks that do not agglomerate."""
        return MergeTree.from_arrays(read_arrays(self.folder / MERGES)) if self.info.agglomerates else None

    @cached_property
    def merges(self) -> MergeTree | None:
        """The merge tree with all corrections."""
        return None if self.tree is None else self.tree.corrected(self.corrections)

    @cached_property
    def corrections(self) -> tuple[Correction, ...]:
        """What a person said of fragments, the first one first."""
        return read_corrections(self.folder) if self.info.agglomerates else ()

    def correct(self, corrections: Sequence[Correction]) -> None:
        """Store corrections in place of those there were; leaving one out undoes it.

        Raises
        ------
        ConfigError
            If one names a fragment that does not exist, or the prediction has no fragments.
        """
        if self.tree is None:
            raise ConfigError(
                "objects of this prediction cannot be merged or split", "one that agglomerates", "paint them instead"
            )
        # Adding to what is there is the usual case, and much less work than all from the start.
        known = len(self.corrections)
        more = self.merges is not None and tuple(corrections[:known]) == self.corrections
        base = self.merges if more and self.merges is not None else self.tree
        merges = base.corrected(corrections[known:] if more else corrections)
        write_corrections(self.folder, corrections)
        self.corrections, self.merges = tuple(corrections), merges

    def record(self, paths: Sequence[Path], threshold: float) -> None:
        """Remember files that were written from this prediction, so that they may be written again."""
        exports = dict(self.info.exports)
        for path in paths:
            size, mtime = fingerprint_output(path)
            exports[path.name] = Export(
                size=size, mtime_ns=mtime, threshold=threshold, corrections=corrections_fingerprint(self.corrections)
            )
        self.info = self.info.model_copy(update={"exports": exports})
        write_info(self.folder, self.info)

    def wrote(self, path: Path) -> bool:
        """Whether a file is one of ours and nobody has changed it since."""
        known = self.info.exports.get(path.name)
        return known is not None and (known.size, known.mtime_ns) == fingerprint_output(path)

    def written_at(self, path: Path) -> float | None:
        """Return the threshold that a file was written at; None if it is none of ours, or corrected since."""
        known = self.info.exports.get(path.name)
        current = known is not None and known.corrections == corrections_fingerprint(self.corrections)
        return known.threshold if known is not None and current else None


def from_bytes(maps: npt.NDArray[Any]) -> FloatArray:
    """Return stored maps as they were activated, in [0, 1]."""
    values: FloatArray = np.divide(maps, np.float32(255), dtype=np.float32)
    return values


def check_threshold(threshold: float) -> float:
    """Return the threshold.

    Raises
    ------
    ConfigError
        If it is not from 0 to 1.
    """
    if not 0 <= threshold <= 1:
        raise ConfigError(f"threshold {threshold} cannot be used", "a number from 0 to 1", "give for example 0.5")
    return threshold


def fingerprint_output(path: Path) -> tuple[int, int]:
    """Return size in bytes and newest modification time in ns of a file or of all files of a folder."""
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    stats = [f.stat() for f in files]
    return sum(s.st_size for s in stats), max((s.st_mtime_ns for s in stats), default=0)


def create_array(path: Path, shape: Sequence[int], chunks: Sequence[int], dtype: npt.DTypeLike) -> zarr.Array[Any]:
    """Open an array of the store for writing, and create it if it is not there."""
    if (path / "zarr.json").is_file():
        return zarr.open_array(path, mode="r+")
    # Maps take as many bytes as at the usual level, and half of the time.
    quick = ZstdCodec(level=1)
    return zarr.create_array(
        path, shape=tuple(shape), chunks=tuple(chunks), dtype=np.dtype(dtype), fill_value=0, compressors=quick
    )
