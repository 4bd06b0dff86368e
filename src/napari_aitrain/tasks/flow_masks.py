"""Objects from flows: voxels follow them, and those that arrive at one place are one object.

The steps of `cellpose.dynamics.compute_masks` (Stringer et al. 2021), on the voxels of cells alone and without torch,
so that thresholds can be moved while somebody looks. Voxels that have arrived are not moved on.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation

from .flow_targets import flow_targets
from .holes import fill_holes
from .maps import as_shares, is_above
from .objects import relabel_large
from .protocol import FloatArray, LabelArray, MapArray
from .voxel_list import VoxelList

FEATURE_NAMES = ("raw", "log_size", "mean_cell", "rim_cell", "flow_length", "flow_error", "towards", "rim_share")
ARRIVED = 1e-3
"""Voxels that move by less than this are where they will stay."""
SEED, SEED_REACH, CROWD, PAD = 10, 5, 2, 20
"""More voxels than the first arrive at the middle of an object, more than the third around it within the second."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Following:
    """How flows become objects.

    Parameters
    ----------
    cellprob_threshold : float
        Logit of the cell probability above which voxels are followed.
    flow_threshold : float, optional
        Objects whose flows are farther from those of their shape are left out; 0 keeps all. None for volumes, where
        it is not looked at.
    minimum_size : int
        In voxels.
    iterations : int
        Most steps.
    """

    cellprob_threshold: float = 0.0
    flow_threshold: float | None = 0.4
    minimum_size: int = 15
    iterations: int = 200


def follow(maps: MapArray, how: Following) -> tuple[LabelArray, FloatArray]:
    """Return the objects in maps of a slice or a volume, and their features.

    Parameters
    ----------
    maps : ndarray of float32 or uint8, shape (3, y, x) or (4, z, y, x)
        Flows, of which 0 … 1 stands for −1 … 1, and cell probability. In a volume both are the means over the slices
        along two and three axes; Cellpose takes the sums.
    how : Following
        The rules.

    Returns
    -------
    labels : ndarray of int32
        Ids ``1 … n``.
    features : ndarray of float32, shape (n + 1, len(FEATURE_NAMES))
        Row 0 is 0.
    """
    axes = len(maps) - 1
    shape = maps.shape[1:]
    inside = _is_cell(maps[-1], how.cellprob_threshold / (1 if axes == 2 else 3))
    voxels = VoxelList.of(inside)
    if not len(voxels):
        return np.zeros(shape, np.int32), np.zeros((1, len(FEATURE_NAMES)), np.float32)
    flows = np.stack([_flow(maps[axis]) for axis in range(axes)]) * np.float32(1 if axes == 2 else 2)
    labels = voxels.array(_crowds(_arrivals(flows * inside, voxels.at, how.iterations), shape))
    errors = np.zeros(int(labels.max(initial=0)) + 1)
    first = labels
    if how.flow_threshold is not None:
        errors = flow_errors(labels, flows)
        if how.flow_threshold > 0:
            labels = np.where(errors > how.flow_threshold, 0, np.arange(len(errors))).astype(np.int32)[labels]
    labels = relabel_large(fill_holes(relabel_large(labels, how.minimum_size)), how.minimum_size)
    kept = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
    np.maximum.at(kept, labels.ravel(), first.ravel())
    kept[0] = 0
    return labels, _features(labels, maps, flows, errors[kept])


def flow_errors(labels: LabelArray, flows: FloatArray) -> npt.NDArray[np.float64]:
    """Return by how much the flows of each object, by its shape, differ from those that were predicted.

    Parameters
    ----------
    labels : ndarray of int32, shape (y, x)
        Objects.
    flows : ndarray of float32, shape (2, y, x)
        As predicted, −1 … 1.

    Returns
    -------
    ndarray of float64, shape (n + 1,)
        Mean square length of the difference, by id; 0 for the background.
    """
    voxels = VoxelList.of(labels > 0)
    ids = voxels.take(labels)
    away = sum((voxels.take(a) - voxels.take(b)) ** 2 for a, b in zip(flow_targets(labels), flows, strict=True))
    total = np.bincount(ids, away, int(labels.max(initial=0)) + 1)
    return total / np.maximum(np.bincount(ids, minlength=len(total)), 1)


def _is_cell(cell: MapArray, logit: float) -> npt.NDArray[np.bool_]:
    return is_above(cell, float(1 / (1 + np.exp(-logit))))


def _flow(values: MapArray) -> FloatArray:
    """Return flows of −1 … 1; no byte stands for 0, so the two beside it do."""
    flow = 2 * as_shares(values) - 1
    if values.dtype == np.uint8:
        flow[np.abs(flow) < 1 / 254] = 0
    return flow


