"""A network made ready for prediction: folded norms, channels last, low precision."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from ..geometry import Triple
from .cellpose_config import CellposeConfig, stretch
from .network import Network


class InferenceNetwork:
    """A frozen copy of a network that only predicts.

    Parameters
    ----------
    module : Network
        Left as it is; a copy is folded and converted.
    device : torch.device
        Where to compute.
    precision : torch.dtype
        ``torch.bfloat16`` or ``torch.float32``.
    """

    def __init__(
        self, module: Network, device: torch.device | None = None, precision: torch.dtype = torch.float32
    ) -> None:
        self.device = device if device is not None else torch.device("cpu")
        self.precision = torch.float32 if module.exact else precision
        self.config = module.config
        self.memory_format = module.memory_format
        self._module = module.frozen(self.precision).to(self.device).to(memory_format=self.memory_format)  # type: ignore[call-overload]

    @property
    def receptive_field(self) -> Triple:
        """Half width in voxels, z, y, x."""
        return self.config.receptive_field

    @property
    def multiple(self) -> Triple:
        """What the z, y, x extents of an input must be divisible by."""
        return self.config.multiple

    def for_voxels(self, voxel_size: Sequence[float] | None) -> Self:
        """Return this network for images of a voxel size, z, y, x.

        Only networks of slices that are to see volumes are another one then: they look at slices across the others
        too, in which pixels must be square.
        """
        config = self.config
        if voxel_size is None or not isinstance(config, CellposeConfig) or config.dims == 2:
            return self
        other = copy.copy(self)
        other.config = config.model_copy(update={"anisotropy": stretch(voxel_size)})
        other._module = copy.copy(self._module)
        other._module.config = other.config
        return other

    @torch.inference_mode()
    def __call__(self, batch: Tensor) -> Tensor:
        """Predict a batch.

        Parameters
        ----------
        batch : Tensor, shape (b, c, y, x) or (b, c, z, y, x)
            float32, on any device.

        Returns
        -------
        Tensor, shape (b, heads, *space)
            Raw output in float32, on the network's device.
        """
        batch = batch.to(self.device, self.precision, non_blocking=True).contiguous(memory_format=self.memory_format)
        output: Tensor = self._module(batch)
        return output.float()

    @torch.inference_mode()
    def features(self, batch: Tensor) -> Tensor:
        """Return what the network makes of a batch before its last step; see `Network.features`.

        Raises
        ------
        NotImplementedError
            If its insides are not known.
        """
        batch = batch.to(self.device, self.precision, non_blocking=True).contiguous(memory_format=self.memory_format)
        see = getattr(self._module, "features", None)
        if see is None:
            raise NotImplementedError
        found: Tensor = see(batch)
        return found.float()
