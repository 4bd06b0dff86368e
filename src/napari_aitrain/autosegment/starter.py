"""Objects found by a starter model: the image is brought to the size that the model knows, and back."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from ..evaluation.calibration import Calibration, rescore
from ..inference.image import PreparedImage, prepare_image
from ..models import Model, ModelCard, fitting_starter, load_model, read_card, starter_folder, starter_names
from ..models.folder import holds_model
from ..tasks import get_task
from ..tasks.maps import outline_spacing
from ..tasks.protocol import FloatArray, LabelArray, VoxelSize
from ..volumes import Volume
from ..volumes.resample import nearest_voxels
from .finding import Found, as_bright
from .settings import AutosegmentSettings
from .suggesting import middle, suggest_and_find

if TYPE_CHECKING:
    from ..inference.predictor import Network

MOST_SEEN = 2**27
"""Voxels that the network sees at once; several maps of their number are held in memory."""
SURE = 1.25
"""A diameter that the objects that were found contradict by more than this factor is corrected once."""
FEW = 3
"""Of fewer objects no diameter is measured."""
_LOOKED_AT = 2**20
"""Voxels of the middle of an image in which the diameter is found."""

Watch = Callable[[int, int], None]


@dataclass(frozen=True)
class Scored:
    """Objects with scores: a threshold is chosen afterwards.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        Ids ``1 … n``; of a model of slices unique over slices.
    scores : ndarray of float32, shape (n + 1,)
        By id; entry 0 is 0.
    diameter : float or None
        That the image was scaled by, in voxels of its finest axis; None where the model knows none.
    threshold : float
        The model's own.
    """

    labels: LabelArray
    scores: FloatArray
    diameter: float | None
    threshold: float

    def above(self, threshold: float | None = None) -> Found:
        """Return the objects of at least a score, or of the model's own threshold."""
        kept = self.scores >= (self.threshold if threshold is None else threshold)
        kept[:1] = False
        ids = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
        return Found(ids[self.labels], math.inf, clear=True, diameter=self.diameter)

    def part(self, index: tuple[slice, ...]) -> Scored:
        """Return the objects of a part of the image, numbered anew."""
        ids, labels = np.unique(self.labels[index], return_inverse=True)
        # Background is id 0, whether or not the part has any.
        first = int(ids[0] != 0)
        scores = np.concatenate([np.zeros(first, np.float32), self.scores[ids]])
        found = labels.reshape(self.labels[index].shape).astype(np.int32) + first
        return Scored(found, scores, self.diameter, self.threshold)


def starters_of_objects() -> dict[str, ModelCard]:
    """Return the cards of the starter models that find separate objects, by name; torch is not needed."""
    cards = {name: read_card(starter_folder(name)) for name in starter_names()}
    return {name: card for name, card in cards.items() if _finds_objects(card)}


def choose_starter(name: str, dims: int | None, voxel_size: VoxelSize | None) -> tuple[str, ModelCard]:
    """Return the starter model of a name, or for an empty one that which fits, and its card.

    Parameters
    ----------
    name : str
        As `starter_names` tells, or the folder of a model of one's own.
    dims : {2, 3} or None
        Slices or volumes; None leaves it to the model.
    voxel_size : tuple of float, optional
        Of the image.

    Raises
    ------
    ModelError
        If there is no such model.
    ConfigError
        If it finds no objects, takes several channels, or none fits.
    """
    if not name:
        fitting = fitting_starter("instances", dims or 2, 1, voxel_size)
        if fitting is None:
            raise ConfigError(
                f"no starter model fits this image in {dims or 2}-D",
                "one of " + ", ".join(starters_of_objects()) if starters_of_objects() else "an installation with some",
                "choose one by name, or a preset without a model",
            )
        name = fitting
    card = read_card(place_of(name))
    if not _finds_objects(card):
        raise ConfigError(
            f"the starter model {name} does not find objects in one channel",
            "one of " + ", ".join(starters_of_objects()),
            "choose another one, or predict with it in the Review dock",
        )
    if dims is not None and card.dims != dims:
        raise ConfigError(
            f"the starter model {name} works in {card.dims}-D, and {dims}-D is asked for",
            f"a model of {'slices' if dims == 2 else 'volumes'}",
            "choose another model, or leave away what is asked for",
        )
    return name, card


def place_of(name: str) -> Path:
    """Return the folder of a starter model, or of a model that is named by its folder.

    Raises
    ------
    ModelError
        If there is none.
    """
    return Path(name) if name not in starter_names() and holds_model(Path(name)) else starter_folder(name)


