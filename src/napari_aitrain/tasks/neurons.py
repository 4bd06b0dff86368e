"""EM neurons: dense neuropil, divided into one object per neuron.

The network says of every voxel whether it belongs together with neighbours before it, near and far (affinities,
Turaga et al. 2010; far ones as auxiliary targets, Lee et al. 2017). Decoding makes small fragments and a tree of their
merges, so that a threshold between *too split* and *too merged* is a view.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from ..errors import ConfigError
from ..geometry import Triple
from ..volumes.normalisation import Scaling
from .maps import neighbours
from .offsets import choose_offsets, pair_of
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
from .tree_scores import sum_agreements

if TYPE_CHECKING:
    import torch


class NeuronsSettings(TaskSettings):
    """Settings of the neurons task."""

    offsets: Annotated[
        tuple[Triple, ...] | None,
        Field(description="Neighbours to compare with, in voxels, z y x; none chooses them from the voxel size."),
    ] = None
    background: Annotated[
        bool, Field(description="Leave out voxels that belong together with none of their neighbours.")
    ] = False

    @field_validator("offsets")
    @classmethod
    def _usable(cls, offsets: tuple[Triple, ...] | None) -> tuple[Triple, ...] | None:
        if offsets is None:
            return None
        if any(sum(steps != 0 for steps in offset) != 1 or min(offset) < 0 for offset in offsets):
            raise ValueError("each offset goes some voxels along one axis, such as 0 0 9")
        if len(set(offsets)) != len(offsets) or not {(0, 1, 0), (0, 0, 1)} <= set(offsets):
            raise ValueError("offsets must differ, and 0 1 0 and 0 0 1 must be among them")
        return offsets


class NeuronsTask(WithoutAuxiliary):
    """Neurons in dense electron micrographs, in volumes or slice by slice.

    Parameters
    ----------
    settings : NeuronsSettings
        Which neighbours are compared.
    classes : tuple of int
        Not used: a voxel is background or of an object.
    """

    name: ClassVar[str] = "neurons"
    title: ClassVar[str] = "EM neurons"
    description: ClassVar[str] = "Dense neurons in electron micrographs; a threshold moves between split and merged."
    Settings: ClassVar[type[TaskSettings]] = NeuronsSettings
    feature_names: ClassVar[tuple[str, ...]] = ()
    architecture: ClassVar[str] = "unet"
    scaling: ClassVar[Scaling] = Scaling()
    instances: ClassVar[bool] = True
    nearest: ClassVar[tuple[bool, ...]] = (True,)
    alternatives: ClassVar[tuple[dict[str, float], ...]] = ()
    taught_by_forest: ClassVar[bool] = False
    agglomerates: ClassVar[bool] = True
    continuous: ClassVar[bool] = True
    micrographs: ClassVar[bool] = True
    takes_bytes: ClassVar[bool] = False
    needs_voxel_size: ClassVar[bool] = True
    sliders: ClassVar[tuple[str, ...]] = ()
    max_distance: float | None = None

    def __init__(self, settings: NeuronsSettings | None = None, classes: tuple[int, ...] = (0, 1)) -> None:
        self.settings: NeuronsSettings = settings or NeuronsSettings()
        self.classes: tuple[int, ...] = (0, 1)

    def planned(self, voxel_size: VoxelSize | None, dims: int) -> NeuronsTask:
        """Return the task with offsets chosen, unless they are already."""
        if self.settings.offsets is not None:
            return self
        offsets = choose_offsets(voxel_size, dims)
        return NeuronsTask(self.settings.model_copy(update={"offsets": offsets}), self.classes)

    @property
    def offsets(self) -> tuple[Triple, ...]:
        """Neighbours that voxels are compared with, z, y, x.

        Raises
        ------
        ConfigError
            If they are not chosen yet.
        """
        if self.settings.offsets is None:
            raise ConfigError(
                "the neighbours that neurons compares are not chosen",
                "offsets in the task's settings",
                "take the settings from a trained model, or plan a training first",
            )
        return self.settings.offsets

    @property
    def heads(self) -> int:
        """Channels the network must give: one affinity per offset."""
        return len(self.offsets)

    def prepare(self, labels: LabelArray, known: BoolArray, voxel_size: VoxelSize | None, dims: int) -> Targets:
        """Return the ids, numbered anew; affinities are made from them after augmentation, see `loss`."""
        ids = np.unique(labels[known & (labels > 0)])
        places = np.searchsorted(ids, labels)
        numbers = np.where(known & (labels > 0), places + 1, 0).astype(np.float32)
        return Targets(numbers[None], known.astype(np.float32))

    def loss(self, output: torch.Tensor, values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return the mean cross entropy of all affinities; in each sample pairs within and across objects balance."""
        from .losses import affinity_loss

        offsets = [offset[3 - (output.ndim - 2) :] for offset in self.offsets]
        return affinity_loss(output.float(), values[:, 0], weight[:, 0].float(), offsets)

    def teach(self, output: torch.Tensor, soft: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return the cross entropy of the nearest affinities in the plane against the probability of an inside."""
        from .losses import cross_entropy_binary

        near = output[:, list(self._in_plane)].float()
        return cross_entropy_binary(near, soft[:, 1:].expand_as(near), weight.float().expand_as(near))

    def forest_labels(self, labels: LabelArray) -> LabelArray:
        """Return 1 inside objects, and 0 in the background and along borders within the plane."""
        inside = np.minimum(labels, 1)
        for plane, found in zip(labels, inside, strict=True):
            for low, high in neighbours(2):
                differs = (plane[low] != plane[high]) & (plane[low] >= 0) & (plane[high] >= 0)
                found[low][differs] = found[high][differs] = 0
        return inside

    def forest_maps(self, probability: FloatArray, voxel_size: VoxelSize | None, dims: int) -> FloatArray:
        """Return affinities that are as low as the lower probability of an inside at the two ends."""
        inside = probability[1]
        maps = np.empty((self.heads, *inside.shape), np.float32)
        for number, offset in enumerate(self.offsets):
            maps[number] = inside
            here, before = pair_of(offset)
            np.minimum(inside[here], inside[before], out=maps[number][here])
        return maps

    def class_probability(self, maps: FloatArray) -> FloatArray:
        """Return one minus the least affinity to a neighbour in the plane, and that affinity."""
        inside = maps[list(self._in_plane)].min(axis=0)
        return np.stack([1 - inside, inside])

    @property
    def _in_plane(self) -> tuple[int, int]:
        return self.offsets.index((0, 1, 0)), self.offsets.index((0, 0, 1))

    def activate(self, output: torch.Tensor) -> torch.Tensor:
        """Return the logistic function of every map."""
        return output.sigmoid()

    def decode(self, maps: FloatArray, voxel_size: VoxelSize | None, dims: int) -> Objects:
        """Return fragments and the tree of their merges."""
        from .agglomeration import decode_affinities

        return decode_affinities(maps, self.offsets, voxel_size, dims, background=self.settings.background)

    def fragments(self, maps: npt.NDArray[np.uint8], voxel_size: VoxelSize | None, dims: int) -> LabelArray:
        """Return fragments alone, from maps as they are stored; a large volume is decoded block by block."""
        from .fragments import find_fragments

        return find_fragments(maps, self.offsets, voxel_size, dims, self.settings.background)

    def uncertainty(self, maps: FloatArray) -> FloatArray:
        """Return how unsure the affinities to the next voxels are, the least sure counting."""
        near = [number for number, offset in enumerate(self.offsets) if sum(offset) == 1]
        unsure: FloatArray = (1 - np.abs(2 * maps[near] - 1)).max(axis=0).astype(np.float32)
        return unsure

    def metrics(self, examples: Iterable[Example]) -> dict[str, float]:
        """Return variation of information and adapted Rand error at the best threshold, and what else they give.

        ``score`` is minus the variation of information, in bits. Objects without a tree of merges are taken as they
        are; see `voi`.
        """
        agreements = sum_agreements(examples)
        if not agreements:
            return {"score": 0.0}
        best = min((agreement.metrics() for agreement in agreements), key=lambda metrics: metrics["voi"])
        return {"score": -best["voi"], **best}
