"""How networks of each architecture are trained: rates, decay, and what a step looks at."""

from __future__ import annotations

from dataclasses import dataclass

from ..geometry import Triple
from ..nets import AnyNetworkConfig

LEARNING_RATES = {2: 6e-3, 3: 3e-3}
"""Peak learning rate of networks of slices and of volumes: figures are in docs/benchmarks.md."""
WEIGHT_DECAY = 1e-2
VOXELS_PER_STEP = {"cpu": 300_000, "mps": 1_000_000, "cuda": 2_400_000}

CELLPOSE_RATE, CELLPOSE_DECAY = 2e-5, 0.1
"""Cellpose itself goes on with 1e-5 to 5e-5, and this decay."""
CELLPOSE_PATCHES = {"cpu": 1, "mps": 1, "cuda": 4}


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    learning_rate : float
        Peak, from scratch or from a model: a lower one learned less in the same time, see docs/benchmarks.md.
    weight_decay : float
        Of the optimiser.
    voxels_per_step : dict of str to int
        By type of device.
    dims : {2, 3}
        Whether it learns from slices or volumes.
    patch_shape : tuple of int, optional
        The only one that it takes, z, y, x.
    """

    learning_rate: float
    weight_decay: float
    voxels_per_step: dict[str, int]
    dims: int
    patch_shape: Triple | None = None


def recipe_of(network: AnyNetworkConfig) -> Recipe:
    """Return how a network is trained."""
    if network.architecture == "cellpose":
        tile = network.tile
        voxels = {device: patches * tile**2 for device, patches in CELLPOSE_PATCHES.items()}
        return Recipe(CELLPOSE_RATE, CELLPOSE_DECAY, voxels, 2, (1, tile, tile))
    return Recipe(LEARNING_RATES[network.dims], WEIGHT_DECAY, VOXELS_PER_STEP, network.dims)
