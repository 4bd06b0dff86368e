"""The two numbers as the image itself suggests them."""

from __future__ import annotations

import math
from itertools import pairwise

import edt
import numpy as np

from ..tasks.maps import connected_pieces, outline_spacing, split_by_slice
from ..tasks.objects import smooth
from ..tasks.protocol import BoolArray, FloatArray, VoxelSize
from .finding import Foreground, Found, as_bright, find_foreground, find_objects
from .settings import MOST_SIGMA, AutosegmentSettings, Classical

SIGMA = {"single-cells": 0.35, "nuclei-in-organoids": 0.4, "organoids": 0.2, "membranes": 0.3}
"""As a share of the radius of a typical object."""
SMALL = 0.15
"""The minimum size, as a share of that of a disc or ball of this radius."""
NOTHING = 5.0
"""The radius where nothing stands out, in voxels of the finest axis."""
_LOOKED_AT = 2**21
"""Voxels that are looked at, in the middle of the image."""
_CLEAR = 5.0
_SPECK = 2.0
"""Radius, in voxels of the finest axis, of what lies between two ridges of one membrane."""
_PER_OCTAVE, _FEWEST = 3, 12
_STEP = 2 ** (1 / _PER_OCTAVE)


def suggest(
    image: FloatArray,
    preset: Classical = "single-cells",
    voxel_size: VoxelSize | None = None,
    dims: int = 3,
    dark: bool = False,
) -> AutosegmentSettings:
    """Return settings that suit the size of the objects in an image.

    Parameters
    ----------
    image : ndarray, shape (z, y, x)
        Intensities, or a part of them.
    preset : str
        What is in the image.
    voxel_size : tuple of float, optional
        nm, z, y, x; only ratios count.
    dims : {2, 3}
        With 2 the sizes are those of slices.
    dark : bool
        Whether objects are darker than their background.

    Notes
    -----
    Of cells and organoids the radius is that of the largest disc or ball within a connected part of the foreground, the
    median over voxels; between membranes, where the largest part is often the outside, the median over parts. Of
    crowded nuclei it follows from the finest scale at which differences of Gaussians are strong
    (scale selection; Lindeberg 1998).
    """
    return _look(image, preset, voxel_size, dims, dark)[0]


def suggest_and_find(
    image: FloatArray,
    preset: Classical = "single-cells",
    voxel_size: VoxelSize | None = None,
    dims: int = 3,
    dark: bool = False,
    **given: int | float,
) -> tuple[AutosegmentSettings, Found]:
    """Return settings that suit an image, but for those that are given, and what is found with them; see `suggest`."""
    own, foreground = _look(image, preset, voxel_size, dims, dark)
    settings = AutosegmentSettings.model_validate(own.model_dump() | given)
    return settings, find_objects(image, settings, voxel_size, dims, foreground)


def _look(
    image: FloatArray, preset: Classical, voxel_size: VoxelSize | None, dims: int, dark: bool
) -> tuple[AutosegmentSettings, Foreground | None]:
    """Return settings, and the foreground of the image if all of it was looked at and no number changes it."""
    spacing = outline_spacing(voxel_size, dims)
    part, foreground = middle(as_bright(image, dark), dims), None
    first = AutosegmentSettings(preset=preset, sigma=max(2.0, min(part.shape[1:]) / 100))
    if preset == "nuclei-in-organoids":
        radius = _radius_of_blobs(part, spacing, dims)
    else:
        foreground = find_foreground(part, first, spacing, dims)
        radius = _radius_of_pieces(foreground.shown, spacing, dims, each=preset == "membranes")
    whole = math.pi * radius**2 if dims == 2 else 4 / 3 * math.pi * radius**3
    voxel = math.prod(spacing[3 - dims :])
    own = first.model_copy(
        update={
            "sigma": min(MOST_SIGMA, round(SIGMA[preset] * radius, 1)),
            "minimum_size": max(4, round(SMALL * whole / voxel)),
            "dark": dark,
        }
    )
    return own, foreground if preset in ("single-cells", "membranes") and part.shape == image.shape else None


