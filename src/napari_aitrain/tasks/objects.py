"""From maps to labelled objects: basins, merging, small objects and holes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain

import bioimage_cpp
import numpy as np
from scipy import ndimage
from scipy.spatial.distance import cdist

from .maps import connected_pieces, neighbours
from .matching import IntArray
from .protocol import BoolArray, FloatArray, LabelArray


def smooth(height: FloatArray, spacing: Sequence[float], smoothing: float) -> FloatArray:
    """Return `height` under a Gaussian of `smoothing` voxels of the finest axis; `spacing` is relative, per axis."""
    if smoothing <= 0:
        return height
    smoothed: FloatArray = ndimage.gaussian_filter(height, [smoothing / s for s in spacing], truncate=2.5)
    return smoothed


def maxima_of(height: FloatArray, foreground: BoolArray) -> LabelArray:
    """Return the local maxima of `height` within the foreground as seeds, 2-D or 3-D.

    Every connected piece of the foreground has at least one.
    """
    inside = np.where(foreground, height, -np.inf)
    highest = foreground.copy()
    for low, high in neighbours(height.ndim):
        highest[low] &= inside[low] >= inside[high]
        highest[high] &= inside[high] >= inside[low]
    return connected_pieces(highest)


class Reach:
    """How far objects reach that are joined of basins: no two seeds of one are farther apart than a limit.

    Parameters
    ----------
    places : ndarray of float32, shape (n + 1, axes)
        Where the seed of each basin lies.
    most : float
        The limit, in the unit of `places`.
    """

    def __init__(self, places: FloatArray, most: float) -> None:
        self.most = most
        self._places = [places[i : i + 1] for i in range(len(places))]

    def join(self, one: int, other: int) -> bool:
        """Join the object called `other` to `one`, or return False because it would reach too far."""
        a, b = self._places[one], self._places[other]
        if math.isfinite(self.most):
            low, high = np.minimum(a.min(0), b.min(0)), np.maximum(a.max(0), b.max(0))
            # Where the box around all seeds is small enough, no pair needs to be looked at.
            if np.linalg.norm(high - low) > self.most and cdist(a, b).max() > self.most:
                return False
        self._places[one] = np.concatenate([a, b])
        return True


def merge_basins(
    basins: LabelArray,
    height: FloatArray,
    ratio: float,
    near: IntArray | None = None,
    reach: Reach | None = None,
) -> LabelArray:
    """Join basins that no clear saddle divides.

    Parameters
    ----------
    basins : ndarray of int32
        As grown from `maxima_of`.
    height : ndarray of float32
        Not negative.
    ratio : float
        Two basins are one object where the saddle between them is at least this share of the lower of their peaks.
    near : ndarray of int, shape (m, 2), optional
        Basins that are one object whatever lies between them, the nearest first.
    reach : Reach, optional
        Forbids joins that would make an object too large.

    Returns
    -------
    ndarray of int32
        Ids are those of the highest basin of each object.

    Notes
    -----
    A share, unlike a fixed height, does not depend on how large the network has learned to make its peaks, so it
    serves from the first minute on. Saddles are visited from the highest down, as in a merge tree (dynamics,
    Grimaud 1992), with a union-find.
    """
    peaks = np.zeros(int(basins.max(initial=0)) + 1, np.float32)
    np.maximum.at(peaks, basins.ravel(), height.ravel())
    first, second, saddle = _saddles(basins, height)
    # Peaks only rise while basins join, so a pair that fails now always will.
    possible = saddle >= ratio * np.minimum(peaks[first], peaks[second])
    order = np.flatnonzero(possible)[np.argsort(-saddle[possible], kind="stable")]
    parent = np.arange(len(peaks))
    top = peaks.tolist()

    def root(basin: int) -> int:
        while parent[basin] != basin:
            parent[basin] = parent[parent[basin]]
            basin = int(parent[basin])
        return basin

    saddles = zip(first[order].tolist(), second[order].tolist(), saddle[order].tolist(), strict=True)
    sure = [] if near is None else [(a, b, math.inf) for a, b in near.tolist()]
    for a, b, level in chain(sure, saddles):
        higher, lower = root(a), root(b)
        if top[higher] < top[lower]:
            higher, lower = lower, higher
        if higher == lower or level < ratio * top[lower]:
            continue
        if reach is None or reach.join(higher, lower):
            parent[lower] = higher
    while not np.array_equal(parent, parent[parent]):
        parent = parent[parent]
    return parent.astype(np.int32)[basins]


def _saddles(basins: LabelArray, height: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the pairs of basins that touch and the height of the highest place where they do."""
    width = int(basins.max(initial=0)) + 1
    pairs, levels = [], []
    for low, high in neighbours(basins.ndim):
        a, b = basins[low], basins[high]
        touching = (a != b) & (a > 0) & (b > 0)
        one, other = a[touching].astype(np.int64), b[touching].astype(np.int64)
        pairs.append(np.minimum(one, other) * width + np.maximum(one, other))
        levels.append(np.minimum(height[low][touching], height[high][touching]))
    ids, position = np.unique(np.concatenate(pairs), return_inverse=True)
    saddle = np.zeros(len(ids), np.float32)
    np.maximum.at(saddle, position, np.concatenate(levels))
    return ids // width, ids % width, saddle


def grow(seeds: LabelArray, height: FloatArray, foreground: BoolArray) -> LabelArray:
    """Grow seeds downhill through the foreground by a watershed, until they fill each piece that has one."""
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
    gaps = connected_pieces(labels == 0)
    count = int(gaps.max(initial=0))
    inside = np.ones(count + 1, bool)
    inside[0] = False
    for axis in range(labels.ndim):
        inside[np.unique(gaps.take([0, -1], axis=axis))] = False
    # Nearly all of the background reaches the edge, so few voxels are left to look at; all of them have neighbours.
    places = np.flatnonzero(inside[gaps])
    if not len(places):
        return labels
    flat, gap = labels.ravel(), gaps.ravel()[places]
    nobody = np.int32(np.iinfo(np.int32).max)
    first = np.full(count + 1, nobody, np.int32)
    last = np.zeros(count + 1, np.int32)
    for axis in range(labels.ndim):
        step = math.prod(labels.shape[axis + 1 :])
        for beside in (flat[places - step], flat[places + step]):
            touching = beside > 0
            np.minimum.at(first, gap[touching], beside[touching])
            np.maximum.at(last, gap[touching], beside[touching])
    owner = np.where(first == last, first, 0).astype(np.int32)
    filled = labels.copy(order="C")
    filled.ravel()[places] = owner[gap]
    return filled
