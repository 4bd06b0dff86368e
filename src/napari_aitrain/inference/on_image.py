"""A prediction of a resampled image, laid back on the voxels of the image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..geometry import Region, Triple, triple
from ..tasks.protocol import LabelArray
from ..volumes.resample import nearest_voxels
from .image import PreparedImage
from .info import PredictionInfo, VoxelSize


def output_shape(info: PredictionInfo) -> Triple:
    """Return the extent of what is written: that of the prediction, or of the image where that was resampled."""
    return info.shape if info.resampled is None else info.resampled.shape


def output_voxel_size(info: PredictionInfo) -> VoxelSize | None:
    """Return nm, z, y, x, of what is written."""
    return info.voxel_size if info.resampled is None else info.resampled.voxel_size


def read_output(info: PredictionInfo, read: Callable[[Region], npt.NDArray[Any]], region: Region) -> npt.NDArray[Any]:
    """Return what `read` gives, shape (..., z, y, x), for a region of what is written.

    Every voxel of the image has the value of the voxel of the prediction that its middle lies in.

    Parameters
    ----------
    info : PredictionInfo
        Of the prediction.
    read : callable
        Reads a region of the prediction.
    region : Region
        In voxels of what is written.
    """
    onto = info.resampled
    if onto is None:
        return read(region)
    voxels = [
        np.clip(nearest_voxels(a + first, b + first, factor, n + start) - start, 0, None)
        for a, b, first, factor, n, start in zip(
            region.start, region.stop, onto.start, onto.factors, info.shape, info.start, strict=True
        )
    ]
    low, high = triple([int(v[0]) for v in voxels]), triple([int(v[-1]) + 1 for v in voxels])
    z, y, x = (v - at for v, at in zip(voxels, low, strict=True))
    part: npt.NDArray[Any] = read(Region(low, high))[..., z[:, None, None], y[:, None], x]
    return part


def laid_back(labels: LabelArray, prepared: PreparedImage, shape: tuple[int, ...]) -> LabelArray:
    """Return labels of what a network saw on the voxels of the image, each with the value its middle lies in."""
    factors: tuple[float, ...] = prepared.resampled or prepared.magnification
    if labels.shape == shape and all(factor == 1 for factor in factors):
        return labels
    at: list[npt.NDArray[np.int64]] = [
        nearest_voxels(0, n, factor, extent) for n, factor, extent in zip(shape, factors, labels.shape, strict=True)
    ]
    return labels[np.ix_(*at)]
