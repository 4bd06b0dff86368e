"""Asks a worker process for features of objects with what a network sees of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..annotation.boxes import Box
from ..classification.table import FeatureTable
from ..errors import StorageError
from ..geometry import tiles
from ..volumes import Volume
from .asker import Asker, Cancelled, Progress
from .looking import IMAGE, LABELS, TABLE

MOST_BYTES = 2**32
"""Of an image that is copied for the worker."""
_BLOCK = (16, 1024, 1024)


class Looker(Asker):
    """A worker process that looks at objects with networks."""

    def table(
        self,
        labels: Volume | None,
        boxes: Sequence[Box] | None,
        image: Volume,
        model: str,
        dims: Literal[2, 3] | None,
        cancelled: Cancelled,
        progress: Progress | None = None,
    ) -> FeatureTable | None:
        """Return the features of objects or boxes; None if it was cancelled.

        Parameters
        ----------
        labels, boxes, image
            As for `classification.files.measure`.
        model : str
            A model's folder or name.
        dims : {2, 3}, optional
            See `measure_objects`.
        cancelled, progress : callable
            See `Asker.ask`.

        Raises
        ------
        AitrainError
            If it cannot be done, or the worker has gone.
        """
        size = None if labels is None else labels.voxel_size
        request: dict[str, Any] = {
            "model": model, "dims": dims, "voxel_size": size, "image_voxel_size": image.voxel_size,
            "boxes": None if boxes is None else [box.model_dump(mode="json") for box in boxes],
        }  # fmt: skip

        def write(place: Path) -> None:
            _copy(image, place / IMAGE)
            if labels is not None:
                _copy(labels, place / LABELS)

        return self.ask(
            "features",
            request,
            write,
            lambda place, _: FeatureTable.load(place / TABLE),
            cancelled,
            progress,
            wait=False,
        )


def _copy(volume: Volume, path: Path) -> None:
    """Write a volume as a NPY file, block by block."""
    labels = volume.kind == "labels"
    shape = volume.shape if labels else (len(volume.channels), *volume.shape)
    dtype = np.dtype(np.int32) if labels else volume.dtype
    if int(np.prod(shape, dtype=np.int64)) * dtype.itemsize > MOST_BYTES:
        raise StorageError(
            f"{volume.name} is too large to be copied for the worker",
            f"at most {MOST_BYTES / 2**30:g} GiB",
            "classify without a model, or on the command line: napari-aitrain classify apply",
        )
    array = np.lib.format.open_memmap(path, "w+", dtype, shape)
    for tile in tiles(volume.region, _BLOCK):
        values = volume.read(tile.core)
        array[tile.core.slices if labels else (slice(None), *tile.core.slices)] = values[0] if labels else values
    array.flush()
