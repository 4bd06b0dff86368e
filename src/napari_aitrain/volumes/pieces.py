"""Small pieces at random places of a region, so that a large one is looked at for a bounded cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..geometry import Region, triple


def random_pieces(region: Region, shape: Sequence[int], max_voxels: int, seed: int = 0) -> list[Region]:
    """Return pieces of one shape at random places of a region.

    Parameters
    ----------
    region : Region
        Pieces lie inside it; they may overlap.
    shape : sequence of int
        Shape of a piece in z, y, x order; cut off where the region is thinner.
    max_voxels : int
        All pieces together have at most this many voxels, or there is a single one.
    seed : int
        Of the places.
    """
    piece = triple([min(n, p) for n, p in zip(region.shape, shape, strict=True)])
    generator = np.random.default_rng(seed)
    pieces = []
    for _ in range(max(1, max_voxels // max(1, math.prod(piece)))):
        offset = [int(generator.integers(0, n - p + 1)) for n, p in zip(region.shape, piece, strict=True)]
        pieces.append(Region.from_shape(piece, [a + b for a, b in zip(region.start, offset, strict=True)]))
    return pieces
