"""From a config and frozen crops to a trainer and a sampler that are ready for the first step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from ..errors import DeviceError
from ..geometry import Triple
from ..inference.predictor import Network
from ..models import Model, find_model
from ..models.starters import EM_VOXEL
from ..nets import (
    AnyNetworkConfig,
    InferenceNetwork,
    build_network,
    choose_device,
    choose_network,
    choose_precision,
)
from ..nets import Network as Module
from ..nets.patches import patch_shape
from ..nets.presets import Size
from ..nets.scaled import at_scale, exact_scales
from ..tasks import make_task, scaled_settings
from ..tasks.protocol import Task
from . import fine_tuning
from .augmentation import Augmenter
from .config import SCRATCH, TrainConfig
from .crops import CropSet
from .parent import network_of
from .recipe import recipe_of
from .rescaled import rescaled_shape
from .sampling import PatchSampler
from .trainer import Trainer


@dataclass
class Setup:
    """What one training works with."""

    config: TrainConfig
    crops: CropSet
    task: Task
    network: AnyNetworkConfig
    trainer: Trainer
    sampler: PatchSampler
    batch_size: int
    ranks: int = 1
    """How many processes share a batch."""
    parent: Model | None = None
    """What the training began with."""

    def runner(self, module: Module) -> Network:
        """Return a network that predicts images as they are, in whatever size the network sees them."""
        return at_scale(
            InferenceNetwork(module, self.device, self.trainer.precision), self.crops.scale, self.network.dims
        )

    @property
    def device(self) -> torch.device:
        """Where to compute."""
        return self.trainer.device

    @property
    def dims(self) -> int:
        """2 or 3."""
        return self.network.dims


def prepare(
    config: TrainConfig, crops: CropSet, folder: Path, device: torch.device | None = None, ranks: int = 1
) -> Setup:
    """Build everything a training needs; deterministic by the seed.

    Parameters
    ----------
    config : TrainConfig
        The settings.
    crops : CropSet
        Frozen crops.
    folder : Path
        Where targets are kept.
    device : torch.device, optional
        Where to compute; chosen by the config if not given.
    ranks : int
        How many processes share a batch.

    Raises
    ------
    ConfigError, DeviceError, ModelError
        If the task, the device or the model to start from is not to be had.
    """
    torch.manual_seed(config.seed)
    device = device or choose_device(config.device)
    precision = choose_precision(device, config.precision)
    train = crops.of_role("train")
    parent = start_model(config, crops)
    task = plan_task(config, crops, parent)
    network_config = _network_config(config, crops, task, device, parent)
    network = build_network(network_config)
    recipe = recipe_of(network_config)
    rate = config.learning_rate or recipe.learning_rate
    if parent is not None:
        inputs, same = int(parent.card.network["in_channels"]), parent.card.task == config.task
        fine_tuning.take_weights(network, parent.state_dict(), inputs, same)
        fine_tuning.freeze(network, config.freeze)
    scales = exact_scales(crops.scale, network_config.multiple, crops.dims)
    voxel_size = train[0].voxel_size
    generator = torch.Generator().manual_seed(config.seed)
    em = task.micrographs or (voxel_size is not None and min(voxel_size) <= EM_VOXEL)
    augmenter = Augmenter(auto_strength(config, device), recipe.dims, voxel_size, em, generator)
    shape = recipe.patch_shape or config.patch_shape
    if shape is None:
        shape = patch_shape(network_config, [rescaled_shape(crop.shape, scales) for crop in train])
    sampler = PatchSampler(train, task, recipe.dims, shape, augmenter, generator, folder, config.seed, scales)
    known = fine_tuning.HEAD_START if parent is not None else 0
    trainer = Trainer(network, task, device, precision, rate, known, recipe.weight_decay)
    batch = config.batch_size or ranks * max(1, round(recipe.voxels_per_step[device.type] / math.prod(shape)))
    return Setup(config, crops, task, network_config, trainer, sampler, batch, ranks, parent)


def start_model(config: TrainConfig, crops: CropSet) -> Model | None:
    """Open the model that a training begins with, as it was chosen when the crops were frozen.

    Raises
    ------
    ModelError
        If it is not to be had any more.
    """
    chosen = crops.start_from or config.start_from
    return None if chosen == SCRATCH else find_model(chosen)


def plan_task(config: TrainConfig, crops: CropSet, parent: Model | None) -> Task:
    """Return the task of a training, with the settings that follow from its data or from the model to start from."""
    settings = dict(config.task_settings)
    if parent is not None and parent.card.task == config.task:
        settings = {**parent.card.task_settings, **settings}
    settings = scaled_settings(config.task, settings, crops.scale)
    voxel_size = crops.of_role("train")[0].voxel_size
    return make_task(config.task, settings, crops.classes).planned(voxel_size, crops.dims)


def fit_batch_size(setup: Setup) -> int:
    """Find a batch size whose step fits into memory, by taking a real step that is undone; return it.

    Of several processes, which have not joined yet, this one tries a share.

    Raises
    ------
    DeviceError
        If not even one patch fits.
    """
    if setup.device.type == "cpu":
        # Processor memory pages before it fails; the default is far below what any machine has.
        return setup.batch_size
    generator = setup.sampler.generator
    random, before = generator.get_state(), setup.trainer.state()
    kept = {name: tensor.clone() for name, tensor in before[0].items()}, dict(before[1])
    share = asked = math.ceil(setup.batch_size / setup.ranks)
    while True:
        try:
            setup.trainer.step(setup.sampler.batch(share, setup.device), 0.0)
            break
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            if share == 1:
                raise DeviceError(
                    "one patch of {}×{}×{} voxels does not fit into the memory of the device".format(
                        *setup.sampler.patch_shape
                    ),
                    "enough memory for one patch",
                    "choose a smaller network or patch_shape, or --device cpu",
                ) from error
            share //= 2
    if share < asked:
        setup.batch_size = share * setup.ranks
    setup.trainer.restore(*kept)
    generator.set_state(random)
    return setup.batch_size


def _network_config(
    config: TrainConfig, crops: CropSet, task: Task, device: torch.device, parent: Model | None
) -> AnyNetworkConfig:
    train = crops.of_role("train")
    channels, voxel_size = len(train[0].image), train[0].voxel_size
    if parent is not None or task.architecture != "unet":
        return network_of(parent, task, crops.dims, channels, voxel_size)
    smallest = [min(crop.shape[axis] for crop in train) for axis in range(3)]
    extent: Triple = (smallest[0], smallest[1], smallest[2])
    size = config.network if config.network != "auto" else auto_size(config, device)
    heads = task.heads + task.auxiliary_heads(crops.dims)
    return choose_network(size, crops.dims, channels, heads, voxel_size, extent)


def auto_strength(config: TrainConfig, device: torch.device) -> Literal["none", "light", "full"]:
    """Return how much to vary patches: on a processor there is not the time to learn from much variety."""
    if config.augmentation != "auto":
        return config.augmentation
    return "light" if device.type == "cpu" else "full"


def auto_size(config: TrainConfig, device: torch.device) -> Size:
    """Return the size of network that learns most in the time there is."""
    if device.type != "cpu":
        return "large"
    short = config.minutes is not None and config.minutes < 5
    return "small" if short or (config.steps is not None and config.steps < 1500) else "medium"
