"""Objects found by a starter model: the image is brought to the size that the model knows, and back."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ConfigError
from ..evaluation.calibration import Calibration, rescore
from ..inference.image import prepare_image
from ..inference.on_image import laid_back
from ..models import Model, ModelCard, fitting_starter, load_model, read_card, starter_folder, starter_names
from ..models.folder import holds_model
from ..tasks import get_task
from ..tasks.protocol import FloatArray, LabelArray, VoxelSize
from ..volumes import Volume
from .finding import Found, as_bright
from .settings import AutosegmentSettings

if TYPE_CHECKING:
    from ..inference.predictor import Network

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
        Of the objects, as was told or found, in voxels of the finest axis; None where the model has learned none.
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


def choose_starter(name: str, dims: Sequence[int], voxel_size: VoxelSize | None) -> tuple[str, ModelCard]:
    """Return the starter model of a name, or for an empty one that which fits, and its card.

    Parameters
    ----------
    name : str
        As `starter_names` tells, or the folder of a model of one's own.
    dims : sequence of {2, 3}
        Slices or volumes, whichever will do, the better one first.
    voxel_size : tuple of float, optional
        Of the image.

    Raises
    ------
    ModelError
        If there is no such model.
    ConfigError
        If it finds no objects, takes several channels, or none fits.
    """
    known = ", ".join(starters_of_objects())
    spoken = " or ".join(f"{n}-D" for n in dims)
    if not name:
        fitting = (fitting_starter("instances", n, 1, voxel_size) for n in dims)
        name = next((one for one in fitting if one is not None), "")
    if not name:
        raise ConfigError(
            f"no starter model fits this image in {spoken}",
            f"one of {known}" if known else "an installation with starter models",
            "choose one by name, or a preset without a model",
        )
    card = read_card(place_of(name))
    if not _finds_objects(card):
        raise ConfigError(
            f"the starter model {name} does not find objects in one channel",
            f"one of {known}" if known else "a model of objects in one channel",
            "choose another one, or predict with it in the Review dock",
        )
    if card.dims not in dims:
        raise ConfigError(
            f"the starter model {name} works in {card.dims}-D, and {spoken} is asked for",
            f"a model of {'slices' if 2 in dims else 'volumes'}",
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
        With the name of a model. Without a diameter the model finds it, see `inference.sizing`.
    voxel_size : tuple of float, optional
        nm, z, y, x; only ratios count.
    watch : callable, optional
        Called with tiles done and tiles in all before each; may raise to end it.

    Raises
    ------
    ModelError
        If there is no such model, or it is damaged.
    ConfigError
        If the image is flat, and the model takes volumes.
    """
    starter = load_starter(settings.model)
    if starter.model.card.dims == 3 and image.shape[0] == 1:
        raise ConfigError(
            f"the starter model {settings.model} takes volumes, and the image is one slice",
            "a stack, or a starter model of slices",
            "choose another starter model",
        )
    return starter.find(as_bright(image, settings.dark), voxel_size, settings.diameter, watch)


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
        self.model, self.network = model, network
        kept = model.card.calibration
        self._calibration = Calibration.model_validate(kept) if kept else None

    def find(
        self, bright: FloatArray, voxel_size: VoxelSize | None, diameter: float | None, watch: Watch | None = None
    ) -> Scored:
        """Return the objects of an image, shape (z, y, x), of a diameter, or of that which the model finds."""
        from ..inference.predictor import predict_array
        from ..inference.sizing import sized
        from ..nets.scaled import at_scale

        volume = Volume.from_array(bright, axes="zyx", voxel_size=self._alike(voxel_size))
        model = self.model
        if model.card.diameter is not None:
            model = sized(model, volume, diameter or "auto", lambda: self.network)
            diameter = diameter or round(model.learned_diameter / model.card.scale, 1)
        card, task = model.card, model.task()
        prepared = prepare_image(model, volume)
        maps = predict_array(
            at_scale(self.network, card.scale, card.dims), task.activate, prepared.read(prepared.volume.region),
            card.dims, dtype=np.uint8 if task.takes_bytes else np.float32, watch=watch,
        )  # fmt: skip
        objects = rescore(task.decode(maps, prepared.decode_size, card.dims), self._calibration)
        return Scored(laid_back(objects.labels, prepared, bright.shape), objects.scores, diameter, card.threshold)

    def _alike(self, voxel_size: VoxelSize | None) -> VoxelSize | None:
        """Return a voxel size whose finest axis is that of the model's: how large objects are the diameter says."""
        learned = self.model.card.voxel_size
        if learned is None or voxel_size is None:
            return voxel_size
        dims = self.model.card.dims
        times = min(learned[3 - dims :]) / min(voxel_size[3 - dims :])
        z, y, x = (v * times for v in voxel_size)
        return z, y, x


def _finds_objects(card: ModelCard) -> bool:
    task = get_task(card.task)
    return task.instances and not task.agglomerates and len(card.channels) == 1
