"""Divide foreground into objects, by rules that are lengths."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from .matching import IntArray
from .objects import Reach, fill_holes, grow, maxima_of, merge_basins, relabel_large, smooth
from .protocol import FloatArray, LabelArray


@dataclass(frozen=True)
class Division:
    """How foreground is divided.

    Parameters
    ----------
    spacing : tuple of float
        Of the axes of what is divided, y and x, or z, y and x; lengths below are in its unit.
    foreground : float
        Voxels whose foreground is more probable than this belong to objects.
    split : float
        Basins are one object where the saddle between them is at least this share of the lower peak.
    smoothing : float
        Of the height.
    minimum_size : int
        Objects of fewer voxels are left out.
    seed_distance : float
        Seeds that are nearer to each other are of one object.
    max_distance : float
        Seeds that are farther apart are never of one object; this goes before all else.
    voxel : float
        What a voxel counts in the size that a score is made from.
    """

    spacing: tuple[float, ...]
    foreground: float
    split: float
    smoothing: float
    minimum_size: int
    seed_distance: float = 0.0
    max_distance: float = math.inf
    voxel: float = 1.0


def divide(foreground: FloatArray, height: FloatArray, how: Division) -> LabelArray:
    """Return the objects in a probability of foreground, ``1 … n``, 2-D or 3-D.

    Parameters
    ----------
    foreground : ndarray of float32
        Probability of every voxel to belong to an object.
    height : ndarray of float32
        High in the middle of objects, low between them; not negative.
    how : Division
        The rules.
    """
    inside = foreground > how.foreground
    smoothed = smooth(height, how.spacing, how.smoothing)
    seeds = maxima_of(smoothed, inside)
    near, reach = np.zeros((0, 2), np.int64), None
    if how.seed_distance > 0 or math.isfinite(how.max_distance):
        places = middles(seeds, how.spacing)
        near = near_pairs(places, how.seed_distance)
        reach = Reach(places, how.max_distance)
    joined = merge_basins(grow(seeds, smoothed, inside), smoothed, how.split, near, reach)
    # Smoothing steadies the choice of objects but would move the lines between them.
    labels = grow(np.where(seeds > 0, joined, 0), height, inside)
    return fill_holes(relabel_large(labels, how.minimum_size))


def middles(seeds: LabelArray, spacing: tuple[float, ...]) -> FloatArray:
    """Return the middle of each seed in the unit of `spacing`, shape (n + 1, axes); row 0 means nothing."""
    at = np.nonzero(seeds)
    ids = seeds[at]
    count = int(seeds.max(initial=0)) + 1
    size = np.maximum(np.bincount(ids, minlength=count), 1)
    columns = [np.bincount(ids, axis * step, count) / size for axis, step in zip(at, spacing, strict=True)]
    return np.stack(columns, axis=1).astype(np.float32)


def near_pairs(places: FloatArray, distance: float) -> IntArray:
    """Return pairs of rows of `places`, but the first, that are nearer to each other than `distance`, nearest first."""
    if distance <= 0 or len(places) < 3:
        return np.zeros((0, 2), np.int64)
    pairs = np.asarray(KDTree(places[1:]).query_pairs(distance, output_type="ndarray"), np.int64).reshape(-1, 2) + 1
    apart = np.linalg.norm(places[pairs[:, 0]] - places[pairs[:, 1]], axis=1)
    order = np.lexsort((pairs[:, 1], pairs[:, 0], apart))
    nearest: IntArray = pairs[order][apart[order] < distance]
    return nearest
