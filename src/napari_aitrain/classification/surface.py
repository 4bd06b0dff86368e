"""Voxels at the surface of objects: what crosses it, what touches it, and how far it reaches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..geometry import Region
from .directions import Spacing, extent_directions, steps
from .sums import Float64Array, IntArray

_OUTSIDE = -1


@dataclass(frozen=True)
class Surface:
    """The voxels of objects that have a neighbour of another label, at a corner at least.

    Parameters
    ----------
    padded : ndarray of int32, shape (z + 2, y + 2, x + 2)
        Labels with one voxel more on every side; −1 beyond the image.
    at : ndarray of int64, shape (n,)
        Where the voxels are in it, by flat index.
    owner : ndarray of int64, shape (n,)
        Rows of their objects.
    dims : {2, 3}
        With 2 every slice is on its own.
    """

    padded: npt.NDArray[np.int32]
    at: IntArray
    owner: IntArray
    dims: int

    @classmethod
    def of(cls, labels: npt.NDArray[np.int32], outer: Region, core: Region, numbers: IntArray, dims: int) -> Surface:
        """Find the surface of the objects of a block.

        Parameters
        ----------
        labels : ndarray of int32, shape (z, y, x)
            Of `outer`; 0 is background.
        outer, core : Region
            What was read, and the voxels that are looked at. Where `outer` ends less than a voxel beyond `core`, the
            image ends.
        numbers : ndarray of int64, shape of `core`
            Objects numbered from 1; 0 is background.
        dims : {2, 3}
            With 2 every slice is on its own.
        """
        grown = core.grow((1, 1, 1))
        there = grown.intersect(outer)
        before = np.subtract(there.start, grown.start)
        after = np.subtract(grown.stop, there.stop)
        padded = np.pad(
            labels[there.relative_to(outer.start).slices],
            list(zip(before, after, strict=True)),
            constant_values=_OUTSIDE,
        )
        axes = (1, 2) if dims == 2 else (0, 1, 2)
        low, high = _around(padded, axes, np.minimum), _around(padded, axes, np.maximum)
        if dims == 2:
            low, high = low[1:-1], high[1:-1]
        edge = np.flatnonzero((low != high) & (numbers > 0))
        z, y, x = np.unravel_index(edge, core.shape)
        at = np.ravel_multi_index((z + 1, y + 1, x + 1), padded.shape)
        return cls(padded, np.asarray(at, np.int64), numbers.ravel()[edge] - 1, dims)

    def _stride(self, step: Sequence[int]) -> int:
        _, y, x = self.padded.shape
        return int(step[0] * y * x + step[1] * x + step[2])

    def count_crossings(self, out: Float64Array) -> None:
        """Add how often the surface is crossed along each of `directions.steps`, to an array of shape (k, n)."""
        flat = self.padded.ravel()
        own = flat[self.at]
        for column, step in enumerate(steps(self.dims)):
            stride = self._stride(step)
            for sign in (stride, -stride):
                crossed = flat[self.at + sign] != own
                out[:, column] += np.bincount(self.owner[crossed], minlength=len(out))

    def count_faces(self, out: Float64Array, spacing: Spacing) -> IntArray:
        """Sum faces, and return the pairs of ids that share one.

        Parameters
        ----------
        out : ndarray, shape (k, 3)
            Is added to: all faces, those to other objects, and those at the end of the image, in units of area or
            length; see `Columns.faces`.
        spacing : tuple of float
            Length of a voxel, z, y, x.

        Returns
        -------
        ndarray of int64, shape (p, 2)
            The smaller id first; each pair once.
        """
        flat = self.padded.ravel()
        own = flat[self.at]
        cell = math.prod(spacing[3 - self.dims :])
        pairs = []
        for axis in range(3 - self.dims, 3):
            step = [0, 0, 0]
            step[axis] = 1
            stride = self._stride(step)
            for sign in (stride, -stride):
                other = flat[self.at + sign]
                area = cell / spacing[axis]
                for column, found in enumerate((other != own, (other > 0) & (other != own), other == _OUTSIDE)):
                    out[:, column] += area * np.bincount(self.owner[found], minlength=len(out))
                touching = (other > 0) & (other != own)
                pairs.append(np.stack([own[touching], other[touching]], axis=1).astype(np.int64))
        both = np.sort(np.concatenate(pairs), axis=1)
        return np.unique(both, axis=0)

    def extents(self, k: int, core: Region, spacing: Spacing) -> Float64Array:
        """Return how far objects reach along each direction, and then along its opposite.

        Parameters
        ----------
        k : int
            Number of objects.
        core : Region
            The voxels that are looked at.
        spacing : tuple of float
            Length of a voxel, z, y, x.

        Returns
        -------
        ndarray, shape (k, 2 n)
            For the n directions of `extent_directions`; −inf of objects without a surface in the block.
        """
        order = np.argsort(self.owner, kind="stable")
        there, first = np.unique(self.owner[order], return_index=True)
        index = np.unravel_index(self.at[order], self.padded.shape)
        places = [(i - 1 + 0.5 + s) * d for i, s, d in zip(index, core.start, spacing, strict=True)]
        directions = extent_directions(self.dims)
        # Of an object of several blocks some may hold only its inside.
        found = np.full((k, 2 * len(directions)), -np.inf)
        if not len(there):
            return found
        for column, direction in enumerate(directions):
            along = sum(place * part for place, part in zip(places, direction, strict=True))
            # The corners of a voxel reach farther than its middle.
            half = float(np.abs(direction) @ spacing) / 2
            found[there, column] = np.maximum.reduceat(along, first) + half
            found[there, len(directions) + column] = -np.minimum.reduceat(along, first) + half
        return found


def _around(values: npt.NDArray[np.int32], axes: Sequence[int], best: Any) -> npt.NDArray[np.int32]:
    """Return the smallest or largest of each voxel and its neighbours; one voxel less on every side of the axes."""
    for axis in axes:
        n = values.shape[axis]
        parts = [values[(slice(None),) * axis + (slice(a, n - 2 + a),)] for a in range(3)]
        values = best(best(parts[0], parts[1]), parts[2])
    return values
