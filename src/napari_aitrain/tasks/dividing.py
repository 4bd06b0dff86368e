"""Divide foreground into objects, by rules that are lengths."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from .basins import basins_of_peaks, flood
from .matching import IntArray
from .objects import WINDOW, Reach, join_basins, relabel_large
from .protocol import BoolArray, FloatArray, LabelArray
from .voxel_list import VoxelList

_FLAT = 1e-5
"""What the smoothed height weighs in the height; less than a step of maps that are stored as bytes."""
_LINE = 4
"""How many voxels the lines between objects may be from where they are in the smoothed height."""


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

    @property
    def reach(self) -> int:
        """How many slices away smoothing still counts; a little more than what it computes with."""
        return math.ceil(WINDOW * self.smoothing / self.spacing[0]) + 1


def divide(voxels: VoxelList, height: FloatArray, smoothed: FloatArray, how: Division) -> LabelArray:
    """Return the object of each voxel of a foreground, ``1 … n``, 0 for what is too small, 2-D or 3-D.

    Parameters
    ----------
    voxels : VoxelList
        What belongs to objects.
    height : ndarray of float32
        Of each voxel: high in the middle of objects, low between them; not negative.
    smoothed : ndarray of float32
        The same, from a height that was smoothed.
    how : Division
        The rules.
    """
    if not len(voxels):
        return np.zeros(0, np.int32)
    basins, top = basins_of_peaks(voxels, smoothed)
    peaks = np.zeros(int(basins.max()) + 1, np.float32)
    peaks[basins[top]] = smoothed[top]
    near, reach = np.zeros((0, 2), np.int64), None
    if how.seed_distance > 0 or math.isfinite(how.max_distance):
        places = middles(voxels.only(top), basins[top], how.spacing)
        near = near_pairs(places, how.seed_distance)
        reach = Reach(places, how.max_distance)
    contacts = voxels.contacts(basins, smoothed)
    objects = join_basins(peaks, contacts, how.split, near, reach)
    apart = objects.take(contacts.first) != objects.take(contacts.second)
    lines = np.concatenate([contacts.one[apart], contacts.beside[apart]])
    ids = objects.take(basins)
    _redraw(voxels, ids, top, lines, height + _FLAT * smoothed)
    return relabel_large(ids, how.minimum_size)


def _redraw(voxels: VoxelList, ids: LabelArray, top: BoolArray, lines: IntArray, height: FloatArray) -> None:
    """Draw the lines between objects anew, along the valleys of `height`; `ids` are changed in place.

    Smoothing steadies the choice of objects, but moves the lines between them, by no more than some voxels.
    """
    band, ring = voxels.near(lines, _LINE)
    around = band | ring
    seeds = np.where(top | ring, ids, 0)[around]
    ids[around] = flood(voxels.only(around), height[around], seeds)


def middles(seeds: VoxelList, ids: LabelArray, spacing: tuple[float, ...]) -> FloatArray:
    """Return the middle of each seed in the unit of `spacing`, shape (n + 1, axes); row 0 means nothing."""
    at = np.unravel_index(seeds.at, seeds.shape)
    count = int(ids.max(initial=0)) + 1
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