def find_by_starter(
    image: FloatArray,
    settings: AutosegmentSettings,
    voxel_size: VoxelSize | None = None,
    watch: Watch | None = None,
) -> Scored:
    """Find objects by a starter model.

    Parameters
    ----------
    image : ndarray, shape (z, y, x)
        Intensities of one channel; what is not finite counts as background.
    settings : AutosegmentSettings
        With the name of a model. Without a diameter it is that of the objects themselves: a first guess without a
        network, corrected by what the network finds in the middle of the image.
    voxel_size : tuple of float, optional
        nm, z, y, x; only ratios count.
    watch : callable, optional
        Called with tiles done and tiles in all before each; may raise to end it.

    Raises
    ------
    ModelError
        If there is no such model, or it is damaged.
    ConfigError
        If the image is too large at the size that the model knows, or flat and the model takes volumes.
    """
    starter = load_starter(settings.model)
    card = starter.model.card
    if card.dims == 3 and image.shape[0] == 1:
        raise ConfigError(
            f"the starter model {settings.model} takes volumes, and the image is one slice",
            "a stack, or a starter model of slices",
            "choose another starter model",
        )
    bright = as_bright(image, settings.dark)
    diameter = settings.diameter
    if diameter is None and card.diameter is not None:
        diameter = starter.diameter_of(bright, voxel_size, watch)
    return starter.find(bright, voxel_size, diameter, watch)


@functools.lru_cache(maxsize=2)
def load_starter(name: str) -> Starter:
    """Return a starter model, ready to predict; the last two are kept."""
    from ..inference.planning import make_network

    model = load_model(place_of(name))
    return Starter(model, make_network(model.of_scale(1.0)))


class Starter:
    """A starter model in memory.

    Parameters
    ----------
    model : Model
        From disk.
    network : Network
        Of the model.
    """

    def __init__(self, model: Model, network: Network) -> None:
        self.model, self.network, self.task = model, network, model.task()
        kept = model.card.calibration
        self._calibration = Calibration.model_validate(kept) if kept else None

    def find(
        self, bright: FloatArray, voxel_size: VoxelSize | None, diameter: float | None, watch: Watch | None = None
    ) -> Scored:
        """Return the objects of an image, shape (z, y, x), that is scaled by the diameter of its objects."""
        from ..inference.predictor import predict_array
        from ..nets.scaled import at_scale

        model = self.model if diameter is None else self.model.of_diameter(diameter)
        dims = model.card.dims
        prepared = prepare_image(model, Volume.from_array(bright, axes="zyx", voxel_size=voxel_size))
        whole = prepared.volume.region
        if whole.size > MOST_SEEN:
            raise ConfigError(
                f"the network would see {whole.size:,} voxels of this image at once",
                f"at most {MOST_SEEN:,}, at the size that the model knows",
                "give a larger diameter, segment a part, or predict with a model in the Review dock",
            )
        dtype = np.uint8 if self.task.takes_bytes else np.float32
        seen, task = prepared.read(whole), model.task()
        network = at_scale(self.network, model.card.scale, dims)
        maps = predict_array(network, task.activate, seen, dims, dtype=dtype, watch=watch)
        objects = rescore(task.decode(maps, prepared.decode_size, dims), self._calibration)
        labels = laid_back(objects.labels, prepared, bright.shape)
        return Scored(labels, objects.scores, diameter, model.card.threshold)

    def diameter_of(self, bright: FloatArray, voxel_size: VoxelSize | None, watch: Watch | None = None) -> float:
        """Return the diameter of the objects of an image, in voxels of its finest axis."""
        dims = self.model.card.dims
        part = middle(bright, dims, _LOOKED_AT)
        _, first = suggest_and_find(part, voxel_size=voxel_size, dims=dims)
        guess = measured_diameter(first.labels, voxel_size, dims) or self.model.card.diameter
        assert guess is not None
        found = self.find(part, voxel_size, guess, watch).above()
        measured = measured_diameter(found.labels, voxel_size, dims)
        if measured is None or max(measured / guess, guess / measured) < SURE:
            return guess
        return measured


def measured_diameter(labels: LabelArray, voxel_size: VoxelSize | None, dims: int) -> float | None:
    """Return the median diameter of objects, as that of a disc or ball of their size; None where they are few.

    Examples
    --------
    >>> measured_diameter(np.repeat(np.arange(5, dtype=np.int32), 100).reshape(1, 1, 500), None, 2)
    11.3
    """
    sizes = np.bincount(labels.ravel())[1:]
    sizes = sizes[sizes > 0]
    if len(sizes) < FEW:
        return None
    size = float(np.median(sizes)) * math.prod(outline_spacing(voxel_size, dims)[3 - dims :])
    return round(2 * math.sqrt(size / math.pi) if dims == 2 else (6 * size / math.pi) ** (1 / 3), 1)


def laid_back(labels: LabelArray, prepared: PreparedImage, shape: tuple[int, ...]) -> LabelArray:
    """Return labels of what a network saw on the voxels of the image, each with the value its middle lies in."""
    factors: tuple[float, ...] = prepared.resampled or prepared.magnification
    if labels.shape == shape and all(factor == 1 for factor in factors):
        return labels
    at: list[npt.NDArray[np.int64]] = [
        nearest_voxels(0, n, factor, extent) for n, factor, extent in zip(shape, factors, labels.shape, strict=True)
    ]
    return labels[np.ix_(*at)]


def _finds_objects(card: ModelCard) -> bool:
    task = get_task(card.task)
    return task.instances and not task.agglomerates and len(card.channels) == 1
