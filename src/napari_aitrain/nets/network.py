"""What all networks have in common, whichever architecture they are of."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .configs import AnyNetworkConfig


class Network(nn.Module):
    """A network that can be trained, and made ready for prediction.

    Attributes
    ----------
    config : NetworkConfig or CellposeConfig
        From which it can be built again.
    memory_format : torch.memory_format
        Of weights and images, in which it is fastest.
    exact : bool
        Whether it computes in float32, whatever is asked for.
    """

    config: AnyNetworkConfig
    memory_format: torch.memory_format
    exact: bool = False

    @property
    def encoder(self) -> nn.Module:
        """The part that sees the image, which can be kept as it is."""
        raise NotImplementedError

    def frozen(self, precision: torch.dtype) -> nn.Module:
        """Return a copy that only predicts, with weights of a type; the network stays as it is."""
        raise NotImplementedError

    def features(self, batch: Tensor) -> Tensor:
        """Return what the network makes of an image before its last step, shape (b, f, *coarse).

        Parameters
        ----------
        batch : Tensor, shape (b, in_channels, *space)
            Of extents that `config.multiple` divides.

        Raises
        ------
        NotImplementedError
            If its insides are not known.
        """
        raise NotImplementedError

    def seed(self, step: int) -> None:
        """Make what is random within the network follow from the step alone; most have nothing random."""


def build_network(config: AnyNetworkConfig) -> Network:
    """Return a new network with random weights.

    Raises
    ------
    ConfigError
        If it needs a package that is not installed.
    """
    if config.architecture == "zoo":
        raise TypeError("a network from the zoo is a file, and cannot be made anew")
    if config.architecture == "cellpose":
        from .cellpose import CellposeNetwork

        return CellposeNetwork(config)
    from .unet import UNet

    return UNet(config)
