"""What is known of a network from the BioImage Model Zoo, which runs as ONNX or TorchScript."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..geometry import Triple
from ..volumes.normalisation import Normalisation

FloatArray = npt.NDArray[np.float64]
RAW = float(np.finfo(np.float32).max)
"""Nothing is clipped."""
HELD = 200.0
"""Numbers per voxel that a network is thought to hold, since nothing says how many."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Linear(_Part):
    """Multiplies by `gain` and adds `offset`: one number, or one per channel."""

    kind: Literal["linear"] = "linear"
    gain: tuple[float, ...]
    offset: tuple[float, ...]


class Percentiles(_Part):
    """Brings two percentiles of the image to 0 and 1."""

    kind: Literal["percentiles"] = "percentiles"
    low: Annotated[float, Field(ge=0, le=100)]
    high: Annotated[float, Field(ge=0, le=100)]
    eps: Annotated[float, Field(ge=0)]
    jointly: Annotated[bool, Field(description="Over all channels.")] = False


class Moments(_Part):
    """Brings mean and standard deviation of the image to 0 and 1."""

    kind: Literal["moments"] = "moments"
    eps: Annotated[float, Field(ge=0)]
    jointly: Annotated[bool, Field(description="Over all channels.")] = False


class Clip(_Part):
    """Cuts off what is below or above."""

    kind: Literal["clip"] = "clip"
    low: float = -RAW
    high: float = RAW


class Logistic(_Part):
    """The logistic function of the network's output, or its softmax over channels."""

    kind: Literal["sigmoid", "softmax"]


class Binary(_Part):
    """1 where the network's output is above a threshold."""

    kind: Literal["binarize"] = "binarize"
    threshold: float


Before = Annotated[Linear | Percentiles | Moments | Clip, Field(discriminator="kind")]
After = Annotated[Linear | Clip | Logistic | Binary, Field(discriminator="kind")]


class ZooConfig(_Part):
    """A network that is a file of its own, with what is done before and after it.

    Parameters
    ----------
    dims : {2, 3}
        Slices or volumes.
    in_channels : int
        Of the image.
    file : str
        Its name in the model's folder, by which its kind is known.
    inputs, outputs : str
        Axes of its tensors, by letters of ``bczyx``.
    answer : int
        Which of its outputs is taken.
    dtype : str
        In which it takes the image.
    sizes : tuple of tuple of int
        Per axis of space the least extent and the step to larger ones; a step of 0 allows the least alone.
    halo : tuple of int
        Per axis of space, how many voxels at the edge of an answer are not to be trusted.
    before, after : tuple
        What is done to the image, and to the answer.
    maps : tuple of int or None
        From which channels of the answer the maps of the task are made: n is channel n, −1 − n is one minus it, and
        None is nothing anywhere.
    shares : bool
        Whether answers are shares of 0 to 1; else they are as they were before a logistic function.
    classes : bool
        Whether maps are those of classes, which sum to 1, rather than each one for itself.
    """

    architecture: Literal["zoo"] = "zoo"
    dims: Literal[2, 3]
    in_channels: Annotated[int, Field(ge=1)]
    file: Literal["weights.onnx", "weights.torchscript"]
    inputs: str
    outputs: str
    answer: Annotated[int, Field(ge=0)] = 0
    dtype: str = "float32"
    sizes: tuple[tuple[int, int], ...]
    halo: tuple[int, ...]
    before: tuple[Before, ...] = ()
    after: tuple[After, ...] = ()
    maps: tuple[int | None, ...] = ()
    shares: bool = True
    classes: bool = False

    @model_validator(mode="after")
    def _fits(self) -> ZooConfig:
        space = "zyx"[3 - self.dims :]
        for axes in (self.inputs, self.outputs):
            if sorted(axes.replace("b", "").replace("c", "")) != sorted(space) or len(set(axes)) != len(axes):
                raise ValueError(f"{axes} are no axes of {self.dims}-D tensors")
        if not len(self.sizes) == len(self.halo) == self.dims:
            raise ValueError("sizes and halo need one entry per axis")
        if any(least < 1 or step < 0 for least, step in self.sizes) or min(self.halo) < 0:
            raise ValueError("sizes must be above 0, steps and halo not below")
        kinds = [step.kind for step in self.before]
        if "clip" in kinds and {"percentiles", "moments"} & set(kinds[kinds.index("clip") :]):
            raise ValueError("an image that is clipped and then scaled by its own values cannot be read in blocks")
        return self

    @property
    def clip(self) -> tuple[float, float]:
        """Between what voxels are clipped when they are normalised; where channels differ, the wider bounds."""
        low, high = np.full(self.in_channels, -RAW), np.full(self.in_channels, RAW)
        for step in self.before:
            if isinstance(step, Clip):
                low, high = np.clip(low, step.low, step.high), np.clip(high, step.low, step.high)
            elif isinstance(step, Linear):
                by, plus = _linear(step, low[:, None])
                low, high = np.clip(low * by + plus, -RAW, RAW), np.clip(high * by + plus, -RAW, RAW)
        return float(low.min()), float(high.max())

    @property
    def heads(self) -> int:
        """Channels of the output."""
        return len(self.maps)

    def takes_channels(self, count: int) -> bool:
        """Whether images of so many channels can be given as they are."""
        return count == self.in_channels

    @property
    def multiple(self) -> Triple:
        """What the z, y, x extents of an input must be divisible by, so that tiles begin on the network's grid."""
        steps = [max(1, step) for _, step in self.sizes]
        z, y, x = [1] * (3 - self.dims) + steps
        return z, y, x

    @property
    def receptive_field(self) -> Triple:
        """Half width in voxels, z, y, x, of what an output voxel depends on, as far as the description says."""
        z, y, x = [0] * (3 - self.dims) + list(self.halo)
        return z, y, x

    @property
    def held(self) -> float:
        """Numbers that one pass holds per voxel."""
        return HELD

    def most_voxels(self, device: str) -> int | None:
        """Return how many voxels should be computed at once, where memory is not what limits them."""
        return None

    def normalisation(self, sample: npt.NDArray[Any]) -> Normalisation:
        """Return what is done before the network as one linear map, from a sample of the image, shape (c, n)."""
        values = np.where(np.isfinite(sample), sample, np.nan).astype(np.float64)
        gain, offset = np.ones(len(values)), np.zeros(len(values))
        for step in self.before:
            if not isinstance(step, Clip):
                by, plus = _linear(step, values)
                values = values * by[:, None] + plus[:, None]
                gain, offset = gain * by, offset * by + plus
        starts = -offset / gain
        return Normalisation(low=tuple(starts.tolist()), high=tuple((starts + 1 / gain).tolist()), clip=self.clip)


def _linear(step: Linear | Percentiles | Moments, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return factor and summand per channel."""
    count = len(values)
    if isinstance(step, Linear):
        gain, offset = (np.broadcast_to(np.asarray(part, float), count) for part in (step.gain, step.offset))
        return gain, offset
    seen = values.reshape(1, -1) if step.jointly else values
    if isinstance(step, Moments):
        start, length = np.nanmean(seen, axis=1), np.nanstd(seen, axis=1)
    else:
        start, stop = np.nanpercentile(seen, (step.low, step.high), axis=1)
        length = stop - start
    # An image of one value has nothing to scale by where the description adds nothing.
    width = np.maximum(length + step.eps, 1e-12)
    gain = np.broadcast_to(1 / width, count)
    return gain, -np.broadcast_to(start, count) * gain
