"""Rules for what a task asks of the images: a stack, a voxel size, sections that are not too far apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..annotation.findings import Finding, error, warning
from ..tasks.protocol import Task

if TYPE_CHECKING:
    from .plan import PlannedCrop
    from .sources import SourceImage

MOST_ANISOTROPIC = 20.0


def check_needs(crops: Sequence[PlannedCrop], task: type[Task]) -> Iterator[Finding]:
    """Check what a task needs of each image.

    Parameters
    ----------
    crops : sequence of PlannedCrop
        The boxes of all sources.
    task : type of Task
        What is to be learned.
    """
    for image in dict.fromkeys(crop.image for crop in crops):
        yield from _check_stack(image, task)
        yield from _check_voxel_size(image, task)


def _check_stack(image: SourceImage, task: type[Task]) -> Iterator[Finding]:
    if task.continuous and image.shape[0] == 1:
        yield error(
            "single-slice",
            f"{image.name} is a single slice; {task.title} follows objects through a stack of slices.",
            'For single images choose the task "Objects" (instances).',
            image.name,
        )


def _check_voxel_size(image: SourceImage, task: type[Task]) -> Iterator[Finding]:
    size = image.voxel_size
    if not task.needs_voxel_size:
        return
    if size is None:
        yield error(
            "voxel-size-needed",
            f"The voxel size of {image.name} is not known; {task.title} works in nm: what it compares, and how it "
            "treats images of another resolution, would be wrong without it.",
            "Give the voxel size in nm, for example --voxel-size 40,4,4 (z, y, x).",
            image.name,
        )
    elif max(size) > MOST_ANISOTROPIC * min(size):
        yield warning(
            "anisotropic",
            f"Voxels of {image.name} are {max(size) / min(size):.0f} times as long along one axis as along another "
            f"({' × '.join(f'{value:g}' for value in size)} nm, z × y × x).",
            "Check the voxel size. If it is right, train with --dims 2, or at a coarser magnification in the plane.",
            image.name,
        )