def _arrivals(flows: FloatArray, at: Ints, iterations: int) -> Ints:
    """Return where voxels end, shape (axes, n), when each step is the flow at their place.

    Flows are read where Cellpose reads them: `torch.nn.functional.grid_sample` takes the outer faces of an image for
    its ends, and Cellpose the middles of its outermost pixels.
    """
    axes, shape = len(flows), flows.shape[1:]
    framed = [np.pad(flow, 1).ravel() for flow in flows]
    strides = [int(np.prod([n + 2 for n in shape[axis + 1 :]])) for axis in range(axes)]
    ends = [np.float32(n - 1) for n in shape]
    ratios = [np.float32(n / max(1, n - 1)) for n in shape]
    places = [place.astype(np.float32) for place in np.unravel_index(at, shape)]
    moving, here = np.arange(len(at)), [place.copy() for place in places]
    for _ in range(iterations):
        shares, corner = [], np.zeros(len(moving), np.int64)
        for place, ratio, stride in zip(here, ratios, strides, strict=True):
            sampled = place * ratio - np.float32(0.5)
            low = np.floor(sampled)
            shares.append((1 - (sampled - low), sampled - low))
            corner += (low.astype(np.int64) + 1) * stride
        steps = [np.zeros(len(moving), np.float32) for _ in range(axes)]
        for sides in itertools.product((0, 1), repeat=axes):
            weight = shares[0][sides[0]]
            for share, side in zip(shares[1:], sides[1:], strict=True):
                weight = weight * share[side]
            beside = corner + sum(side * stride for side, stride in zip(sides, strides, strict=True))
            for step, flow in zip(steps, framed, strict=True):
                step += weight * flow.take(beside)
        there = [np.clip(place + step, 0, end) for place, step, end in zip(here, steps, ends, strict=True)]
        on = np.zeros(len(moving), bool)
        for old, new in zip(here, there, strict=True):
            on |= np.abs(new - old) > ARRIVED
        here = there
        if not on.all():
            for place, new in zip(places, here, strict=True):
                place[moving] = new
            moving, here = moving[on], [place[on] for place in here]
            if not len(moving):
                break
    for place, new in zip(places, here, strict=True):
        place[moving] = new
    return np.stack(places).astype(np.int64)


def _crowds(arrived: Ints, shape: tuple[int, ...]) -> npt.NDArray[np.int32]:
    """Return which of the places where many voxels arrive each has come to, ``1 … n``; 0 for none."""
    axes = len(shape)
    framed = tuple(n + 2 * PAD for n in shape)
    ends = np.ravel_multi_index(tuple(arrived + PAD), framed)
    many = np.bincount(ends, minlength=int(np.prod(framed)))
    strides = np.asarray([int(np.prod(framed[axis + 1 :])) for axis in range(axes)])
    seeds = np.flatnonzero(many > SEED)
    seeds = seeds[many[seeds] >= many[seeds[:, None] + _window(2, strides)].max(axis=1)]
    seeds = seeds[np.argsort(many[seeds], kind="stable")]
    around = seeds[:, None] + _window(SEED_REACH, strides)
    side = 2 * SEED_REACH + 1
    crowded = (many[around] > CROWD).reshape(-1, *(side,) * axes)
    grown = np.zeros(crowded.shape, bool)
    grown.reshape(len(seeds), -1)[:, side**axes // 2] = True
    box = np.ones((1, *(3,) * axes), bool)
    if len(seeds):
        grown = binary_dilation(grown, box, SEED_REACH, mask=crowded)
    owner = np.zeros(many.shape, np.int32)
    seed, place = np.nonzero(grown.reshape(len(seeds), -1))
    # Where two reach, the one with more voxels, which comes last, has it.
    owner[around[seed, place]] = seed + 1
    reached: npt.NDArray[np.int32] = owner[ends]
    return reached


def _window(reach: int, strides: Ints) -> Ints:
    offsets = np.meshgrid(*(np.arange(-reach, reach + 1) * stride for stride in strides), indexing="ij")
    total: Ints = np.sum(offsets, axis=0).ravel()
    return total


def _features(labels: LabelArray, maps: MapArray, flows: FloatArray, errors: npt.NDArray[np.float64]) -> FloatArray:
    """Return what is known of each object; row 0 is 0."""
    count = int(labels.max(initial=0)) + 1
    voxels = VoxelList.of(labels > 0)
    ids = voxels.take(labels)
    cell, rim = as_shares(voxels.take(maps[-1])), voxels.rim(ids)
    sizes = np.bincount(ids, minlength=count)

    def mean(values: npt.NDArray[np.floating], chosen: npt.NDArray[np.bool_] | None = None) -> FloatArray:
        where = ids if chosen is None else ids[chosen]
        total = np.bincount(where, values if chosen is None else values[chosen], count)
        return (total / np.maximum(np.bincount(where, minlength=count), 1)).astype(np.float32)

    here = [voxels.take(flow) for flow in flows]
    length = np.sqrt(sum(flow**2 for flow in here))
    places = np.unravel_index(voxels.at, labels.shape)
    away = [mean(place.astype(np.float64))[ids] - place for place in places]
    far = np.sqrt(sum(distance**2 for distance in away))
    along = sum(flow * distance for flow, distance in zip(here, away, strict=True)) / np.maximum(length * far, 1e-6)
    sure = mean(cell)
    table = np.stack([sure * np.exp(-2 * errors), np.log1p(sizes), sure, mean(cell, rim), mean(length), errors,
                      mean(along), mean(rim.astype(np.float32))], axis=1).astype(np.float32)  # fmt: skip
    table[0] = 0
    return table
