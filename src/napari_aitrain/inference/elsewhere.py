"""What is asked of a network that runs on a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from ..geometry import Triple
from ..tasks.protocol import FloatArray, Objects

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Blocks:
    """Into which blocks a prediction is divided.

    Parameters
    ----------
    halo : tuple of int
        Context beside a block that the network is given, z, y, x.
    overlap : tuple of int
        Voxels that neighbouring decoded blocks share.
    network, decode : tuple of int
        Cores of the blocks of maps, and of those that are decoded.
    warning : str
        For people; empty where all is well.
    """

    halo: Triple
    overlap: Triple
    network: Triple
    decode: Triple
    warning: str = ""


class Elsewhere:
    """Base of networks that run on a server; like all networks they can be called with a batch, if they give maps."""

    device: torch.device
    receptive_field: Triple
    multiple: Triple
    most_voxels: int
    """That one request may hold."""

    def for_voxels(self, voxel_size: Sequence[float] | None) -> Self:
        """Return this network for images of a voxel size; most are the same for all."""
        return self

    def blocks(self, shape: Triple) -> Blocks | None:
        """Return the blocks that suit the server, of a prediction of this shape; None leaves the choice."""
        return None

    def maps(self, image: FloatArray, halo: Triple) -> npt.NDArray[np.uint8]:
        """Return the activated maps × 255 of an image, shape (c, z, y, x)."""
        raise NotImplementedError

    def objects(self, image: FloatArray) -> Objects:
        """Return what the server finds in an image, shape (c, z, y, x), if it is one that gives objects."""
        raise NotImplementedError

    def close(self) -> None:
        """Give up requests that are under way."""

    def __call__(self, batch: Any) -> Any:
        """Return raw output for a batch, as `nets.InferenceNetwork` does."""
        raise NotImplementedError
