"""Semantic classes: every voxel belongs to one of a few classes, in 2-D and 3-D."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from ..errors import GroundTruthError
from ..volumes.normalisation import Scaling
from .confusion import Confusion
from .protocol import (
    BoolArray,
    Example,
    FloatArray,
    LabelArray,
    Objects,
    Targets,
    TaskSettings,
    VoxelSize,
    WithoutAuxiliary,
)

if TYPE_CHECKING:
    import torch


class SemanticSettings(TaskSettings):
    """Settings of the semantic task."""

    dice_weight: Annotated[
        float, Field(ge=0, le=10, description="How much the overlap of small classes counts beside every voxel.")
    ] = 1.0


class SemanticTask(WithoutAuxiliary):
    """A class for every voxel, with its probability.

    Parameters
    ----------
    settings : SemanticSettings
        What the loss looks at.
    classes : tuple of int
        Ids of the classes in the ground truth, background first.
    """

    name: ClassVar[str] = "semantic"
    title: ClassVar[str] = "Classes"
    description: ClassVar[str] = "A class for every voxel, such as membrane or cytoplasm, without separate objects."
    Settings: ClassVar[type[TaskSettings]] = SemanticSettings
    feature_names: ClassVar[tuple[str, ...]] = ()
    architecture: ClassVar[str] = "unet"
    scaling: ClassVar[Scaling] = Scaling()
    instances: ClassVar[bool] = False
    nearest: ClassVar[tuple[bool, ...]] = (True,)
    alternatives: ClassVar[tuple[dict[str, float], ...]] = ()
    taught_by_forest: ClassVar[bool] = True
    agglomerates: ClassVar[bool] = False
    continuous: ClassVar[bool] = False
    micrographs: ClassVar[bool] = False
    takes_bytes: ClassVar[bool] = False
    needs_voxel_size: ClassVar[bool] = False
    sliders: ClassVar[tuple[str, ...]] = ()
    max_distance: float | None = None

    def __init__(self, settings: SemanticSettings | None = None, classes: tuple[int, ...] = (0, 1)) -> None:
        if len(classes) < 2:
            raise GroundTruthError(
                f"the ground truth has only the class {', '.join(map(str, classes)) or '(none)'}",
                "at least two classes, of which the first is the background",
                "paint some background too, with an id of its own",
            )
        self.settings: SemanticSettings = settings or SemanticSettings()
        self.classes: tuple[int, ...] = tuple(classes)

    @property
    def heads(self) -> int:
        """Channels the network must give: one per class."""
        return len(self.classes)

    def planned(self, voxel_size: VoxelSize | None, dims: int) -> SemanticTask:
        """Return the task as it is."""
        return self

    def prepare(self, labels: LabelArray, known: BoolArray, voxel_size: VoxelSize | None, dims: int) -> Targets:
        """Return the channel of each voxel's class; a voxel of an unlisted class counts as unlabelled."""
        channel = np.zeros(labels.shape, np.float32)
        listed = np.zeros(labels.shape, bool)
        for number, identity in enumerate(self.classes):
            where = labels == identity
            channel[where] = number
            listed |= where
        return Targets(channel[None], (known & listed).astype(np.float32))

    def loss(self, output: torch.Tensor, values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Cross entropy, and soft Dice averaged over the classes."""
        from torch.nn.functional import one_hot

        from .losses import cross_entropy_classes, soft_dice

        output, weight = output.float(), weight[:, 0].float()
        target = values[:, 0].round().long().clamp(0, self.heads - 1)
        loss = cross_entropy_classes(output, target, weight)
        if self.settings.dice_weight > 0:
            probability, wanted = output.softmax(1), one_hot(target, self.heads).float()
            each = [soft_dice(probability[:, c], wanted[..., c], weight) for c in range(self.heads)]
            loss = loss + self.settings.dice_weight * sum(each) / self.heads
        return loss

    def teach(self, output: torch.Tensor, soft: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return the cross entropy against probabilities (distillation, Hinton et al. 2015)."""
        from .losses import weighted_mean

        each = -(soft * output.float().log_softmax(1)).sum(1)
        return weighted_mean(each, weight[:, 0].float())

    def forest_labels(self, labels: LabelArray) -> LabelArray:
        """Return the labels themselves."""
        return labels

    def forest_maps(self, probability: FloatArray, voxel_size: VoxelSize | None, dims: int) -> FloatArray:
        """Return the probabilities themselves."""
        return probability

    def class_probability(self, maps: FloatArray) -> FloatArray:
        """Return the maps themselves."""
        return maps

    def activate(self, output: torch.Tensor) -> torch.Tensor:
        """Return the softmax over classes."""
        return output.softmax(1)

    def decode(self, maps: FloatArray, voxel_size: VoxelSize | None, dims: int) -> Objects:
        """Return the most probable class of every voxel, and all probabilities."""
        ids = np.asarray(self.classes, np.int32)
        none = np.zeros(0, np.float32)
        probability = np.asarray(maps, np.float32)
        return Objects(
            ids[probability.argmax(axis=0)], none, none.reshape(0, 0), probability=probability, class_ids=self.classes
        )

    def uncertainty(self, maps: FloatArray) -> FloatArray:
        """Return one minus the margin between the two most probable classes."""
        second, first = np.partition(maps, -2, axis=0)[-2:]
        unsure: FloatArray = np.clip(1 - (first - second), 0, 1).astype(np.float32)
        return unsure

    def metrics(self, examples: Iterable[Example]) -> dict[str, float]:
        """Dice and IoU per class; ``score`` is the mean IoU over the classes, background included."""
        nothing = np.zeros(0, np.int32)
        total = Confusion.count(nothing, nothing, self.classes)
        for objects, truth, known in examples:
            total += Confusion.count(objects.labels, truth, self.classes, ignore=~known)
        metrics = total.metrics()
        each = [metrics[f"iou_{c}"] for c in self.classes if f"iou_{c}" in metrics]
        return {"score": float(np.mean(each)) if each else 1.0, **metrics}
