"""Normalisation by percentiles of a bounded sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, model_validator

from ..errors import VolumeError
from ..geometry import Region
from .pieces import random_pieces
from .volume import Volume

FloatArray = npt.NDArray[np.float32]
CLIP = (-1.0, 3.0)
_SIDE = 128


@dataclass(frozen=True)
class Scaling:
    """How networks want images scaled.

    Parameters
    ----------
    low, high : float
        Percentiles of the intensities that become 0 and 1.
    clip : tuple of float
        Between what results are clipped.
    """

    low: float = 1.0
    high: float = 99.8
    clip: tuple[float, float] = CLIP


class Normalisation(BaseModel):
    """Maps intensities of each channel linearly so that `low` becomes 0 and `high` becomes 1.

    Parameters
    ----------
    low, high : tuple of float
        One number per channel. Where both are equal the channel is constant, and becomes 0 everywhere.
    clip : tuple of float
        Between what results are clipped.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: tuple[float, ...]
    high: tuple[float, ...]
    clip: tuple[float, float] = CLIP

    @model_validator(mode="after")
    def _paired(self) -> Normalisation:
        if not self.low or len(self.low) != len(self.high):
            raise ValueError("low and high need one number per channel")
        if not all(np.isfinite(v) for v in (*self.low, *self.high)):
            raise ValueError("low and high must be finite")
        if any(a > b for a, b in zip(self.low, self.high, strict=True)):
            raise ValueError("low must not be above high")
        return self

    @property
    def constant(self) -> tuple[bool, ...]:
        """Which channels had one value only."""
        return tuple(a == b for a, b in zip(self.low, self.high, strict=True))

    @classmethod
    def estimate(
        cls, samples: npt.NDArray[Any] | Sequence[npt.NDArray[Any]], scaling: Scaling | None = None
    ) -> Normalisation:
        """Take two percentiles of each channel, usually 1 and 99.8.

        Where these are equal although the values are not (a dark image with few bright spots), the smallest and the
        largest value are taken. Values that are not finite are left out.

        Parameters
        ----------
        samples : ndarray of shape (c, ...) or sequence of such
            Intensities, such as `sample_voxels` gives.
        scaling : Scaling, optional
            What the network wants.

        Raises
        ------
        VolumeError
            If a channel has no finite value, or the samples differ in their number of channels.
        """
        parts = [samples] if isinstance(samples, np.ndarray) else list(samples)
        counts = sorted({len(part) for part in parts})
        if len(counts) != 1:
            raise VolumeError(
                f"the images have {' and '.join(map(str, counts)) or 'no'} channels",
                "images of one data set with the same number of channels",
                "choose the same channels of every image",
            )
        flat = np.concatenate([part.reshape(counts[0], -1) for part in parts], axis=1)
        wanted = scaling or Scaling()
        ranges = [_range(values, number, wanted) for number, values in enumerate(flat)]
        return cls(low=tuple(low for low, _ in ranges), high=tuple(high for _, high in ranges), clip=wanted.clip)

    def apply(self, image: npt.NDArray[Any]) -> FloatArray:
        """Normalise an image; results are clipped, usually to −1 … 3, and NaN becomes 0.

        Parameters
        ----------
        image : ndarray, shape (c, ...)
            Any numeric dtype.

        Returns
        -------
        ndarray of float32, of the same shape

        Raises
        ------
        VolumeError
            If the number of channels is another one.
        """
        if image.shape[0] != len(self.low):
            raise VolumeError(
                f"the image has {image.shape[0]} channels",
                f"{len(self.low)}, as in training",
                "choose the channels that the model was trained on",
            )
        out = np.empty(image.shape, np.float32)
        for target, source, low, high in zip(out, image, self.low, self.high, strict=True):
            if low == high:
                target[...] = 0
                continue
            # Intensities of 32 and 64 bits lose their small differences in float32 before the offset is taken off.
            exact = np.float64 if source.dtype.itemsize >= 4 else np.float32
            scaled = (source.astype(exact) - exact(low)) * exact(1 / (high - low))
            lowest, highest = self.clip
            np.clip(np.nan_to_num(scaled, nan=0.0, posinf=highest, neginf=lowest), lowest, highest, out=target)
        return out


def _range(values: npt.NDArray[Any], channel: int, scaling: Scaling) -> tuple[float, float]:
    finite = values[np.isfinite(values)].astype(np.float64)
    if finite.size == 0:
        raise VolumeError(
            f"channel {channel} of the image has no finite value to normalise by",
            "an image with numbers",
            "replace NaN and infinite voxels, or leave this image out",
        )
    low, high = np.percentile(finite, (scaling.low, scaling.high))
    return (float(low), float(high)) if high > low else (float(finite.min()), float(finite.max()))


def sample_voxels(
    volume: Volume, regions: Sequence[Region], max_voxels: int = 1_000_000, seed: int = 0
) -> npt.NDArray[Any]:
    """Read a bounded, evenly spread random sample of voxels from inside regions, and nothing outside them.

    Parameters
    ----------
    volume : Volume
        Where to read.
    regions : sequence of Region
        In voxels of the volume; parts outside the volume are cut off.
    max_voxels : int
        At most this many voxels are read; small regions are read whole.
    seed : int
        Of the places chosen in large regions.

    Returns
    -------
    ndarray, shape (c, n)
        Of the dtype of the volume.

    Raises
    ------
    VolumeError
        If no region holds a voxel of the volume.
    """
    inside = [part for region in regions if not (part := region.intersect(volume.region)).empty]
    total = sum(part.size for part in inside)
    if not total or max_voxels < 1:
        raise VolumeError(
            f"there is no voxel of {volume.name} to normalise by", "a region inside the image", "check the boxes"
        )
    pieces: list[npt.NDArray[Any]] = []
    for number, part in enumerate(inside):
        quota = max(1, max_voxels * part.size // total)
        side = min(_SIDE, max(1, int(quota**0.5)))
        whole = part.size <= quota
        for piece in [part] if whole else random_pieces(part, (1, side, side), quota, seed + number):
            pieces.append(volume.read(piece).reshape(len(volume.channels), -1))
    return np.concatenate(pieces, axis=1)[:, :max_voxels]
