"""Objects of an image without a model: a threshold, and a watershed from the middles of what is above it.

The numbers are those of C3LLS: a minimum size, and a sigma of which a larger one merges more distant parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import bioimage_cpp
import edt
import numpy as np
from skimage.filters import threshold_otsu
from skimage.segmentation import expand_labels

from ..tasks.dividing import Division, divide
from ..tasks.holes import fill_holes
from ..tasks.maps import connected_pieces, outline_spacing, split_by_slice
from ..tasks.objects import smooth
from ..tasks.protocol import BoolArray, FloatArray, LabelArray, VoxelSize
from ..tasks.voxel_list import Frame, VoxelList
from .settings import AutosegmentSettings

NOISE = 1.0
"""Smoothing before a threshold, in voxels of the finest axis."""
AROUND = 6.0
"""How many sigmas the surroundings reach that crowded nuclei are compared with."""
WALL = 1.5
"""Smoothing before membranes are found as ridges, in voxels of the finest axis."""
INTO_WALL = 2.0
"""How far cells reach into membranes, which the smoothing has widened, in voxels of the finest axis."""
LONG = 2.0
"""Ridges are looked for slice by slice where voxels are longer than this many times the finest."""
CONTRAST = {"single-cells": 3.5, "nuclei-in-organoids": 3.2, "organoids": 3.5, "membranes": 6.0}
"""By how many standard deviations objects and background differ at least; noise alone gives 2.6 to 3.0, ridges of noise
3.2 to 4.3."""
DIM = 5.0
"""The same for objects that are dimmer than others, which are looked for in what the first threshold leaves."""
SPLIT = {"single-cells": 0.95, "nuclei-in-organoids": 0.95, "organoids": 0.75, "membranes": 0.9}
"""Parts are one object where the saddle between them is at least this share of the lower peak."""
_SAMPLE = 2**22


@dataclass(frozen=True)
class Found:
    """What was found.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        Ids ``1 … n``; with 2 dims unique over slices.
    contrast : float
        By how many standard deviations what is above the threshold and what is below differ, those of the evener side.
    clear : bool
        Whether that is enough to look for objects.
    diameter : float, optional
        Of the objects, as a starter model was told or found it, in voxels of the finest axis.
    """

    labels: LabelArray
    contrast: float
    clear: bool
    diameter: float | None = None

    @property
    def count(self) -> int:
        """How many objects there are."""
        return int(self.labels.max(initial=0))


@dataclass(frozen=True)
class Foreground:
    """What stands out.

    Parameters
    ----------
    shown : ndarray of bool, shape (z, y, x)
        What is above the threshold.
    contrast : float
        By how many standard deviations it differs from the rest.
    """

    shown: BoolArray
    contrast: float


def find_objects(
    image: FloatArray,
    settings: AutosegmentSettings,
    voxel_size: VoxelSize | None = None,
    dims: int = 3,
    foreground: Foreground | None = None,
) -> Found:
    """Find objects that stand out from the background.

    Parameters
    ----------
    image : ndarray, shape (z, y, x)
        Intensities; what is not finite counts as background.
    settings : AutosegmentSettings
        The two numbers.
    voxel_size : tuple of float, optional
        nm, z, y, x; only ratios count.
    dims : {2, 3}
        With 2 every slice is divided on its own; the threshold is that of all slices.
    foreground : Foreground, optional
        Of this image, where it is known already.

    Notes
    -----
    The threshold is Otsu's (1979), on the image smoothed by a voxel; of organoids smoothed by sigma; of nuclei in
    organoids after the surroundings were taken off. A second one, of what is below the first, finds dim objects.
    Seeds are maxima of the distance to the background (of nuclei in organoids: of the brightness) smoothed by sigma.
    Between membranes everything is a cell that is no ridge: the threshold is that of the largest curvature, which a dim
    membrane has as well, and a gap is bridged as touching objects are divided.
    Where too little stands out, nothing is found.
    """
    spacing = outline_spacing(voxel_size, dims)
    bright = as_bright(image, settings.dark)
    labels = np.zeros(bright.shape, np.int32)
    out = find_foreground(bright, settings, spacing, dims) if foreground is None else foreground
    if out.contrast < CONTRAST[settings.preset]:
        return Found(labels, out.contrast, clear=False)
    count = 0
    for index, part in split_by_slice(out.shown.astype(np.int32), dims):
        own = spacing[-part.ndim :]
        found = _divide(part > 0, bright[index], settings, own)
        labels[index] = np.where(found > 0, found + count, 0)
        count += int(found.max(initial=0))
    return Found(labels, out.contrast, clear=True)


def as_bright(image: FloatArray, dark: bool) -> FloatArray:
    """Return intensities as float32 in which objects are bright, and everything is finite."""
    bright = np.asarray(image, np.float32)
    finite = np.isfinite(bright)
    if not finite.all():
        bright = np.where(finite, bright, bright[finite].min() if finite.any() else 0).astype(np.float32)
    return -bright if dark else bright


def find_foreground(bright: FloatArray, settings: AutosegmentSettings, spacing: VoxelSize, dims: int) -> Foreground:
    """Return what stands out from the background of an image in which objects are bright."""
    smoothed = np.empty_like(bright)
    for index, part in split_by_slice(bright, dims):  # type: ignore[arg-type]
        looked_at = _ridges if settings.preset == "membranes" else partial(_evened, settings=settings)
        smoothed[index] = looked_at(part, spacing=spacing[-part.ndim :])  # type: ignore[arg-type]
    step = max(1, round((smoothed.size / _SAMPLE) ** (1 / 3)))
    sample = smoothed[::step, ::step, ::step].ravel()
    threshold, contrast = _threshold(sample)
    if settings.preset == "membranes":
        return Foreground(smoothed <= threshold, contrast)
    shown = smoothed > threshold
    if contrast < CONTRAST[settings.preset]:
        return Foreground(shown, contrast)
    lower, dim_contrast = _threshold(sample[sample <= threshold])
    if dim_contrast >= DIM:
        for index, part in split_by_slice((smoothed > lower).astype(np.int32), dims):
            pieces = connected_pieces(part, corners=True)
            dim = np.ones(int(pieces.max()) + 1, bool)
            # What touches a bright object is its blur.
            dim[pieces[shown[index]]] = dim[0] = False
            shown[index] |= dim[pieces]
    return Foreground(shown, contrast)


def _threshold(sample: FloatArray) -> tuple[float, float]:
    """Return Otsu's threshold, and by how many standard deviations the two sides differ, those of the evener one."""
    if not sample.size or sample.min() == sample.max():
        return float(sample.max(initial=0)), 0.0
    threshold = float(threshold_otsu(sample))  # type: ignore[no-untyped-call]
    above = sample > threshold
    # Of cells between bright membranes the objects are the even side.
    spread = float(min(sample[~above].std(), sample[above].std()))
    apart = float(sample[above].mean() - sample[~above].mean())
    return threshold, apart / spread if spread > 0 else np.inf