def middle(image: FloatArray, dims: int, voxels: int = _LOOKED_AT) -> FloatArray:
    """Return the middle of an image, whole where it has no more than so many voxels."""
    flat = dims == 2 or image.shape[0] == 1
    most = math.isqrt(voxels) if flat else round(voxels ** (1 / 3))
    y, x = (min(n, most) for n in image.shape[1:])
    z = min(image.shape[0], max(1, voxels // (y * x)))
    index = tuple(slice((n - k) // 2, (n - k) // 2 + k) for n, k in zip(image.shape, (z, y, x), strict=True))
    return np.ascontiguousarray(image[index])


def _radius_of_pieces(shown: BoolArray, spacing: VoxelSize, dims: int, each: bool = False) -> float:
    """Return the median radius of pieces, over voxels, or over all pieces that are more than specks."""
    radii, sizes = [np.zeros(0, np.float32)], [np.zeros(0, np.int64)]
    for _, part in split_by_slice(shown.astype(np.int32), dims):
        pieces = connected_pieces(part, corners=True)
        if not pieces.any():
            continue
        far = edt.edt((part > 0).astype(np.uint8), anisotropy=spacing[-part.ndim :], black_border=True)
        most = np.zeros(int(pieces.max()) + 1, np.float32)
        np.maximum.at(most, pieces.ravel(), far.ravel())
        radii.append(most[1:])
        sizes.append(np.bincount(pieces.ravel())[1:])
    radius, size = np.concatenate(radii), np.concatenate(sizes)
    if not len(radius):
        return NOTHING
    if each:
        cells = radius[radius >= _SPECK]
        return float(np.median(cells)) if len(cells) else NOTHING
    order = np.argsort(radius)
    half = np.searchsorted(np.cumsum(size[order]), size.sum() / 2)
    return max(1.0, float(radius[order[half]]))


def _radius_of_blobs(image: FloatArray, spacing: VoxelSize, dims: int) -> float:
    """Return the radius of blobs; coarser scales are looked at on every second voxel, every fourth, and so on."""
    unit = 1.0
    scales: list[float] = []
    energies: list[float] = []
    image = _all_smoothed(image, spacing, 1.0, dims)
    while min(image.shape[3 - dims :]) >= _FEWEST:
        further = [math.sqrt(_STEP ** (2 * k) - 1) for k in range(_PER_OCTAVE + 1)]
        blurred = [_all_smoothed(image, spacing, sigma, dims) for sigma in further]
        for k, (fine, coarse) in enumerate(pairwise(blurred)):
            scales.append(unit * _STEP ** (k + 0.5))
            energies.append(float((fine - coarse).var()))
        image, spacing = _halved(blurred[-1], spacing, dims)
        unit *= 2
    if not scales:
        return NOTHING
    # Noise is strongest at the finest scale, and its share of the others is known.
    noise = energies[0] * (np.array(scales) / scales[0]) ** -dims
    signal = energies - noise
    rising = np.diff(signal, prepend=-np.inf, append=-np.inf) > 0
    # The finest that stands out: organoids may be brighter than the nuclei in them.
    peaks = np.flatnonzero(rising[:-1] & ~rising[1:] & (signal > _CLEAR * noise))
    return max(1.0, math.sqrt(dims) * scales[peaks[0] if len(peaks) else int(np.argmax(signal))])


def _halved(image: FloatArray, spacing: VoxelSize, dims: int) -> tuple[FloatArray, VoxelSize]:
    """Return every second voxel along the finer axes, and the spacing in units that are twice as long."""
    finer = [axis >= 3 - dims and s < 1.5 for axis, s in enumerate(spacing)]
    step = tuple(slice(None, None, 2 if fine else 1) for fine in finer)
    z, y, x = (s if fine else s / 2 for fine, s in zip(finer, spacing, strict=True))
    return image[step], (z, y, x)


def _all_smoothed(image: FloatArray, spacing: VoxelSize, sigma: float, dims: int) -> FloatArray:
    if dims == 3 and image.shape[0] > 1:
        return smooth(image, spacing, sigma)
    return np.stack([smooth(plane, spacing[1:], sigma) for plane in image])
