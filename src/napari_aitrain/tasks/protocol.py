"""The task protocol: targets, loss, decoding, score and metrics of one kind of segmentation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import torch

    from ..volumes.normalisation import Scaling
    from .merge_tree import MergeTree

FloatArray = npt.NDArray[np.float32]
MapArray = npt.NDArray[np.float32] | npt.NDArray[np.uint8]
LabelArray = npt.NDArray[np.int32]
BoolArray = npt.NDArray[np.bool_]
VoxelSize = tuple[float, float, float]


class TaskSettings(BaseModel):
    """Base of a task's own settings; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Targets:
    """What a network is to give for one crop.

    Parameters
    ----------
    values : ndarray of float32, shape (k, z, y, x)
        Scalar maps that stay valid when a crop is flipped, rotated, scaled or bent.
    weight : ndarray of float32, shape (z, y, x)
        How much each voxel counts; exactly 0 where the voxel is unlabelled.
    """

    values: FloatArray
    weight: FloatArray


@dataclass(frozen=True)
class Objects:
    """Scored objects: what decoding makes of a network's output.

    Parameters
    ----------
    labels : ndarray of int32, shape (z, y, x)
        0 is background. For instances one id per object, ``1 … n``; for classes the id of the class.
    scores : ndarray of float32, shape (n + 1,)
        Probability, indexed by object id, that the object is right; entry 0 is 0. Empty for class maps.
    features : ndarray of float32, shape (n + 1, k)
        What a calibration is fitted on; names are the task's `feature_names`. Empty for class maps.
    probability : ndarray of float32, shape (c, z, y, x), optional
        Probability per class, for tasks whose threshold acts on voxels.
    class_ids : tuple of int
        Ids of the classes of `probability`, background first.
    merges : MergeTree, optional
        For tasks whose threshold joins: `labels` are fragments then, and a threshold makes segments of them.
    """

    labels: LabelArray
    scores: FloatArray
    features: FloatArray
    probability: FloatArray | None = None
    class_ids: tuple[int, ...] = (0, 1)
    extra: Mapping[str, object] = field(default_factory=dict)
    merges: MergeTree | None = None


Example = tuple[Objects, LabelArray, BoolArray]
"""A prediction, its ground truth, and where that is known."""


@runtime_checkable
class Task(Protocol):
    """One kind of segmentation. All arrays are in z, y, x order; a 2-D image has a z extent of 1.

    A task is made with its settings and the ids of the classes in the ground truth. Its module does not
    import torch at the top, so that forms can list tasks without it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    Settings: ClassVar[type[TaskSettings]]
    feature_names: ClassVar[tuple[str, ...]]
    architecture: ClassVar[str]
    """Of the network that it needs: ``unet`` or ``cellpose``."""
    scaling: ClassVar[Scaling]
    """How the network wants images scaled."""
    instances: ClassVar[bool]
    """Whether labels are ids of objects (True) or of classes (False)."""
    nearest: ClassVar[tuple[bool, ...]]
    """Per target map, whether it holds class numbers, to be sampled without interpolation."""
    alternatives: ClassVar[tuple[dict[str, float], ...]]
    """Settings of decoding that validation may choose instead of the defaults."""
    taught_by_forest: ClassVar[bool]
    """Whether a pixel forest, which gives the first preview, also teaches the network where nothing is painted."""
    agglomerates: ClassVar[bool]
    """Whether `decode` gives fragments with a tree of merges, along which a threshold moves."""
    continuous: ClassVar[bool]
    """Whether objects go on through a whole stack, so that a single slice says too little."""
    micrographs: ClassVar[bool]
    """Whether images are always electron micrographs, whose stacks have lost and displaced sections."""
    takes_bytes: ClassVar[bool]
    """Whether `decode` also takes maps as they are stored, 255 for 1, which saves time."""
    needs_voxel_size: ClassVar[bool]
    """Whether what is learned depends on the voxel size, so that a training should not start without it."""
    sliders: ClassVar[tuple[str, ...]]
    """Settings of decoding, with limits, that people may move while they look; see `sliders.sliders_of`."""

    settings: TaskSettings
    classes: tuple[int, ...]
    """Ids of the classes in the order of the output's channels; ``(0, 1)`` for instances."""

    @property
    def heads(self) -> int:
        """Channels that `decode` takes."""
        ...

    def auxiliary_heads(self, dims: int) -> int:
        """Channels after these that are only there to be learned; `activate` leaves them out."""
        ...

    @property
    def max_distance(self) -> float | None:
        """How far apart, in nm, two places of one object can be; None where nobody says so."""
        ...

    def planned(self, voxel_size: VoxelSize | None, dims: int) -> Task:
        """Return the task with the settings that follow from the training set; they stay with the model."""
        ...

    def prepare(self, labels: LabelArray, known: BoolArray, voxel_size: VoxelSize | None, dims: int) -> Targets:
        """Make targets once per crop; `known` is False where a voxel is unlabelled.

        With ``dims == 2`` every slice is treated on its own.
        """
        ...

    def loss(self, output: torch.Tensor, values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of a batch.

        `output` is (b, heads + auxiliary heads, *space), `values` (b, k, *space), `weight` (b, 1, *space); space is
        y, x or z, y, x. A voxel of weight 0 gives exactly zero gradient.
        """
        ...

    def auxiliary_loss(self, output: torch.Tensor, values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of the auxiliary heads; shapes are those of `loss`."""
        ...

    def teach(self, output: torch.Tensor, soft: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return the mean loss against probabilities per class, for tasks that are `taught_by_forest`.

        `soft` is (b, classes, *space); `weight` as in `loss`.
        """
        ...

    def forest_labels(self, labels: LabelArray) -> LabelArray:
        """Return labels as a pixel forest learns them: ids of `classes`, −1 where unlabelled."""
        ...

    def forest_maps(self, probability: FloatArray, voxel_size: VoxelSize | None, dims: int) -> FloatArray:
        """Return the probabilities of a pixel forest, shape (classes, z, y, x), as activated maps."""
        ...

    def class_probability(self, maps: FloatArray) -> FloatArray:
        """Return activated maps as probabilities of `classes`, shape (classes, z, y, x)."""
        ...

    def activate(self, output: torch.Tensor) -> torch.Tensor:
        """Turn raw output into maps in [0, 1] that `decode` takes and that are stored as bytes."""
        ...

    def decode(self, maps: FloatArray, voxel_size: VoxelSize | None, dims: int) -> Objects:
        """Turn activated maps, shape (heads, z, y, x), into scored objects."""
        ...

    def uncertainty(self, maps: FloatArray) -> FloatArray:
        """Return how unsure the network is, 0 … 1, shape (z, y, x), from activated maps."""
        ...

    def metrics(self, examples: Iterable[Example]) -> dict[str, float]:
        """Compare predictions with ground truth, counts summed over all examples.

        ``score`` (higher is better) chooses the best checkpoint.
        """
        ...


class WithoutAuxiliary:
    """For tasks whose network gives nothing but what is decoded."""

    def auxiliary_heads(self, dims: int) -> int:
        """None."""
        return 0

    def auxiliary_loss(self, output: torch.Tensor, values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return 0."""
        return output.new_zeros(())
