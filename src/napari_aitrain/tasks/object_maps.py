"""Objects from three maps: foreground, distance to the rim and border. What tasks for single objects have in common.

While it learns, the network is also asked for the direction to the centre of each object, which is not decoded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

import numpy as np

from ..volumes.normalisation import Scaling
from .centres import direction_loss, nearness
from .dividing import Division, divide
from .holes import fill_holes
from .maps import (
    as_shares,
    border,
    connected_pieces,
    distance_in_pieces,
    is_above,
    known_with_ring,
    normalised_distance,
    outline_spacing,
    runs_with_labels,
    split_by_slice,
)
from .object_metrics import object_metrics
from .objects import smooth
from .protocol import BoolArray, Example, FloatArray, LabelArray, MapArray, Objects, Targets, VoxelSize
from .scoring import FEATURE_NAMES, object_features
from .voxel_list import Frame, VoxelList

if TYPE_CHECKING:
    import torch

FOREGROUND, DISTANCE, BORDER, IDS, NEARNESS = range(5)
_MAPS = 3
"""How many of them the network gives; directions, made of the other two, come after them."""
_SLAB = 2**22
"""Voxels whose height is computed at once, without those around them."""


class _HasForeground(Protocol):
    @property
    def foreground(self) -> float: ...


class ObjectMapsTask:
    """Base of tasks whose network gives foreground, normalised distance to the rim, and border of objects.

    A task adds its settings and `division`. A watershed of the distance divides the foreground; parts that no clear
    saddle divides are joined again.

    Parameters
    ----------
    settings : TaskSettings
        With at least ``foreground``.
    """

    feature_names: ClassVar[tuple[str, ...]] = FEATURE_NAMES
    architecture: ClassVar[str] = "unet"
    scaling: ClassVar[Scaling] = Scaling()
    instances: ClassVar[bool] = True
    nearest: ClassVar[tuple[bool, ...]] = (False, False, False, True, False)
    taught_by_forest: ClassVar[bool] = False
    agglomerates: ClassVar[bool] = False
    continuous: ClassVar[bool] = False
    micrographs: ClassVar[bool] = False
    takes_bytes: ClassVar[bool] = True
    most_rim_step: ClassVar[float] = np.inf
    """Faces along axes whose voxels are longer than this many times the finest are no border."""

    def __init__(self, settings: _HasForeground) -> None:
        self._foreground = settings.foreground
        self.classes: tuple[int, ...] = (0, 1)

    def division(self, voxel_size: VoxelSize | None, dims: int) -> Division:
        """Return how the foreground is divided; its lengths are in units of its spacing."""
        raise NotImplementedError

    @property
    def heads(self) -> int:
        """Channels that are decoded: foreground, distance and border."""
        return _MAPS

    def auxiliary_heads(self, dims: int) -> int:
        """One channel per axis, for the direction to the centre."""
        return dims

    @property
    def max_distance(self) -> float | None:
        """How far apart, in nm, two places of one object can be; None where nobody says so."""
        return None

    def planned(self, voxel_size: VoxelSize | None, dims: int) -> Self:
        """Return the task as it is."""
        return self

    def prepare(self, labels: LabelArray, known: BoolArray, voxel_size: VoxelSize | None, dims: int) -> Targets:
        """Make the three maps, what directions are made from, and the weight; see `maps` and `centres`.

        Where unlabelled voxels exist and no background was painted, a thin ring around the painted objects is taken
        for background, else nothing would tell the network where objects end. Objects go on beyond the edge of the
        crop, and in 3-D beyond slices in which nothing is labelled: neither is a border.
        """
        spacing = outline_spacing(voxel_size, dims)
        known = known_with_ring(labels, known, spacing, dims)
        painted = np.where(known & (labels > 0), labels, 0).astype(np.int32)
        values = np.zeros((len(self.nearest), *labels.shape), np.float32)
        steps = [s <= self.most_rim_step for s in spacing]
        for run in runs_with_labels(known):
            for index, part in split_by_slice(painted[run], dims):
                here = values[:, run][:, index]
                here[FOREGROUND] = part > 0
                here[IDS] = pieces = connected_pieces(part, corners=True)
                here[DISTANCE] = distance_in_pieces(pieces, spacing[-part.ndim :])
                here[BORDER] = border(part, steps[-part.ndim :])
                here[NEARNESS] = nearness(pieces, spacing[-part.ndim :])
        return Targets(values, known.astype(np.float32))

    def loss(self, output: torch.Tensor, values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Cross entropy of the maps and soft Dice of the foreground; distance counts mostly inside objects."""
        from .losses import cross_entropy_binary, soft_dice

        output, weight = output.float(), weight[:, 0].float()
        foreground, distance, rim = (values[:, i].float() for i in range(_MAPS))
        return (
            cross_entropy_binary(output[:, FOREGROUND], foreground, weight)
            + soft_dice(output[:, FOREGROUND].sigmoid(), foreground, weight)
            + 2 * cross_entropy_binary(output[:, DISTANCE], distance, weight * (0.1 + foreground))
            + cross_entropy_binary(output[:, BORDER], rim, weight * (0.2 + foreground))
        )

    def auxiliary_loss(self, output: torch.Tensor, values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Mean squared error of the directions; see `centres`."""
        ids, near = values[:, IDS].float(), values[:, NEARNESS].float()
        return direction_loss(output[:, _MAPS:].float(), ids, near, weight[:, 0].float())

    def teach(self, output: torch.Tensor, soft: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return the cross entropy of the foreground against the probability of not being background."""
        from .losses import cross_entropy_binary

        return cross_entropy_binary(output[:, FOREGROUND].float(), 1 - soft[:, 0], weight[:, 0].float())

    def forest_labels(self, labels: LabelArray) -> LabelArray:
        """Return 1 in every object."""
        return np.minimum(labels, 1)

    def forest_maps(self, probability: FloatArray, voxel_size: VoxelSize | None, dims: int) -> FloatArray:
        """Return the foreground, and the distance within it, from which a watershed parts what is round."""
        spacing = outline_spacing(voxel_size, dims)
        maps = np.zeros((3, *probability.shape[1:]), np.float32)
        maps[FOREGROUND] = probability[1]
        for index, part in split_by_slice((probability[1] > self._foreground).astype(np.int32), dims):
            maps[DISTANCE, index] = normalised_distance(part, spacing[-part.ndim :])
        return maps

    def class_probability(self, maps: FloatArray) -> FloatArray:
        """Return one minus the foreground, and the foreground."""
        return np.stack([1 - maps[FOREGROUND], maps[FOREGROUND]])

    def activate(self, output: torch.Tensor) -> torch.Tensor:
        """Return the logistic function of every map that is decoded."""
        return output[:, :_MAPS].sigmoid()

    def decode(self, maps: MapArray, voxel_size: VoxelSize | None, dims: int) -> Objects:
        """Divide the foreground into objects; with ``dims == 2`` ids are unique over slices. Takes bytes as well."""
        flat = dims == 2 or maps.shape[1] == 1
        parts = [maps[:, z] for z in range(maps.shape[1])] if flat else [maps]
        division = self.division(voxel_size, 2 if flat else 3)
        found, features, count = [], [np.zeros((1, len(FEATURE_NAMES)), np.float32)], 0
        with Frame.lent(parts[0].shape[1:]) as frame:
            for part in parts:
                labels, table = _decode(part, division, frame)
                found.append(labels if count == 0 else np.where(labels > 0, labels + np.int32(count), 0))
                features.append(table[1:])
                count += len(features[-1])
        whole = np.stack(found) if flat else found[0]
        table = np.concatenate(features)
        return Objects(whole, table[:, 0].copy(), table, extra={"dims": 2 if flat else 3})

    def uncertainty(self, maps: FloatArray) -> FloatArray:
        """Return how unsure the foreground is, and within it the border between objects."""
        foreground = maps[FOREGROUND]
        inside = 1 - np.abs(2 * foreground - 1)
        rim = foreground * (1 - np.abs(2 * maps[BORDER] - 1))
        unsure: FloatArray = np.maximum(inside, rim).astype(np.float32)
        return unsure

    def metrics(self, examples: Iterable[Example]) -> dict[str, float]:
        """Average precision and more; ``score`` is the mean average precision at IoU 0.5 to 0.9."""
        return object_metrics(examples)


def _decode(maps: MapArray, division: Division, frame: Frame) -> tuple[LabelArray, FloatArray]:
    """Return the objects in maps of a slice or a volume, and their features."""
    voxels = VoxelList.of(is_above(maps[FOREGROUND], division.foreground), frame)
    ids = divide(voxels, *_heights(maps, voxels, division), division)
    whole = voxels.array(ids)
    labels = fill_holes(whole)
    voxels = voxels.only(ids > 0) if labels is whole else VoxelList.of(labels > 0, frame)
    return labels, object_features(labels, maps, division.voxel, voxels)


def _heights(maps: MapArray, voxels: VoxelList, division: Division) -> tuple[FloatArray, FloatArray]:
    """Return the height of each voxel, as it is and smoothed; a likely border lowers the saddle between two objects.

    They are computed in slabs, since arrays as large as the maps would be many.
    """
    heights, smoothed = (np.empty(len(voxels), np.float32) for _ in range(2))
    plane = math.prod(maps.shape[2:])
    length, reach = max(1, _SLAB // plane), division.reach
    for start in range(0, maps.shape[1], length):
        stop, low = min(start + length, maps.shape[1]), max(0, start - reach)
        slab = maps[:, low : stop + reach]
        height = as_shares(slab[DISTANCE]) * (1 - as_shares(slab[BORDER]))
        first, last = np.searchsorted(voxels.at, [start * plane, stop * plane])
        at = voxels.at[first:last] - low * plane
        heights[first:last] = height.ravel().take(at)
        smoothed[first:last] = smooth(height, division.spacing, division.smoothing).ravel().take(at)
    return heights, smoothed
