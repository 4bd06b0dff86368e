"""What is kept of a prediction: maps, labels, scored objects, and what they were made from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import zarr
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ConfigError, VolumeError
from ..geometry import Region, Triple
from ..tasks.protocol import FloatArray, LabelArray
from ..tasks.threshold import kept_ids
from ..volumes.atomic import atomic_write_text
from .objects import ObjectTable

STORE_VERSION = 1
INFO, MAPS, LABELS = "prediction.json", "maps.zarr", "labels.zarr"
RAW = "pieces.zarr"
"""Decoded blocks that are not stitched yet; it goes when all are."""

SUFFIX = ".prediction"
_AGAIN = "remove the folder and predict again"

VoxelSize = tuple[float, float, float]


class Export(BaseModel):
    """A file that was written from a prediction, as it was when it was written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int
    mtime_ns: int
    threshold: float


class PredictionInfo(BaseModel):
    """Everything about a prediction but its arrays; ``prediction.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = STORE_VERSION
    finished: bool = False
    model_name: str
    model_fingerprint: Annotated[str, Field(description="Checksum of weights and of what shapes the result.")]
    image: Annotated[str, Field(description="Path of the image, or its name if it is in memory.")]
    image_fingerprint: str
    channels: tuple[str, ...]
    task: str
    instances: Annotated[bool, Field(description="Whether labels are ids of objects or of classes.")]
    classes: tuple[int, ...]
    feature_names: tuple[str, ...] = ()
    dims: Literal[2, 3]
    heads: int
    magnification: Annotated[Triple, Field(description="z, y, x, relative to the finest level of the image.")]
    start: Annotated[Triple, Field(description="Where the prediction begins, in voxels of its magnification.")]
    shape: Annotated[Triple, Field(description="z, y, x.")]
    voxel_size: Annotated[VoxelSize | None, Field(description="nm, z, y, x, of the prediction.")]
    low: tuple[float, ...]
    high: tuple[float, ...]
    multiple: Triple
    halo: Annotated[Triple, Field(description="Context beside a block that the network was given.")]
    overlap: Annotated[Triple, Field(description="Voxels that neighbouring decoded blocks share.")]
    network_block: Triple
    decode_block: Triple
    threshold: Annotated[float, Field(description="The model's own threshold.")]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    exports: dict[str, Export] = {}


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
        """All objects; none for class maps."""
        return ObjectTable.load(self.folder)

    @property
    def scores(self) -> FloatArray:
        """Score per object id, entry 0 being the background; empty for classes."""
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
            less probable, become background; the others keep their ids.

        Returns
        -------
        ndarray of int32, shape (z, y, x)
        """
        threshold = check_threshold(self.info.threshold if threshold is None else threshold)
        z, y, x = (region or self.region).slices
        labels: LabelArray = np.asarray(self._labels[z, y, x], np.int32)
        if self.info.instances:
            return kept_ids(self.scores, threshold)[labels]
        unsure = self.maps(region).max(axis=0) < threshold
        return np.where(unsure, np.int32(self.info.classes[0]), labels)

    def record(self, paths: Sequence[Path], threshold: float) -> None:
        """Remember files that were written from this prediction, so that they may be written again."""
        exports = dict(self.info.exports)
        for path in paths:
            size, mtime = fingerprint_output(path)
            exports[path.name] = Export(size=size, mtime_ns=mtime, threshold=threshold)
        self.info = self.info.model_copy(update={"exports": exports})
        write_info(self.folder, self.info)

    def wrote(self, path: Path) -> bool:
        """Whether a file is one of ours and nobody has changed it since."""
        known = self.info.exports.get(path.name)
        return known is not None and (known.size, known.mtime_ns) == fingerprint_output(path)

    def written_at(self, path: Path) -> float | None:
        """Return the threshold that a file was written at; None if it is none of ours."""
        known = self.info.exports.get(path.name)
        return None if known is None else known.threshold


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


def read_info(store: Path) -> PredictionInfo:
    """Read ``prediction.json``.

    Raises
    ------
    VolumeError
        If it is missing, damaged, or from a newer version.
    """
    try:
        return PredictionInfo.model_validate_json((store / INFO).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise VolumeError(f"{store} holds no prediction", f"a folder with {INFO}", "check the path") from None
    except ValidationError as error:
        raise VolumeError(
            f"{store / INFO} cannot be read: {error.errors()[0]['msg']}", f"format {STORE_VERSION}", _AGAIN
        ) from error


def write_info(store: Path, info: PredictionInfo) -> None:
    """Write ``prediction.json``."""
    atomic_write_text(store / INFO, info.model_dump_json(indent=2))


def create_array(path: Path, shape: Sequence[int], chunks: Sequence[int], dtype: npt.DTypeLike) -> zarr.Array[Any]:
    """Open an array of the store for writing, and create it if it is not there."""
    if (path / "zarr.json").is_file():
        return zarr.open_array(path, mode="r+")
    return zarr.create_array(path, shape=tuple(shape), chunks=tuple(chunks), dtype=np.dtype(dtype), fill_value=0)
