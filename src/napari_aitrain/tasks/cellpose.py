"""Cells by the flows of Cellpose: its network, its targets, its loss and its way from flows to objects.

Stringer et al. 2021 (Cellpose). The network says where each pixel is to go to reach the middle of its cell, and whether
it is of a cell; pixels that arrive at one place are one object.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import numpy as np
from pydantic import Field

from ..volumes.normalisation import Scaling
from .flow_masks import FEATURE_NAMES, Following, follow
from .flow_targets import flow_targets, frame_of, moved_flows
from .maps import as_shares, known_with_ring, normalised_distance, outline_spacing, split_by_slice
from .object_metrics import object_metrics
from .protocol import (
    BoolArray,
    Example,
    FloatArray,
    LabelArray,
    MapArray,
    Objects,
    Targets,
    TaskSettings,
    VoxelSize,
    WithoutAuxiliary,
)

if TYPE_CHECKING:
    import torch

FLOW_Z, FLOW_Y, FLOW_X, CELL = range(4)
UNIT = 5.0
"""What the network gives for a flow of length 1."""


class CellposeSettings(TaskSettings):
    """Settings of the Cellpose task; the first two mean what they mean in Cellpose."""

    cellprob_threshold: Annotated[
        float,
        Field(
            ge=-6,
            le=6,
            title="Cell probability",
            description="Voxels whose cell probability, as a logit, is above this belong to cells; lower finds more "
            "and larger ones.",
        ),
    ] = 0.0
    flow_threshold: Annotated[
        float,
        Field(
            ge=0,
            le=3,
            title="Flow error",
            description="Cells whose flows differ more from those of their shape are left out, in 2-D; higher keeps "
            "more, 0 keeps all.",
        ),
    ] = 0.4
    minimum_size: Annotated[
        int, Field(ge=0, description="Objects of fewer voxels are left out (pixels of a slice in 2-D).")
    ] = 15
    iterations: Annotated[
        int, Field(ge=1, le=10_000, description="Steps that voxels follow the flows; large cells need more.")
    ] = 200
    scale: Annotated[
        float,
        Field(
            gt=0,
            description="Voxels of the network per voxel of the image; steps are as many more. It follows from the "
            "model.",
            json_schema_extra={"hidden": True},
        ),
    ] = 1.0


class CellposeTask(WithoutAuxiliary):
    """Separate objects by the flows of Cellpose, each with an id and a score.

    Maps are the flows along z, y and x, of which 0 … 1 stands for −1 … 1, and the cell probability. Where slices are
    seen on their own the flow along z is 0.

    Parameters
    ----------
    settings : CellposeSettings
        How flows become objects.
    classes : tuple of int
        Not used: a voxel is background or of an object.
    """

    name: ClassVar[str] = "cellpose"
    title: ClassVar[str] = "Cells (Cellpose)"
    description: ClassVar[str] = (
        "Cells and nuclei by Cellpose's own network, ready to use or fine-tuned; slow without a GPU."
    )
    Settings: ClassVar[type[TaskSettings]] = CellposeSettings
    feature_names: ClassVar[tuple[str, ...]] = FEATURE_NAMES
    architecture: ClassVar[str] = "cellpose"
    scaling: ClassVar[Scaling] = Scaling(1.0, 99.0, (-1000.0, 1000.0))
    instances: ClassVar[bool] = True
    nearest: ClassVar[tuple[bool, ...]] = (False,) * 5
    alternatives: ClassVar[tuple[dict[str, float], ...]] = (
        {"cellprob_threshold": -1.0},
        {"cellprob_threshold": 1.0},
        {"flow_threshold": 0.8},
    )
    taught_by_forest: ClassVar[bool] = False
    agglomerates: ClassVar[bool] = False
    continuous: ClassVar[bool] = False
    micrographs: ClassVar[bool] = False
    takes_bytes: ClassVar[bool] = True
    needs_voxel_size: ClassVar[bool] = False
    sliders: ClassVar[tuple[str, ...]] = ("cellprob_threshold", "flow_threshold")
    heads: int = 4
    max_distance: float | None = None

    def __init__(self, settings: CellposeSettings | None = None, classes: tuple[int, ...] = (0, 1)) -> None:
        self.settings: CellposeSettings = settings or CellposeSettings()
        self.classes: tuple[int, ...] = (0, 1)

    def planned(self, voxel_size: VoxelSize | None, dims: int) -> Self:
        """Return the task as it is."""
        return self

    def prepare(self, labels: LabelArray, known: BoolArray, voxel_size: VoxelSize | None, dims: int) -> Targets:
        """Make flows, y and x, and cells, slice by slice, and the coordinates that tell how a patch was moved.

        A patch is flipped, turned, scaled and bent later, and maps are then moved like an image. How that changes
        directions is seen in the coordinates, which are moved alike; see `moved_flows`.
        """
        known = known_with_ring(labels, known, outline_spacing(voxel_size, 2), 2)
        painted = np.where(known & (labels > 0), labels, 0).astype(np.int32)
        values = np.empty((5, *labels.shape), np.float32)
        for index, part in split_by_slice(painted, 2):
            values[:2, index] = flow_targets(part)
            values[2, index] = part > 0
            values[3:, index] = frame_of(part.shape)
        return Targets(values, known.astype(np.float32))

    def loss(self, output: torch.Tensor, values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return Cellpose's loss: half the mean square error of 5 × flows, and cross entropy of the probability."""
        from .losses import cross_entropy_binary, weighted_mean

        output, weight, values = output.float(), weight[:, 0].float(), values.float()
        flows = moved_flows(values[:, :2], values[:, 3:])
        away = (output[:, FLOW_Y : FLOW_X + 1] - UNIT * flows).square().mean(1)
        cell = (values[:, 2] > 0.5).to(output.dtype)
        return weighted_mean(away, weight) / 2 + cross_entropy_binary(output[:, CELL], cell, weight)

    def teach(self, output: torch.Tensor, soft: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return the cross entropy of the cell probability against the probability of not being background."""
        from .losses import cross_entropy_binary

        return cross_entropy_binary(output[:, CELL].float(), 1 - soft[:, 0], weight[:, 0].float())

    def forest_labels(self, labels: LabelArray) -> LabelArray:
        """Return 1 in every object."""
        return np.minimum(labels, 1)

    def forest_maps(self, probability: FloatArray, voxel_size: VoxelSize | None, dims: int) -> FloatArray:
        """Return the foreground as cell probability, with flows away from its rim."""
        spacing = outline_spacing(voxel_size, dims)
        maps = np.full((4, *probability.shape[1:]), 0.5, np.float32)
        maps[CELL] = probability[1]
        for index, part in split_by_slice((probability[1] > 0.5).astype(np.int32), dims):
            if min(part.shape) < 2:
                continue
            uphill = np.asarray(np.gradient(normalised_distance(part, spacing[-part.ndim :])))
            uphill /= np.maximum(np.linalg.norm(uphill, axis=0), 1e-6)
            maps[FLOW_X + 1 - part.ndim : CELL, index] = np.where(part > 0, (uphill + 1) / 2, 0.5)
        return maps

    def class_probability(self, maps: FloatArray) -> FloatArray:
        """Return one minus the cell probability, and the cell probability."""
        return np.stack([1 - maps[CELL], maps[CELL]])

    def activate(self, output: torch.Tensor) -> torch.Tensor:
        """Return flows of −1 … 1 as 0 … 1, and the logistic function of the cell probability."""
        import torch

        flows = (output[:, :CELL] / (2 * UNIT) + 0.5).clamp(0, 1)
        return torch.cat([flows, output[:, CELL:].sigmoid()], 1)

    def decode(self, maps: MapArray, voxel_size: VoxelSize | None, dims: int) -> Objects:
        """Follow the flows to objects; with ``dims == 2`` ids are unique over slices. Takes bytes as well."""
        flat = dims == 2 or maps.shape[1] == 1
        chosen = self.settings
        how = Following(
            chosen.cellprob_threshold,
            chosen.flow_threshold if flat else None,
            chosen.minimum_size,
            max(1, round(chosen.iterations / chosen.scale)),
        )
        found, tables, count = [], [np.zeros((1, len(FEATURE_NAMES)), np.float32)], 0
        for part in [maps[:, z] for z in range(maps.shape[1])] if flat else [maps]:
            labels, table = follow(part[FLOW_Y:] if flat else part, how)
            found.append(np.where(labels > 0, labels + np.int32(count), 0))
            tables.append(table[1:])
            count += len(table) - 1
        table = np.concatenate(tables)
        labels = (np.stack(found) if flat else found[0]).astype(np.int32)
        return Objects(labels, table[:, 0].copy(), table, extra={"dims": 2 if flat else 3})

    def uncertainty(self, maps: FloatArray) -> FloatArray:
        """Return how unsure the cell probability is, and within cells how little the flows agree on a direction."""
        cell = as_shares(maps[CELL])
        flows = 2 * as_shares(maps[:CELL]) - 1
        lost = cell * (1 - np.minimum(1, np.linalg.norm(flows, axis=0)))
        unsure: FloatArray = np.maximum(1 - np.abs(2 * cell - 1), lost).astype(np.float32)
        return unsure

    def metrics(self, examples: Iterable[Example]) -> dict[str, float]:
        """Average precision and more; ``score`` is the mean average precision at IoU 0.5 to 0.9."""
        return object_metrics(examples)
