"""Training crops in the size that the network sees, resampled once and kept beside the frozen ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ..geometry import Region, Triple, triple
from ..nets.scaled import Factors, rescale
from ..volumes.atomic import atomic_write_array
from .cropset import Crop, crop_file

SEEN = "seen-"
"""Begins the names of the arrays."""


def rescaled_shape(shape: Triple, scales: Factors) -> Triple:
    """Return a z, y, x extent in voxels of the network."""
    return triple([max(1, round(n * scale)) for n, scale in zip(shape, scales, strict=True)])


def rescaled(crop: Crop, scales: Factors, folder: Path) -> Crop:
    """Return a crop as the network sees it; the image is interpolated, labels are those of the nearest voxel.

    Parameters
    ----------
    crop : Crop
        As it was frozen.
    scales : tuple of float
        Voxels of the network per voxel of the crop, z, y, x.
    folder : Path
        Where the arrays are kept.
    """
    if scales == (1.0, 1.0, 1.0):
        return crop
    shape = rescaled_shape(crop.shape, scales)
    files = [crop_file(folder, crop.number, SEEN + kind) for kind in ("image", "labels")]
    if not all(file.exists() for file in files):
        atomic_write_array(files[0], _image(crop.image, shape))
        atomic_write_array(files[1], _labels(crop.labels, shape))
    whole = Region.from_shape(shape)
    size = crop.voxel_size
    if size is not None:
        z, y, x = (length * n / m for length, n, m in zip(size, crop.shape, shape, strict=True))
        size = (z, y, x)
    # Not a copy: that would keep the arrays that the other has open.
    seen = Crop.model_validate(crop.model_dump() | {"start": whole.start, "stop": whole.stop, "voxel_size": size})
    seen._folder, seen._prefix = folder, SEEN
    return seen


def _image(image: npt.NDArray[np.generic], shape: Triple) -> npt.NDArray[np.generic]:
    channels = []
    for channel in image:
        values = torch.from_numpy(np.array(channel, np.float32))[None, None]
        smooth = rescale(values, shape)[0, 0].numpy()
        channels.append(np.rint(smooth) if image.dtype.kind in "iub" else smooth)
    return np.stack(channels).astype(image.dtype)


def _labels(labels: npt.NDArray[np.int32], shape: Triple) -> npt.NDArray[np.int32]:
    z, y, x = (((np.arange(m) + 0.5) * n / m).astype(int) for n, m in zip(labels.shape, shape, strict=True))
    return np.asarray(labels)[np.ix_(z, y, x)]
