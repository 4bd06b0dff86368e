"""From a config and frozen crops to a trainer and a sampler that are ready for the first step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from ..errors import DeviceError, ModelError
from ..geometry import Triple
from ..models import load_model
from ..nets import NetworkConfig, build_network, choose_device, choose_network, choose_precision
from ..nets.presets import Size
from ..tasks import make_task
from ..tasks.protocol import Task
from ..volumes.units import VoxelSize
from .augmentation import Augmenter
from .config import TrainConfig
from .crops import CropSet
from .sampling import PatchSampler
from .trainer import LEARNING_RATES, Trainer

VOXELS_PER_STEP = {"cpu": 300_000, "mps": 1_000_000, "cuda": 2_400_000}
PATCH_2D = 192
PATCH_VOXELS_3D = 150_000
EM_PIXEL = 20.0
"""nm; light microscopes do not sample more finely than this."""


@dataclass
class Setup:
    """What one training works with."""

    config: TrainConfig
    crops: CropSet
    task: Task
    network: NetworkConfig
    trainer: Trainer
    sampler: PatchSampler
    batch_size: int
    ranks: int = 1
    """How many processes share a batch."""

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
    task = plan_task(config, crops.classes, train[0].voxel_size, crops.dims)
    network_config = _network_config(config, crops, task, device)
    network = build_network(network_config)
    if config.initial_model is not None:
        weights = load_model(config.initial_model).state_dict()
        own = network.state_dict()
        network.load_state_dict({k: v for k, v in weights.items() if own[k].shape == v.shape}, strict=False)
    voxel_size = train[0].voxel_size
    generator = torch.Generator().manual_seed(config.seed)
    em = task.micrographs or (voxel_size is not None and min(voxel_size) <= EM_PIXEL)
    augmenter = Augmenter(auto_strength(config, device), crops.dims, voxel_size, em, generator)
    shape = config.patch_shape or patch_shape(network_config, [crop.shape for crop in train])
    sampler = PatchSampler(train, task, crops.dims, shape, augmenter, generator, folder, config.seed)
    trainer = Trainer(network, task, device, precision, config.learning_rate or LEARNING_RATES[crops.dims])
    batch = config.batch_size or ranks * max(1, round(VOXELS_PER_STEP[device.type] / math.prod(shape)))
    return Setup(config, crops, task, network_config, trainer, sampler, batch, ranks)


def plan_task(config: TrainConfig, classes: tuple[int, ...], voxel_size: VoxelSize | None, dims: int) -> Task:
    """Return the task of a training, with the settings that follow from its data or from the model to start from."""
    settings = dict(config.task_settings)
    if config.initial_model is not None:
        card = load_model(config.initial_model).card
        if card.task == config.task:
            settings = {**card.task_settings, **settings}
    return make_task(config.task, settings, classes).planned(voxel_size, dims)


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


def patch_shape(network: NetworkConfig, crops: list[Triple]) -> Triple:
    """Return a patch that the crops can fill and the network can take, z, y, x.

    In 3-D it has about the same extent along every axis in voxels of the network's coarsest level.
    """
    multiple = network.multiple
    largest = [max(crop[axis] for crop in crops) for axis in range(3)]
    if network.dims == 2:
        sizes: list[float] = [1, PATCH_2D, PATCH_2D]
    else:
        unit = (PATCH_VOXELS_3D / math.prod(multiple)) ** (1 / 3)
        sizes = [unit * m for m in multiple]
    fitted = []
    for size, most, step in zip(sizes, largest, multiple, strict=True):
        wanted = min(size, math.ceil(most / step) * step)
        fitted.append(max(step, round(wanted / step) * step))
    return fitted[0], fitted[1], fitted[2]


def _network_config(config: TrainConfig, crops: CropSet, task: Task, device: torch.device) -> NetworkConfig:
    train = crops.of_role("train")
    channels = len(train[0].image)
    if config.initial_model is not None:
        model = load_model(config.initial_model)
        found = NetworkConfig.model_validate(model.card.network)
        if (found.dims, found.in_channels) != (crops.dims, channels):
            raise ModelError(
                f"{config.initial_model} takes {found.dims}-D images of {found.in_channels} channels",
                f"a model for {crops.dims}-D images of {channels} channels, like the training set",
                "start from another model, or from scratch",
            )
        return found.model_copy(update={"heads": task.heads})
    smallest = [min(crop.shape[axis] for crop in train) for axis in range(3)]
    extent: Triple = (smallest[0], smallest[1], smallest[2])
    size = config.network if config.network != "auto" else auto_size(config, device)
    return choose_network(size, crops.dims, channels, task.heads, train[0].voxel_size, extent)


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