def _evened(part: FloatArray, settings: AutosegmentSettings, spacing: tuple[float, ...]) -> FloatArray:
    if settings.preset == "organoids":
        return smooth(part, spacing, max(NOISE, settings.sigma))
    even = smooth(part, spacing, NOISE)
    if settings.preset == "nuclei-in-organoids":
        even = even - smooth(part, spacing, AROUND * max(NOISE, settings.sigma))
    return even


def _ridges(part: FloatArray, spacing: tuple[float, ...]) -> FloatArray:
    """Return how strongly the intensity bends down across a line or a sheet; 0 where it does not."""
    if part.ndim == 3 and max(spacing) > LONG:
        return np.stack([_ridges(plane, spacing[1:]) for plane in part])
    least = min(part.shape)
    if least < 3:
        return _ridges(part[0], spacing[1:])[None] if part.ndim == 3 and part.shape[0] == 1 else np.zeros_like(part)
    bends = bioimage_cpp.filters.hessian_of_gaussian_eigenvalues(np.ascontiguousarray(part), WALL)
    ridges: FloatArray = np.maximum(0, -bends[..., -1]).astype(np.float32)
    return ridges


def _divide(
    shown: BoolArray, bright: FloatArray, settings: AutosegmentSettings, spacing: tuple[float, ...]
) -> LabelArray:
    pieces = connected_pieces(shown, corners=settings.preset != "membranes")
    # Through gaps cells may surround others.
    pieces = pieces if settings.preset == "membranes" else fill_holes(pieces)
    if not pieces.any():
        return pieces
    if settings.preset == "nuclei-in-organoids":
        height = _evened(bright, settings, spacing)
        height -= height[pieces > 0].min()
    else:
        height = edt.edt((pieces > 0).astype(np.uint8), anisotropy=spacing, black_border=False)
        height = np.where(np.isfinite(height), height, 1).astype(np.float32)
    smoothed = smooth(height, spacing, settings.sigma)
    how = Division(
        spacing=spacing, foreground=0.5, split=SPLIT[settings.preset], smoothing=settings.sigma,
        minimum_size=settings.minimum_size,
    )  # fmt: skip
    with Frame.lent(pieces.shape) as frame:
        voxels = VoxelList.of(pieces > 0, frame)
        ids = divide(voxels, height.ravel()[voxels.at], smoothed.ravel()[voxels.at], how)
        found = voxels.array(ids)
    if settings.preset != "membranes":
        return found
    grown: LabelArray = expand_labels(found, INTO_WALL, spacing=spacing)  # type: ignore[no-untyped-call]
    return grown
