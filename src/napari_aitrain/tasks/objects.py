"""From maps to labelled objects: seeds, watershed, small objects and holes."""

from __future__ import annotations

from collections.abc import Sequence

import bioimage_cpp
import cc3d
import numpy as np
from scipy import ndimage

from .protocol import BoolArray, FloatArray, LabelArray


def seeds_of(
    distance: FloatArray, foreground: BoolArray, spacing: Sequence[float], smoothing: float, level: float
) -> tuple[LabelArray, FloatArray]:
    """Return seeds, one id each, and the smoothed distance they were found in.

    Parameters
    ----------
    distance : ndarray of float32, 2-D or 3-D
        Large in the middle of objects.
    foreground : ndarray of bool
        Where objects are.
    spacing : sequence of float
        Relative spacing per axis.
    smoothing : float
        Standard deviation of a Gaussian, in voxels of the finest axis.
    level : float
        A seed is a connected piece where the smoothed distance is above this.

    Notes
    -----
    A connected piece of foreground in which nothing is above `level` becomes a seed as a whole: better one object
    than none, above all while a network is young.
    """
    if smoothing > 0:
        sigma = [smoothing / s for s in spacing]
        distance = ndimage.gaussian_filter(distance, sigma, truncate=2.5)
    faces = 4 if distance.ndim == 2 else 6
    seeds = cc3d.connected_components(foreground & (distance > level), connectivity=faces).astype(np.int32)
    pieces, count = cc3d.connected_components(foreground, connectivity=faces, return_N=True)
    seeded = np.zeros(count + 1, bool)
    seeded[pieces[seeds > 0]] = True
    seeded[0] = True
    ids = np.zeros(count + 1, np.int32)
    ids[~seeded] = int(seeds.max()) + 1 + np.arange(np.count_nonzero(~seeded), dtype=np.int32)
    return np.where(seeds > 0, seeds, ids[pieces]), distance


def grow(seeds: LabelArray, height: FloatArray, foreground: BoolArray) -> LabelArray:
    """Grow seeds downhill through the foreground by a watershed."""
    if not seeds.any():
        return seeds
    grown: LabelArray = bioimage_cpp.segmentation.watershed(
        np.ascontiguousarray(-height, np.float32), np.ascontiguousarray(seeds), mask=np.ascontiguousarray(foreground)
    )
    return grown


def relabel_large(labels: LabelArray, minimum_size: int) -> LabelArray:
    """Return the objects of at least `minimum_size` voxels as ids ``1 … n``, in their old order."""
    sizes = np.bincount(labels.ravel())
    keep = sizes >= max(1, minimum_size)
    keep[0] = False
    table = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return table[labels]


def fill_holes(labels: LabelArray) -> LabelArray:
    """Give background that one single object encloses to that object.

    A gap that several objects enclose stays open, and so does one that reaches the edge of the array.
    """
    faces = 4 if labels.ndim == 2 else 6
    gaps, count = cc3d.connected_components(labels == 0, connectivity=faces, return_N=True)
    if count <= 1:
        return labels
    first = np.full(count + 1, np.iinfo(np.int32).max, np.int32)
    last = np.zeros(count + 1, np.int32)
    for axis in range(labels.ndim):
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(labels.ndim))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(labels.ndim))
        for here, there in ((low, high), (high, low)):
            touching = (gaps[here] > 0) & (labels[there] > 0)
            gap, neighbour = gaps[here][touching], labels[there][touching]
            np.minimum.at(first, gap, neighbour)
            np.maximum.at(last, gap, neighbour)
        for edge in (0, -1):
            last[np.unique(gaps.take(edge, axis=axis))] = np.iinfo(np.int32).max
    owner = np.where((first == last), first, 0).astype(np.int32)
    owner[0] = 0
    return np.where(labels > 0, labels, owner[gaps])
