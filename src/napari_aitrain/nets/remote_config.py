"""What is known here of a network of somebody else's, which runs on a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from ..volumes.normalisation import Normalisation, Scaling

RAW = float(np.finfo(np.float32).max)
"""Nothing is clipped."""


class RemoteNetworkConfig(BaseModel):
    """Stands on the card of a model behind a URL that is no model of this program.

    Its steps on the image are in ``remote.json``; only what looks at whole images is here, because it is done when
    these are read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Literal["remote"] = "remote"
    in_channels: Annotated[int, Field(ge=0, description="That the server wants; 0 takes any.")] = 0
    heads: Annotated[int, Field(ge=0, description="Maps that its answers are made into.")] = 0
    percentiles: Annotated[
        tuple[float, float] | None, Field(description="Of the image that become 0 and 1; none leaves it as it is.")
    ] = None
    dims: Literal[2] = 2

    def takes_channels(self, count: int) -> bool:
        """Whether images of so many channels can be given as they are."""
        return self.in_channels in (0, count)

    def normalisation(self, sample: npt.NDArray[Any]) -> Normalisation:
        """Return how voxels are scaled when they are read, from a sample, shape (c, n)."""
        if self.percentiles is None:
            return Normalisation(low=(0.0,) * len(sample), high=(1.0,) * len(sample), clip=(-RAW, RAW))
        low, high = self.percentiles
        return Normalisation.estimate(sample, Scaling(low, high, (-RAW, RAW)))


def remote_network(data: Mapping[str, Any]) -> RemoteNetworkConfig | None:
    """Return the config of a network on a card if it is one of somebody else's on a server.

    Raises
    ------
    ValidationError
        If it says that it is, and is not.
    """
    return RemoteNetworkConfig.model_validate(data) if data.get("architecture") == "remote" else None
