"""Going on from the weights of a model: which of them are taken, and how carefully they are changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from ..nets.network import Network
from ..nets.unet import UNet

FREEZE: Literal["nothing", "encoder"] = "nothing"
"""What the setting ``auto`` stands for."""
HEAD_START = 100
"""Steps that averages of weights and of batch statistics count for what the model brings."""
_HEAD, _STEM = "head.", "down.0.conv1.weight"


def take_weights(network: Network, weights: dict[str, Tensor], in_channels: int, same_task: bool) -> None:
    """Load what fits of a model's weights.

    The last layer is that of the model only for the same task; maps that the model lacks are new. The first layer of a
    model for another number of channels is spread: every channel is looked at alike, and together they count for as
    much.

    Parameters
    ----------
    network : Network
        Changed in place. Of a Cellpose network all of it is the model's.
    weights : dict of str to Tensor
        Of the model.
    in_channels : int
        Of the model.
    same_task : bool
        Whether the model was trained for the same task.
    """
    if not isinstance(network, UNet):
        network.load_state_dict(weights)
        return
    own = network.state_dict()
    taken = {name: tensor for name, tensor in weights.items() if same_task or not name.startswith(_HEAD)}
    wanted = network.config.in_channels
    if in_channels != wanted and _STEM in taken:
        taken[_STEM] = _spread(taken[_STEM], in_channels, wanted)
    for name in [name for name in taken if name.startswith(_HEAD)]:
        maps = min(len(own[name]), len(taken[name]))
        taken[name] = torch.cat([taken[name][:maps], own[name][maps:]])
    fitting = {name: tensor for name, tensor in taken.items() if name in own and own[name].shape == tensor.shape}
    network.load_state_dict(fitting, strict=False)


def _spread(stem: Tensor, old: int, new: int) -> Tensor:
    outputs, inputs, *kernel = stem.shape
    mean = stem.reshape(outputs, old, inputs // old, *kernel).mean(1, keepdim=True)
    return (mean * (old / new)).expand(-1, new, *mean.shape[2:]).reshape(outputs, new * (inputs // old), *kernel)


def freeze(network: Network, what: Literal["auto", "nothing", "encoder"]) -> None:
    """Keep parts of a network as they are, the statistics of their norms included; see `Trainer.step`."""
    if (FREEZE if what == "auto" else what) == "encoder":
        network.encoder.requires_grad_(False)


def frozen_norms(norms: Sequence[_BatchNorm]) -> list[_BatchNorm]:
    """Return those norms that are not to change."""
    return [norm for norm in norms if not norm.weight.requires_grad]
