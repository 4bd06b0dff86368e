"""Where a training begins: from scratch, or from which model, and how much its images are scaled for that model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..annotation.findings import Finding, error, info, warning
from ..errors import AitrainError, ModelError
from ..geometry import Region, tiles, triple
from ..models import Model, ModelCard, find_model, fitting_starter, load_model, starter_folder, starter_names
from ..models.model import MOST_SCALED, bounded_scale
from ..models.versions import reference_of, stored_names
from ..models.weights import KNOWN
from ..nets import CellposeConfig, read_network
from ..nets.cellpose_config import MOST_CHANNELS
from ..tasks import get_task
from ..tasks.diameters import median_diameter
from ..tasks.protocol import LabelArray
from ..volumes.labels import read_labels
from ..volumes.units import VoxelSize
from .config import AUTO, SCRATCH, TrainConfig
from .labelled import TILE, to_training_ids
from .parent import unfit

if TYPE_CHECKING:
    from .plan import PlannedCrop

LIKE_ENOUGH = 1.25
"""Objects whose diameter differs by less than this factor from those of the model are not scaled."""
LOOKED_AT = 2**22
"""Voxels of a box that are looked at for the size of objects."""
MOST_BOXES, MOST_SLICES = 32, 8


@dataclass(frozen=True)
class Start:
    """Where a training begins.

    Parameters
    ----------
    start_from : str
        ``scratch``, or the name or folder of a model.
    scale : float
        By how much the network sees images scaled.
    diameter : float, optional
        Median diameter of the training objects, in voxels of the finest axis of the image.
    findings : tuple of Finding
        What there is to say about it.
    problem : AitrainError, optional
        Why the model cannot be had.
    """

    start_from: str = SCRATCH
    scale: float = 1.0
    diameter: float | None = None
    findings: tuple[Finding, ...] = ()
    problem: AitrainError | None = None


def plan_start(config: TrainConfig, crops: Sequence[PlannedCrop], dims: int) -> Start:
    """Choose where a training begins.

    Parameters
    ----------
    config : TrainConfig
        What was asked for.
    crops : sequence of PlannedCrop
        Of all roles.
    dims : {2, 3}
        Slices or volumes.
    """
    train = [crop for crop in crops if crop.role == "train"]
    if not train:
        return Start()
    sized = has_diameter(config.task)
    diameter = median_diameter(list(_labels(train, dims)), dims) if sized else None
    channels, voxel_size = len(train[0].image.channels), train[0].image.voxel_size
    try:
        model = _choose(config, dims, channels, voxel_size)
    except ModelError as problem:
        if config.start_from != AUTO or get_task(config.task).architecture != "unet":
            found = error(type(problem).__name__, problem.what, problem.remedy, "start_from")
            return Start(diameter=diameter, findings=(found,), problem=problem)
        found = warning(
            "damaged-starter", f"{problem.what}, so the training begins from scratch.", "Install napari-aitrain again."
        )
        return Start(diameter=diameter, findings=(found,))
    if model is None and get_task(config.task).architecture != "unet":
        refused = unfit(None, get_task(config.task))
        return Start(findings=(error("ModelError", refused.what, refused.remedy, "start_from"),), problem=refused)
    if model is None:
        return Start(diameter=diameter)
    scale = choose_scale(model.card, diameter) if sized else 1.0
    named = _named(config, model)
    findings = (
        *_check_fit(named, model.card, config, dims, channels),
        *_tell(named, model.card, diameter, scale, all(crop.sparse for crop in train)),
    )
    return Start(named, scale, diameter, findings)


def has_diameter(task: str) -> bool:
    """Whether a task looks for objects that have a size, rather than for classes or what goes through the image."""
    kind = get_task(task)
    return kind.instances and not kind.agglomerates


def choose_scale(card: ModelCard, diameter: float | None) -> float:
    """Return by how much to scale images so that objects of a diameter are as large as those of a model.

    Where one of the diameters is not known it is the scale of the model.
    """
    if card.diameter is None or diameter is None:
        return card.scale
    scale = card.diameter / diameter
    return 1.0 if 1 / LIKE_ENOUGH <= scale <= LIKE_ENOUGH else bounded_scale(scale)


def _choose(config: TrainConfig, dims: int, channels: int, voxel_size: VoxelSize | None) -> Model | None:
    if config.start_from == SCRATCH:
        return None
    if config.start_from != AUTO:
        return _with_weights(find_model(config.start_from))
    if get_task(config.task).architecture == "cellpose":
        return find_model(KNOWN[0].name)
    fitting = fitting_starter(config.task, dims, channels, voxel_size)
    return None if fitting is None else load_model(starter_folder(fitting))


def _named(config: TrainConfig, model: Model) -> str:
    """Return what is written down of the model: a name alone may mean another version tomorrow."""
    if version := reference_of(model.folder):
        return version
    if config.start_from != AUTO:
        return config.start_from
    # A model of the store goes before a starter model of the same name.
    return str(model.folder) if model.folder.name in stored_names() else model.folder.name


def _with_weights(model: Model) -> Model:
    if model.remote:
        raise ModelError(
            f"the weights of {model.card.name} are on a server", "a model with weights on this computer",
            "start from another model, or ask who runs the server for the model folder",
        )  # fmt: skip
    return model


def _labels(crops: Sequence[PlannedCrop], dims: int) -> Iterator[tuple[LabelArray, VoxelSize | None]]:
    """Yield what is looked at of the boxes; strokes do not tell how large objects are."""
    for crop in [crop for crop in crops if not crop.sparse][:MOST_BOXES]:
        volume, background = crop.image.open_labels(), crop.image.source.background_id
        for region in _parts(crop.region, dims):
            labels = np.empty(region.shape, np.int32)
            for tile in tiles(region, TILE):
                labels[tile.core.relative_to(region.start).slices] = read_labels(volume, tile.core)
            yield to_training_ids(labels, False, background, crop.image.chosen), crop.image.voxel_size


def _parts(region: Region, dims: int) -> list[Region]:
    """Return the middle of a box; in 2-D that of some of its slices."""
    size = region.shape
    depth = 1 if dims == 2 else min(size[0], 64)
    side = int((LOOKED_AT / depth) ** 0.5)
    shape = triple([depth, min(size[1], side), min(size[2], side)])
    start = [a + (n - m) // 2 for a, n, m in zip(region.start, size, shape, strict=True)]
    if dims == 3:
        return [Region.from_shape(shape, start)]
    slices = np.unique(np.linspace(region.start[0], region.stop[0] - 1, MOST_SLICES).round().astype(int))
    return [Region.from_shape(shape, (int(z), *start[1:])) for z in slices]


def _check_fit(name: str, card: ModelCard, config: TrainConfig, dims: int, channels: int) -> Iterator[Finding]:
    known = int(card.network.get("in_channels", len(card.channels)))
    network = read_network(card.network)
    if network.architecture != get_task(config.task).architecture:
        refused = unfit(name, get_task(config.task))
        yield error("start-network", refused.what, refused.remedy, "start_from")
    elif isinstance(network, CellposeConfig):
        if channels > MOST_CHANNELS:
            yield error("start-channels", f"The images have {channels} channels; Cellpose takes {MOST_CHANNELS}.",
                        "Choose the channels to use.", "start_from")  # fmt: skip
    elif card.dims != dims:
        other = "--dims 2" if card.dims == 2 else "--dims 3"
        yield error(
            "start-dims",
            f"{name} is a model for {card.dims}-D images, and this training is {dims}-D.",
            f"Start from another model, or train in {card.dims}-D ({other}).",
            "start_from",
        )
    elif known != channels:
        yield info(
            "start-channels",
            f"{name} takes {known} channel{'s'[: known != 1]} and the images have {channels}: what it looks for in its "
            "own is looked for in all alike at first.",
            "To use one channel alone, choose it for every source.",
            "start_from",
        )
    if card.task != config.task:
        yield info(
            "start-task",
            f"{name} has learned {card.task}: its last layer begins anew.",
            f"Start from a model for {config.task} if there is one.",
            "start_from",
        )


def _tell(name: str, card: ModelCard, diameter: float | None, scale: float, sparse: bool) -> Iterator[Finding]:
    about = f" ({card.comments.splitlines()[0].rstrip('.')})" if name in starter_names() and card.comments else ""
    said = f"The training starts from {name}{about}"
    own = card.network.get("architecture", "unet") == "unet"
    remedy = "To turn this off, start from scratch." if own else "Another model of Cellpose can be named (start_from)."
    if card.diameter is None or not has_diameter(card.task):
        yield info("start-from", f"{said}.", remedy, "start_from")
        return
    said += f", which knows objects of about {card.diameter:.0f} voxels"
    if diameter is None:
        why = "strokes do not tell how large yours are" if sparse else "there are no objects to compare them with"
        scaled = "" if scale == 1 else f" by {scale:.2f}, as for that model"
        yield info("start-from", f"{said}; {why}, so images are {'not ' * (scale == 1)}scaled{scaled}.", remedy,
                   "start_from")  # fmt: skip
        return
    how = f"images are scaled by {scale:.2f}" if scale != 1 else "nothing is scaled"
    yield info("start-from", f"{said}; yours: {diameter:.0f}, {how}.", remedy, "start_from")
    wanted = card.diameter / diameter
    if not 1 / MOST_SCALED <= wanted <= MOST_SCALED:
        advice = "Train at a coarser magnification." if wanted < 1 else "Look whether the labels are at the right size."
        yield warning(
            "start-size",
            f"Your objects of about {diameter:.0f} voxels are too {'large' if wanted < 1 else 'small'} for {name}, "
            f"even scaled by {scale:g}.",
            f"{advice} Or start from scratch.",
            "start_from",
        )
