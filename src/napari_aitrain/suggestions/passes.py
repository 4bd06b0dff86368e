"""Uncertainty for which a network answers several times: on mirrored images, or by several models. Imports torch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ModelError
from ..geometry import Region
from ..inference.blocks import Cancelled, PredictionCancelledError, Progress
from ..inference.export_maps import task_of
from ..inference.grid import Grid
from ..inference.image import PreparedImage, prepare_image
from ..inference.planning import make_network
from ..inference.predictor import predict_array
from ..inference.store import StoredPrediction, create_array
from ..models import Model
from ..tasks.protocol import FloatArray
from ..volumes.atomic import atomic_folder
from .doubt import disagreement

if TYPE_CHECKING:
    from ..inference.predictor import Network
    from ..volumes import Volume

FLIPS: tuple[tuple[int, ...], ...] = ((3,), (2,), (2, 3))
"""Axes of (c, z, y, x) along which the image is mirrored; what is stored is the answer without."""


@dataclass(frozen=True)
class Pass:
    """One more answer.

    Parameters
    ----------
    model : Model
        Who answers.
    image : PreparedImage
        As this model sees it.
    network : callable
        Gives its network.
    flip : tuple of int
        Axes along which it sees the image mirrored.
    """

    model: Model
    image: PreparedImage
    network: Callable[[], Network]
    flip: tuple[int, ...] = ()

    def probability(self, region: Region, dims: int, halo: tuple[int, int, int]) -> FloatArray:
        """Return probabilities per class of a region, in voxels of the image as the model sees it."""
        seen = np.flip(self.image.read(region), self.flip) if self.flip else self.image.read(region)
        task = self.model.task()
        maps = predict_array(self.network(), task.activate, np.ascontiguousarray(seen), dims, overlap=halo)
        return task.class_probability(np.flip(maps, self.flip) if self.flip else maps)


def mirrored(
    stored: StoredPrediction, model: Model, image: Volume, device: str = "auto", precision: str = "auto"
) -> list[Pass]:
    """Return the answers of a model on the mirrored image (test-time augmentation)."""
    model = model.of_scale(stored.info.scale)
    prepared = prepare_image(model, image, stored.info.resampled is not None)
    network = functools.cache(lambda: make_network(model, device, precision))
    return [Pass(model, prepared, network, flip) for flip in FLIPS]


def other_models(stored: StoredPrediction, models: Sequence[Model], image: Volume, device: str = "auto") -> list[Pass]:
    """Return the answers of other models on the same image.

    Raises
    ------
    ModelError
        If one sees other voxels, or was trained for other classes.
    """
    info, found = stored.info, []
    for model in models:
        card = model.card
        prepared = prepare_image(model, image, info.resampled is not None)
        same = (prepared.magnification, card.classes, card.task, card.dims)
        if same != (info.magnification, info.classes, info.task, info.dims):
            raise ModelError(
                f"{card.name} v{card.version} cannot be compared with {info.model_name}",
                "models of one task, with the same classes and voxel size",
                "name earlier versions of the same model",
            )
        found.append(Pass(model, prepared, functools.cache(functools.partial(make_network, model, device))))
    return found


def write_disagreement(
    stored: StoredPrediction,
    passes: Sequence[Pass],
    path: Path,
    *,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> None:
    """Write how much further answers disagree with a stored prediction, block by block, as bytes.

    Memory is that of one block. A folder appears once all blocks are done.

    Parameters
    ----------
    stored : StoredPrediction
        The first answer.
    passes : sequence of Pass
        The others.
    path : Path
        Of a zarr array of the shape of the prediction.
    progress, cancelled : callable, optional
        See `predict_volume`.

    Raises
    ------
    PredictionCancelledError
        If `cancelled` said so; nothing is left.
    OutputExistsError
        If there is something at `path`.
    """
    info, task = stored.info, task_of(stored.info)
    grid = Grid(info.shape, info.network_block, info.halo)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(path) as part:
        chunk = [min(n, most) for n, most in zip(info.network_block, (32, 256, 256), strict=True)]
        array = create_array(part, info.shape, [min(c, n) for c, n in zip(chunk, info.shape, strict=True)], np.uint8)
        for number, tile in enumerate(grid):
            if cancelled is not None and cancelled():
                raise PredictionCancelledError("cancelled")
            outer = tile.outer.shift(info.start)
            answers = [task.class_probability(stored.maps(tile.core))]
            inside = (slice(None), *tile.core_in_outer.slices)
            answers += [one.probability(outer, info.dims, info.halo)[inside] for one in passes]
            array[tile.core.slices] = np.rint(disagreement(answers) * 255).astype(np.uint8)
            if progress is not None:
                progress(number + 1, len(grid), "uncertainty")
