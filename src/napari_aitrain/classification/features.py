"""Features of objects from their sums: size, shape, intensity, texture, and what is around them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from .columns import BINS, HIGHEST, LOWEST, SCALES, Columns
from .directions import EXTENTS, Spacing, crossing_weights, extent_directions, hull_areas
from .sums import Float64Array, Sums
from .table import FeatureTable

LOGARITHMIC = frozenset(
    ("size", "surface", "length", "breadth", "thickness", "longest", "narrowest", "nearest", "nearest_5",
     "elongation", "flatness")
)  # fmt: skip
"""Features whose ratios count, not their differences; a classifier sees their logarithms."""
PERCENTILES = (5, 25, 50, 75, 95)
NEIGHBOURS = 5
_TINY = 1e-12


def make_table(
    sums: Sums,
    spacing: Spacing,
    unit: str,
    dims: int,
    channels: Sequence[str],
    kind: str = "objects",
    voxel: Sequence[float] | None = None,
) -> FeatureTable:
    """Return the features of objects.

    Parameters
    ----------
    sums : Sums
        Of whole objects.
    spacing : tuple of float
        Length of a voxel, z, y, x, in `unit`.
    unit : {'µm', 'voxel'}
        Of length.
    dims : {2, 3}
        Whether objects are areas or volumes.
    channels : sequence of str
        Of the image.
    kind : {'objects', 'boxes'}
        Of boxes only what is in them counts: they have no shape, and no neighbours.
    voxel : sequence of float, optional
        Length of a voxel for `FeatureTable.centre`; `spacing` if not given.
    """
    columns = Columns(dims, len(channels))
    found: dict[str, Float64Array] = {}
    if kind == "objects":
        found |= _shape(sums, columns, spacing)
    for number in range(len(channels)):
        # By number, since the same channel is called differently in other files.
        prefix = "" if len(channels) == 1 else f"c{number + 1}_"
        found |= {prefix + key: values for key, values in _intensity(sums, columns, number).items()}
        if kind == "boxes":
            for key in ("rim", "contrast"):
                del found[prefix + key]
    if kind == "objects":
        found |= _neighbourhood(sums, columns, found)
    names = tuple(found)
    values = np.stack([found[name] for name in names], axis=1) if names else np.zeros((len(sums), 0))
    return FeatureTable(
        ids=sums.ids,
        names=names,
        values=values,
        centre=sums.mean / np.asarray(spacing if voxel is None else voxel) - 0.5,
        unit=unit,
        dims=dims,
        channels=tuple(channels),
        kind=kind,
        at_edge=sums.added[:, columns.faces][:, 2] > 0,
    )


def _shape(sums: Sums, columns: Columns, spacing: Spacing) -> dict[str, Float64Array]:
    dims = columns.dims
    cell = math.prod(spacing[3 - dims :])
    size = sums.count * cell
    surface = sums.added[:, columns.crossings] @ crossing_weights(spacing, dims)
    axes = _axes(sums, spacing, dims)
    half = EXTENTS[dims]
    upper, lower = sums.most[:, :half], -sums.most[:, half:]
    extent = upper - lower
    longest, narrowest = extent.max(axis=1), extent.min(axis=1)
    found = {"size": size, "surface": surface, "length": axes[:, 0], "breadth": axes[:, 1]}
    if dims == 3:
        found["thickness"] = axes[:, 2]
        round_surface = math.pi ** (1 / 3) * (6 * size) ** (2 / 3)
        roundness, ellipsoid = round_surface / surface, math.pi / 6 * axes.prod(axis=1)
    else:
        roundness, ellipsoid = 4 * math.pi * size / surface**2, math.pi / 4 * axes.prod(axis=1)
    found |= {"longest": longest, "narrowest": narrowest, "roundness": roundness}
    found |= {"elongation": axes[:, 0] / axes[:, 1]}
    if dims == 3:
        found["flatness"] = axes[:, 1] / axes[:, 2]
    else:
        middle = sums.mean @ extent_directions(dims).T
        found["solidity"] = size / np.maximum(hull_areas(upper - middle, lower - middle), cell)
    return found | {"narrow_to_long": narrowest / longest, "fills_ellipse": size / ellipsoid}


def _axes(sums: Sums, spacing: Spacing, dims: int) -> Float64Array:
    """Return the lengths of the axes of the ellipse or ellipsoid with the same second moments, the longest first."""
    inside = slice(3 - dims, 3)
    spread = sums.second[:, inside, inside] / np.maximum(sums.count, 1)[:, None, None]
    # A voxel is not a point: it adds the moment of a block of its size.
    spread = spread + np.diag(np.asarray(spacing[inside]) ** 2 / 12)
    values = np.linalg.eigvalsh(spread)[:, ::-1]
    factor = 4.0 if dims == 2 else 2 * math.sqrt(5)
    axes: Float64Array = factor * np.sqrt(np.maximum(values, _TINY))
    return axes


def _intensity(sums: Sums, columns: Columns, channel: int) -> dict[str, Float64Array]:
    def mean(of: Float64Array) -> Float64Array:
        return _ratio(of[:, 0], of[:, 1])

    added, count = sums.added, sums.count
    total = added[:, columns.intensity(channel)]
    average = total[:, 0] / count
    found = {"mean": average, "sd": np.sqrt(np.maximum(total[:, 1] / count - average**2, 0))}
    for percent, values in zip(PERCENTILES, _percentiles(added[:, columns.histogram(channel)]), strict=True):
        found[f"p{percent}"] = values
    found["rim"] = mean(added[:, columns.rim(channel)]) - average
    found["contrast"] = average - mean(added[:, columns.beyond(channel)])
    texture = added[:, columns.texture(channel)] / count[:, None]
    found["slope"] = texture[:, 0]
    for number, scale in enumerate(SCALES):
        band, square = texture[:, 1 + 2 * number], texture[:, 2 + 2 * number]
        found[f"spots_{scale:g}"] = band
        found[f"grain_{scale:g}"] = np.sqrt(np.maximum(square - band**2, 0))
    return found


def _percentiles(histogram: Float64Array) -> Iterator[Float64Array]:
    cumulated = np.concatenate([np.zeros((len(histogram), 1)), np.cumsum(histogram, axis=1)], axis=1)
    width = (HIGHEST - LOWEST) / BINS
    rows = np.arange(len(histogram))
    for percent in PERCENTILES:
        wanted = cumulated[:, -1] * (percent / 100)
        bin_ = np.minimum((cumulated[:, 1:] < wanted[:, None]).sum(axis=1), BINS - 1)
        within = _ratio(wanted - cumulated[rows, bin_], histogram[rows, bin_])
        yield LOWEST + width * (bin_ + np.nan_to_num(within, nan=0.5))


def _neighbourhood(sums: Sums, columns: Columns, found: dict[str, Float64Array]) -> dict[str, Float64Array]:
    k = len(sums)
    faces = sums.added[:, columns.faces]
    touching = np.bincount(np.searchsorted(sums.ids, sums.pairs.ravel()), minlength=k)
    result = {"touching": touching.astype(np.float64), "touching_share": _ratio(faces[:, 1], faces[:, 0] - faces[:, 2])}
    bright = [name for name in found if name == "mean" or name.endswith("_mean")]
    if k < 2:
        names = ("nearest", "nearest_5", "crowding", "size_to_neighbours", *(f"{n}_to_neighbours" for n in bright))
        return result | dict.fromkeys(names, np.full(k, np.nan))
    near = min(NEIGHBOURS, k - 1)
    tree = cKDTree(sums.mean)
    distance, who = tree.query(sums.mean, k=near + 1)
    distance, who = distance[:, 1:], who[:, 1:]
    result |= {"nearest": distance[:, 0], "nearest_5": distance.mean(axis=1)}
    diameter = np.median(found["longest"])
    result["crowding"] = np.log1p(tree.query_ball_point(sums.mean, 3 * diameter, return_length=True) - 1.0)
    logs = np.log(found["size"])
    result["size_to_neighbours"] = logs - logs[who].mean(axis=1)
    for name in bright:
        result[f"{name}_to_neighbours"] = found[name] - found[name][who].mean(axis=1)
    return result


def _ratio(part: npt.NDArray[np.float64], whole: npt.NDArray[np.float64]) -> Float64Array:
    """Return the ratio; NaN where there is nothing to divide by."""
    found: Float64Array = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return found
