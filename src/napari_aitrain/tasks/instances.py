"""Instances: one id per object, in 2-D, slice by slice, or in 3-D.

The network gives three maps: foreground, the distance to the object's border divided by its maximum in the object,
and the border. A watershed of the distance divides the foreground; parts that no clear saddle divides are joined again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from .maps import border, known_with_ring, normalised_distance, outline_spacing, split_by_slice, unique_over_slices
from .objects import fill_holes, grow, maxima_of, merge_basins, relabel_large, smooth
from .protocol import BoolArray, Example, FloatArray, LabelArray, Objects, Targets, TaskSettings, VoxelSize
from .scoring import FEATURE_NAMES, judge, object_features
from .tally import InstanceTally

if TYPE_CHECKING:
    import torch

FOREGROUND, DISTANCE, BORDER = range(3)


class InstancesSettings(TaskSettings):
    """Settings of the instances task."""

    foreground: Annotated[
        float, Field(gt=0, lt=1, description="Voxels whose foreground is more probable than this belong to objects.")
    ] = 0.5
    split: Annotated[
        float,
        Field(gt=0, le=1, description="Higher splits touching objects more readily, and odd shapes too."),
    ] = 0.95
    minimum_size: Annotated[
        int, Field(ge=0, description="Objects of fewer voxels are left out (pixels of a slice in 2-D).")
    ] = 20
    smoothing: Annotated[
        float, Field(ge=0, le=10, description="Smoothing of the distance in voxels; higher merges more objects.")
    ] = 1.5


class InstancesTask:
    """Separate objects, each with an id and a score.

    Parameters
    ----------
    settings : InstancesSettings
        How maps become objects.
    classes : tuple of int
        Not used: a voxel is background or of an object.
    """

    name: ClassVar[str] = "instances"
    title: ClassVar[str] = "Objects"
    description: ClassVar[str] = "Separate objects such as nuclei, cells or organelles, each with its own id and score."
    Settings: ClassVar[type[TaskSettings]] = InstancesSettings
    feature_names: ClassVar[tuple[str, ...]] = FEATURE_NAMES
    instances: ClassVar[bool] = True
    nearest: ClassVar[tuple[bool, ...]] = (False, False, False)
    alternatives: ClassVar[tuple[dict[str, float], ...]] = ({"split": 0.9}, {"split": 0.8}, {"split": 0.7})
    taught_by_forest: ClassVar[bool] = False

    def __init__(self, settings: InstancesSettings | None = None, classes: tuple[int, ...] = (0, 1)) -> None:
        self.settings: InstancesSettings = settings or InstancesSettings()
        self.classes: tuple[int, ...] = (0, 1)

    @property
    def heads(self) -> int:
        """Channels the network must give: foreground, distance and border."""
        return 3

    def prepare(self, labels: LabelArray, known: BoolArray, voxel_size: VoxelSize | None, dims: int) -> Targets:
        """Make the three maps and the weight; see `maps`.

        Where unlabelled voxels exist and no background was painted, a thin ring around the painted objects is taken
        for background, else nothing would tell the network where objects end.
        """
        spacing = outline_spacing(voxel_size)
        known = known_with_ring(labels, known, spacing, dims)
        painted = np.where(known & (labels > 0), labels, 0).astype(np.int32)
        parts = split_by_slice(painted, dims)
        values = np.empty((3, *labels.shape), np.float32)
        for index, part in parts:
            around = spacing[-part.ndim :]
            values[FOREGROUND, index] = part > 0
            values[DISTANCE, index] = normalised_distance(part, around)
            values[BORDER, index] = border(part)
        return Targets(values, known.astype(np.float32))

    def loss(self, output: torch.Tensor, values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Cross entropy of every map and soft Dice of the foreground; distance counts mostly inside objects."""
        from .losses import cross_entropy_binary, soft_dice

        output, weight = output.float(), weight[:, 0].float()
        foreground, distance, rim = (values[:, i].float() for i in range(3))
        return (
            cross_entropy_binary(output[:, FOREGROUND], foreground, weight)
            + soft_dice(output[:, FOREGROUND].sigmoid(), foreground, weight)
            + 2 * cross_entropy_binary(output[:, DISTANCE], distance, weight * (0.1 + foreground))
            + cross_entropy_binary(output[:, BORDER], rim, weight * (0.2 + foreground))
        )

    def teach(self, output: torch.Tensor, soft: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return the cross entropy of the foreground against the probability of not being background."""
        from .losses import cross_entropy_binary

        return cross_entropy_binary(output[:, FOREGROUND].float(), 1 - soft[:, 0], weight[:, 0].float())

    def forest_labels(self, labels: LabelArray) -> LabelArray:
        """Return 1 in every object."""
        return np.minimum(labels, 1)

    def forest_maps(self, probability: FloatArray, voxel_size: VoxelSize | None, dims: int) -> FloatArray:
        """Return the foreground, and the distance within it, from which a watershed parts what is round."""
        spacing = outline_spacing(voxel_size)
        maps = np.zeros((3, *probability.shape[1:]), np.float32)
        maps[FOREGROUND] = probability[1]
        for index, part in split_by_slice((probability[1] > self.settings.foreground).astype(np.int32), dims):
            maps[DISTANCE, index] = normalised_distance(part, spacing[-part.ndim :])
        return maps

    def class_probability(self, maps: FloatArray) -> FloatArray:
        """Return one minus the foreground, and the foreground."""
        return np.stack([1 - maps[FOREGROUND], maps[FOREGROUND]])

    def activate(self, output: torch.Tensor) -> torch.Tensor:
        """Return the logistic function of every map."""
        return output.sigmoid()

    def decode(self, maps: FloatArray, voxel_size: VoxelSize | None, dims: int) -> Objects:
        """Divide the foreground into objects; with ``dims == 2`` ids are unique over slices."""
        spacing = outline_spacing(voxel_size)
        labels: LabelArray = np.zeros(maps.shape[1:], np.int32)
        features = [np.zeros((1, len(FEATURE_NAMES)), np.float32)]
        count = 0
        flat = dims == 2 or labels.shape[0] == 1
        for index, plane in split_by_slice(labels, 2 if flat else 3):
            part = maps[:, index]
            found = self._decode_part(part, spacing[-plane.ndim :])
            features.append(object_features(found, part)[1:])
            labels[index] = np.where(found > 0, found + count, 0)
            count += len(features[-1])
        table = np.concatenate(features)
        return Objects(labels, table[:, 0].copy(), table, extra={"dims": 2 if flat else 3})

    def _decode_part(self, maps: FloatArray, spacing: tuple[float, ...]) -> LabelArray:
        settings = self.settings
        foreground = maps[FOREGROUND] > settings.foreground
        # A likely border lowers the saddle between two objects.
        height = maps[DISTANCE] * (1 - maps[BORDER])
        smoothed = smooth(height, spacing, settings.smoothing)
        seeds = maxima_of(smoothed, foreground)
        joined = merge_basins(grow(seeds, smoothed, foreground), smoothed, settings.split)
        # Smoothing steadies the choice of objects but would move the lines between them.
        labels = grow(np.where(seeds > 0, joined, 0), height, foreground)
        return fill_holes(relabel_large(labels, settings.minimum_size))

    def uncertainty(self, maps: FloatArray) -> FloatArray:
        """Return how unsure the foreground is, and within it the border between objects."""
        foreground = maps[FOREGROUND]
        inside = 1 - np.abs(2 * foreground - 1)
        rim = foreground * (1 - np.abs(2 * maps[BORDER] - 1))
        unsure: FloatArray = np.maximum(inside, rim).astype(np.float32)
        return unsure

    def metrics(self, examples: Iterable[Example]) -> dict[str, float]:
        """Average precision and more; ``score`` is the mean average precision at IoU 0.5 to 0.9."""
        nothing = np.zeros(0, np.int32)
        total = InstanceTally.count(nothing, nothing)
        for objects, truth, known in examples:
            if objects.extra.get("dims") == 2:
                truth = unique_over_slices(truth)
            prediction, truth, known = judge(objects.labels, truth, known)
            total += InstanceTally.count(prediction, truth, ignore=~known)
        metrics = total.metrics()
        return {"score": metrics["ap_mean"], **metrics}
