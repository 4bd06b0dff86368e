"""Slice by slice or whole volumes: what a training set calls for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ConfigError
from ..volumes.units import VoxelSize
from .config import TrainConfig

FEW_SLICES = 8
CLASS_SLICES = 32
CLASS_ANISOTROPY = 3.0
SAME_SPACING = 1.01


@dataclass(frozen=True)
class Depth:
    """What the choice depends on, for one crop.

    Parameters
    ----------
    slices : int
        Extent in z at the training magnification.
    continued : float
        Share of foreground voxels whose neighbour in the next slice has the same id, 0 … 1.
    voxel_size : tuple of float or None
        Nanometres in z, y, x order.
    followed : float
        Share of foreground voxels whose neighbour in the next slice is labelled at all, 0 … 1.
    learned : bool
        Whether it is there to learn from, not only to measure.
    """

    slices: int
    continued: float
    voxel_size: VoxelSize | None = None
    followed: float = 1.0
    learned: bool = True


@dataclass(frozen=True)
class Dims:
    """The choice and its reason.

    Parameters
    ----------
    dims : {2, 3}
        Slice by slice, or whole volumes.
    reason : str
        A sentence for people.
    """

    dims: int
    reason: str


def resolve_dims(config: TrainConfig, crops: Sequence[Depth], instances: bool, continuous: bool = False) -> Dims:
    """Choose between 2-D and 3-D as the config says, or by the crops if it says ``auto``.

    By the crops it is 3-D where a network can learn something from the third axis and the result gains by it:

    - There must be 8 slices in every crop. A network that halves z twice has nothing left of fewer.
    - Labels must go on from slice to slice. Where most foreground voxels have another id, or nothing, above them,
      the slices are separate images, or single slices were painted; ids mean nothing across them.
    - Objects gain their third dimension. Classes do not: a class map of all slices is already the volume, and a
      2-D network learns it in a fraction of the time. They are 3-D only with 32 slices or more, no farther apart
      than 3 times the pixel size, so that a neighbouring slice really tells something new.

    Parameters
    ----------
    config : TrainConfig
        Whose ``dims`` counts; a stack with ``dims: 2`` is a set of slices.
    crops : sequence of Depth
        One per crop.
    instances : bool
        Whether labels are ids of objects, otherwise of classes.
    continuous : bool
        Whether the task's objects always go on through a stack, so that it is 3-D unless ids begin anew in every
        slice, or single slices are painted of sections too far apart to learn the third axis from the others.

    Raises
    ------
    ConfigError
        If 3-D is asked for and a crop has a single slice.
    """
    fewest = min((crop.slices for crop in crops), default=1)
    if config.dims == "2":
        return Dims(2, "2-D, as you chose: every slice is an image of its own.")
    if config.dims == "3":
        if fewest == 1:
            raise ConfigError(
                "3-D training is asked for, but a box has a single slice",
                "boxes of several slices, best 32 or more",
                "choose 2-D, or draw boxes over several slices",
            )
        return Dims(3, "3-D, as you chose.")
    if fewest == 1:
        return Dims(
            2, "2-D, because " + ("every" if all(c.slices == 1 for c in crops) else "a") + " box has one slice."
        )
    if continuous:
        return _resolve_continuous(crops)
    if fewest < FEW_SLICES:
        return Dims(2, f"2-D, because a box has only {fewest} slices (3-D needs {FEW_SLICES}).")
    if max(crop.continued for crop in crops) < 0.5:
        return Dims(2, "2-D, because labels do not go on from slice to slice.")
    if not instances and fewest < CLASS_SLICES:
        return Dims(2, f"2-D, because classes in {fewest} slices are learned faster that way; --dims 3 changes it.")
    if not instances and any(_anisotropy(crop.voxel_size) > CLASS_ANISOTROPY for crop in crops):
        return Dims(2, "2-D, because slices are far apart and classes need no third axis; --dims 3 changes it.")
    return Dims(3, "3-D, because labels go on from slice to slice.")


def _resolve_continuous(crops: Sequence[Depth]) -> Dims:
    crops = [crop for crop in crops if crop.learned] or crops
    followed = [crop for crop in crops if crop.followed > 0]
    if followed and all(crop.continued < crop.followed / 2 for crop in followed):
        return Dims(2, "2-D, because ids begin anew in every slice; --dims 3 changes it.")
    if not followed and any(_anisotropy(crop.voxel_size) > SAME_SPACING for crop in crops):
        return Dims(2, "2-D, because only single slices are labelled, and sections are farther apart than pixels.")
    return Dims(3, "3-D, because these objects go on from slice to slice.")


def _anisotropy(voxel_size: VoxelSize | None) -> float:
    if voxel_size is None:
        return 1.0
    return voxel_size[0] / min(voxel_size[1:])
