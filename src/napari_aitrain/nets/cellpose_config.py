"""What Cellpose's network is made of, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..geometry import Triple

MOST_CHANNELS = 3
FLOW_HEADS = 4
"""Flow along z, y and x, and cell probability; the flow along z is 0 where slices are seen on their own."""


class CellposeConfig(BaseModel):
    """Sizes of the transformer of Cellpose 4 (Pachitariu et al. 2025), by default those of Cellpose-SAM.

    It sees slices. With ``dims`` 3 it sees the slices of a volume along all three axes, and what it says of them is
    joined, as Cellpose does.

    Parameters
    ----------
    dims : {2, 3}
        Slices or volumes.
    in_channels : int
        Channels it was made for; it takes any number from 1 to 3.
    width, depth, attention_heads : int
        Of the encoder: channels, blocks, heads of attention.
    global_blocks : tuple of int
        Blocks that were trained with attention over all of an image.
    outputs : int
        Maps of the network itself; the last three are flow y, flow x and cell probability.
    tile : int
        Extent in pixels of what it sees at once, y and x.
    patch : int
        Extent in pixels of a token.
    anisotropy : float
        Distance of slices in pixels: by how much z is stretched in a volume.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Literal["cellpose"] = "cellpose"
    dims: Literal[2, 3] = 2
    in_channels: Annotated[int, Field(ge=1, le=MOST_CHANNELS)] = MOST_CHANNELS
    width: Annotated[int, Field(ge=1)] = 1024
    depth: Annotated[int, Field(ge=1)] = 24
    attention_heads: Annotated[int, Field(ge=1)] = 16
    global_blocks: tuple[int, ...] = (5, 11, 17, 23)
    outputs: Annotated[int, Field(ge=3)] = 3
    tile: Annotated[int, Field(ge=16)] = 256
    patch: Annotated[int, Field(ge=1)] = 8
    anisotropy: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0

    @model_validator(mode="after")
    def _divides(self) -> CellposeConfig:
        tokens = self.tile // self.patch
        if 16 % self.patch or self.tile % self.patch or 64 % tokens or self.width % self.attention_heads:
            raise ValueError("patches must divide 16, tiles be 1 to 64 patches wide, and heads divide the width")
        return self

    def takes_channels(self, count: int) -> bool:
        """Whether images of so many channels can be given as they are."""
        return 1 <= count <= self.in_channels

    @property
    def heads(self) -> int:
        """Channels of the output."""
        return FLOW_HEADS

    @property
    def multiple(self) -> Triple:
        """What the z, y, x extents of an input must be divisible by: images are padded to tiles."""
        return 1, 1, 1

    @property
    def receptive_field(self) -> Triple:
        """How much context beside a block is worth its time; what lies farther off changes little."""
        reach = self.tile // 8
        return (reach if self.dims == 3 else 0), reach, reach

    @property
    def held(self) -> float:
        """Numbers that are held per voxel; passes see few tiles at a time, so images may be large."""
        return 28.0 if self.dims == 2 else 16.0

    def most_voxels(self, device: str) -> int | None:
        """Return how many voxels should be computed at once, so that a prediction on a processor can be stopped."""
        return 4 * self.tile**2 if device == "cpu" and self.dims == 2 else None


def stretch(voxel_size: Sequence[float] | None) -> float:
    """Return the distance of slices in pixels; 1 where the voxel size, z, y, x, is not known."""
    return 1.0 if voxel_size is None else voxel_size[0] / min(voxel_size[1:])
