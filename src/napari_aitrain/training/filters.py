"""A bank of classical filters at several scales, the features of a pixel classifier.

Smoothed intensity, gradient magnitude, and the eigenvalues of the Hessian and of the structure tensor, as in ilastik
(Berg et al. 2019). Coarse scales are computed on a Gaussian pyramid (Burt & Adelson 1983) and interpolated, which
costs a fraction of wide kernels.
"""

from __future__ import annotations

from collections.abc import Sequence

import bioimage_cpp.filters as bic
import numpy as np
import numpy.typing as npt

from ..tasks.protocol import FloatArray

LEVELS = 5
SIGMA = 1.0
MIN_EXTENT = 8
"""A level is not made coarser along an axis that would fall below this."""


def feature_maps(image: FloatArray, spacing: Sequence[float], levels: int = LEVELS) -> FloatArray:
    """Return the filter bank of one image.

    Parameters
    ----------
    image : ndarray of float32, shape (c, *space)
        Two or three spatial axes.
    spacing : sequence of float
        Relative voxel size per spatial axis; a level halves an axis only while it is not the coarser one.
    levels : int
        Scales, each twice as wide as the one before.

    Returns
    -------
    ndarray of float32, shape (features, *space)
        Per channel: the image, then the filters from fine to coarse.
    """
    maps: list[FloatArray] = []
    for channel in image:
        level: FloatArray = np.ascontiguousarray(channel, np.float32)
        steps: list[tuple[tuple[int, ...], tuple[bool, ...]]] = []
        scale = np.array(spacing, float)
        maps.append(level)
        for number in range(levels):
            found = _filters(level, scale)
            for shape, halved in reversed(steps):
                found = [_double(f, shape, halved) for f in found]
            maps.extend(found)
            able = np.array(level.shape) >= 2 * MIN_EXTENT
            if number == levels - 1:
                break
            if not able.any():
                # The coarsest that there is stands for coarser ones: every image has as many features.
                maps.extend(found * (levels - 1 - number))
                break
            halve = tuple((able & (scale < 1.5 * scale[able].min())).tolist())
            steps.append((level.shape, halve))
            smooth = bic.gaussian_smoothing(level, [1.0 if h else 0.1 for h in halve])
            level = np.ascontiguousarray(smooth[tuple(slice(None, None, 2 if h else 1) for h in halve)])
            scale = scale * [2 if h else 1 for h in halve]
    return np.stack(maps)


def _filters(level: FloatArray, scale: npt.NDArray[np.float64]) -> list[FloatArray]:
    sigma = np.maximum(SIGMA * scale.min() / scale, 0.3).tolist()
    outer = [1.5 * s for s in sigma]
    hessian = bic.hessian_of_gaussian_eigenvalues(level, sigma)
    tensor = bic.structure_tensor_eigenvalues(level, sigma, outer)
    return [
        bic.gaussian_smoothing(level, sigma),
        bic.gaussian_gradient_magnitude(level, sigma),
        *np.moveaxis(hessian, -1, 0),
        hessian.sum(-1),
        *np.moveaxis(tensor, -1, 0),
    ]


def _double(level: FloatArray, shape: tuple[int, ...], doubled: tuple[bool, ...]) -> FloatArray:
    """Interpolate linearly to `shape`, where voxel i of a doubled axis was voxel 2 i."""
    for axis, (size, double) in enumerate(zip(shape, doubled, strict=True)):
        if not double:
            continue
        level = np.moveaxis(level, axis, 0)
        fine = np.empty((size, *level.shape[1:]), np.float32)
        fine[::2] = level
        after = level[1:] if size % 2 else np.concatenate([level[1:], level[-1:]])
        np.add(level[: len(after)], after, out=fine[1::2])
        fine[1::2] *= 0.5
        level = np.moveaxis(fine, 0, axis)
    return level
