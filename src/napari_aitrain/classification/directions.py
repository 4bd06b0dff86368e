"""Directions in which surfaces are crossed and extents are taken, with their weights."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..geometry import Triple, triple

Spacing = tuple[float, float, float]
Float64Array = npt.NDArray[np.float64]

EXTENTS = {2: 16, 3: 25}
"""In how many directions objects are measured, by dims."""
_SAMPLES = 20_000


def relative(spacing: Spacing) -> Spacing:
    """Return lengths of a voxel in those of the finest axis of the plane."""
    finest = min(spacing[1:])
    z, y, x = (s / finest for s in spacing)
    return z, y, x


@functools.cache
def steps(dims: int) -> tuple[Triple, ...]:
    """Return the steps to a neighbour, each with its opposite left out: 4 of a pixel, 13 of a voxel."""
    found = [triple(step) for step in itertools.product((-1, 0, 1), repeat=3) if step > (0, 0, 0)]
    return tuple(step for step in found if dims == 3 or step[0] == 0)


@functools.cache
def crossing_weights(spacing: Spacing, dims: int) -> Float64Array:
    """Return how much surface, or of pixels perimeter, one crossing along each of `steps` stands for.

    Crofton's formula: of lines in all directions through a body, the number of crossings is in proportion to its
    surface. Each direction stands for those that are nearest to it (Lehmann and Legland 2012).

    Parameters
    ----------
    spacing : tuple of float
        Length of a voxel, z, y, x.
    dims : {2, 3}
        Whether bodies are areas in the plane or volumes.
    """
    vectors = np.asarray(steps(dims), np.float64) * spacing
    lengths = np.linalg.norm(vectors, axis=1)
    nearest = np.abs(_everywhere(dims) @ (vectors / lengths[:, None]).T).argmax(axis=1)
    share = np.bincount(nearest, minlength=len(vectors)) / len(nearest)
    cell = math.prod(spacing[3 - dims :])
    weights: Float64Array = (math.pi / 2 if dims == 2 else 2.0) * share * cell / lengths
    return weights


@functools.cache
def extent_directions(dims: int) -> Float64Array:
    """Return unit vectors, shape (n, 3), evenly over half of all directions."""
    if dims == 2:
        return _circle(EXTENTS[2])
    return _half_sphere(EXTENTS[3])


def hull_areas(upper: npt.NDArray[Any], lower: npt.NDArray[Any]) -> Float64Array:
    """Return the areas of the polygons around objects, one side per direction of `extent_directions` and its opposite.

    Parameters
    ----------
    upper, lower : ndarray, shape (k, n)
        How far objects reach along each direction, and the least they reach.
    """
    reach = np.concatenate([upper, -lower], axis=1)
    turn = 2 * math.pi / reach.shape[1]
    beside = np.roll(reach, 1, axis=1) + np.roll(reach, -1, axis=1)
    sides = (beside - 2 * math.cos(turn) * reach) / math.sin(turn)
    areas: Float64Array = (reach * np.maximum(sides, 0)).sum(axis=1) / 2
    return areas


def _everywhere(dims: int) -> Float64Array:
    return _circle(_SAMPLES) if dims == 2 else _half_sphere(_SAMPLES)


def _circle(count: int) -> Float64Array:
    angle = np.arange(count) * (math.pi / count)
    return np.stack([np.zeros(count), np.sin(angle), np.cos(angle)], axis=1)


def _half_sphere(count: int) -> Float64Array:
    """Return the upper half of a Fibonacci sphere."""
    number = np.arange(count) + 0.5
    height = 1 - number / count
    angle = math.pi * (1 + math.sqrt(5)) * number
    radius = np.sqrt(1 - height**2)
    return np.stack([height, radius * np.sin(angle), radius * np.cos(angle)], axis=1)
