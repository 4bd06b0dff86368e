"""A network as other programs run it: from a normalised image to maps of 0 … 1, and its source as one file."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from .scaled import _smooth, rescale
from .unet import ConvBlock, UNet, depth_to_space, space_to_depth

CALLABLE = "ExportedNetwork"
ACTIVATIONS = ("sigmoid", "softmax")
_HEAD = '''"""The network of a model that was trained with napari-aitrain (BSD-3-Clause); it needs PyTorch alone."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

Network = nn.Module'''


class ExportedNetwork(nn.Module):
    """A U-Net that sees images in its own size and gives maps in [0, 1] in theirs.

    Parameters
    ----------
    network : mapping
        Sizes of the U-Net.
    maps : int
        How many of its outputs, from the first on, are maps.
    activation : {'sigmoid', 'softmax'}
        What makes them shares.
    image_steps, network_steps : sequence of int
        So many voxels of the image are so many of the network, per axis.
    """

    def __init__(
        self,
        network: Mapping[str, Any],
        maps: int,
        activation: str,
        image_steps: Sequence[int],
        network_steps: Sequence[int],
    ) -> None:
        super().__init__()
        config: Any = SimpleNamespace(**network)
        self.net = UNet(config)
        self.maps, self.activation = maps, activation
        self.steps = list(zip(image_steps, network_steps, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """Return maps, (b, maps, *space), of a normalised image, (b, channels, *space)."""
        shape = x.shape[2:]
        scaled = any(image != seen for image, seen in self.steps)
        if scaled:
            x = rescale(x, [n // image * seen for n, (image, seen) in zip(shape, self.steps, strict=True)])
        x = self.net(x)
        if scaled:
            x = rescale(x, shape)
        x = x[:, : self.maps]
        return x.softmax(1) if self.activation == "softmax" else x.sigmoid()


def exported_source() -> str:
    """Return `ExportedNetwork`, with all that it is made of, as the text of one Python file."""
    parts = (space_to_depth, depth_to_space, _smooth, rescale, ConvBlock, UNet, ExportedNetwork)
    return "\n\n\n".join([_HEAD, *(inspect.getsource(part).rstrip() for part in parts)]) + "\n"


def activation_of(activate: Any, heads: int, maps: int, dims: int) -> str | None:
    """Return which of `ACTIVATIONS` a task's own is; None if it is another.

    Parameters
    ----------
    activate : callable
        A task's.
    heads, maps : int
        Outputs of the network, and how many of them are maps.
    dims : {2, 3}
        Of the images.
    """
    output = torch.linspace(-4, 4, heads * 3**dims, dtype=torch.float32).sin().mul(5).reshape(1, heads, *[3] * dims)
    given = activate(output.clone())
    found = {"sigmoid": output[:, :maps].sigmoid(), "softmax": output[:, :maps].softmax(1)}
    return next((name for name in ACTIVATIONS if torch.equal(found[name], given)), None)
