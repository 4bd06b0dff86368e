"""Where voxels go that follow flows, and which of those places are crowded.

As `cellpose.dynamics.follow_flows` and `get_masks_torch` (Stringer et al. 2021). Voxels that have arrived are not moved
on, and those that have met go on together.
"""

from __future__ import annotations

import itertools
import math
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation

from .protocol import FloatArray

ARRIVED = 1e-3
"""Voxels that move by less than this are where they will stay."""
JOINED_AFTER, SAME = (10, 16, 24, 48), 32
"""Steps after which voxels that are at one place, to such a part of a voxel, go on together."""
SEED, SEED_REACH, CROWD, PAD = 10, 5, 2, 20
"""More voxels than the first arrive at the middle of an object, more than the third around it within the second."""

AT_ONCE = 2**17
"""Voxels that are moved together, so that they stay in the processor's cache."""

Ints = npt.NDArray[np.int64]


def arrivals(flows: FloatArray, at: Ints, iterations: int) -> Ints:
    """Return where voxels end, shape (axes, n), when each step is the flow at their place."""
    field = _Field(flows)
    parts = [at[first : first + AT_ONCE] for first in range(0, len(at), AT_ONCE)]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return np.concatenate(
            list(threads.map(lambda part: _arrive(field, part, flows.shape[1:], iterations), parts)), axis=1
        )


def _arrive(field: _Field, at: Ints, shape: tuple[int, ...], iterations: int) -> Ints:
    places = [place.astype(np.float32) for place in np.unravel_index(at, shape)]
    leader = moving = np.arange(len(at))
    here = [place.copy() for place in places]
    for step in range(1, iterations + 1):
        there = field.moved(here)
        on = np.zeros(len(moving), bool)
        for old, new in zip(here, there, strict=True):
            on |= np.abs(new - old) > ARRIVED
        here = there
        if step in JOINED_AFTER:
            first, group = _together(here)
            leader = leader.copy()
            leader[moving] = moving[first][group]
            moving, here, on = moving[first], [place[first] for place in here], on[first]
        if not on.all():
            for place, new in zip(places, here, strict=True):
                place[moving] = new
            moving, here = moving[on], [place[on] for place in here]
            if not len(moving):
                break
    for place, new in zip(places, here, strict=True):
        place[moving] = new
    for _ in JOINED_AFTER:
        leader = leader[leader]
    return np.stack([place[leader] for place in places]).astype(np.int64)


def _together(places: list[FloatArray]) -> tuple[Ints, Ints]:
    """Return the first of each group of voxels that are at about the same place, and the group of each."""
    key = np.zeros(len(places[0]), np.int64)
    for place in places:
        fine = np.round(place * SAME).astype(np.int64)
        key = key * (int(fine.max(initial=0)) + 1) + fine
    _, first, group = np.unique(key, return_index=True, return_inverse=True)
    return first, group


class _Field:
    """Flows that are read between voxels where Cellpose reads them.

    `torch.nn.functional.grid_sample` takes the outer faces of an image for its ends, and Cellpose the middles of its
    outermost pixels.
    """

    def __init__(self, flows: FloatArray) -> None:
        shape = flows.shape[1:]
        self.flows = [np.pad(flow, 1).ravel() for flow in flows]
        self.strides = [math.prod(n + 2 for n in shape[axis + 1 :]) for axis in range(len(shape))]
        self.ends = [np.float32(n - 1) for n in shape]
        self.ratios = [np.float32(n / max(1, n - 1)) for n in shape]

    def moved(self, places: list[FloatArray]) -> list[FloatArray]:
        """Return where voxels at these places go in one step."""
        shares, corner = [], np.zeros(len(places[0]), np.int64)
        for place, ratio, stride in zip(places, self.ratios, self.strides, strict=True):
            sampled = place * ratio - np.float32(0.5)
            low = np.floor(sampled)
            shares.append((1 - (sampled - low), sampled - low))
            corner += (low.astype(np.int64) + 1) * stride
        steps = [np.zeros(len(corner), np.float32) for _ in places]
        for sides in itertools.product((0, 1), repeat=len(places)):
            weight = shares[0][sides[0]]
            for share, side in zip(shares[1:], sides[1:], strict=True):
                weight = weight * share[side]
            beside = corner + sum(side * stride for side, stride in zip(sides, self.strides, strict=True))
            for step, flow in zip(steps, self.flows, strict=True):
                step += weight * flow.take(beside)
        return [np.clip(p + step, 0, end) for p, step, end in zip(places, steps, self.ends, strict=True)]


def crowds(arrived: Ints, shape: tuple[int, ...]) -> npt.NDArray[np.int32]:
    """Return which of the places where many voxels arrive each has come to, ``1 … n``; 0 for none."""
    axes = len(shape)
    framed = tuple(n + 2 * PAD for n in shape)
    ends = np.ravel_multi_index(tuple(arrived + PAD), framed)
    many = np.bincount(ends, minlength=int(np.prod(framed)))
    strides = np.asarray([int(np.prod(framed[axis + 1 :])) for axis in range(axes)])
    seeds = np.flatnonzero(many > SEED)
    seeds = seeds[many[seeds] >= many[seeds[:, None] + _window(2, strides)].max(axis=1)]
    if not len(seeds):
        return np.zeros(len(ends), np.int32)
    seeds = seeds[np.argsort(many[seeds], kind="stable")]
    around = seeds[:, None] + _window(SEED_REACH, strides)
    side = 2 * SEED_REACH + 1
    crowded = (many[around] > CROWD).reshape(-1, *(side,) * axes)
    grown = np.zeros(crowded.shape, bool)
    grown.reshape(len(seeds), -1)[:, side**axes // 2] = True
    box = np.ones((1, *(3,) * axes), bool)
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
