"""Starter models: they ship with the package, and are what a training begins with where they fit."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from pathlib import Path

from ..errors import ModelError
from ..tasks import get_task
from .card import ModelCard
from .folder import CARD, read_card

FOLDER = Path(__file__).parents[1] / "starters"
EM_VOXEL = 20.0
"""nm; light microscopes do not sample more finely than this."""
ALIKE = 2.5
"""Voxels are alike if their lengths, or the ratios of these, differ by less than this factor."""


def starter_names() -> list[str]:
    """Return the names of the starter models."""
    return sorted(folder.parent.name for folder in FOLDER.glob(f"*/{CARD}"))


def starter_folder(name: str) -> Path:
    """Return the folder of a starter model.

    Raises
    ------
    ModelError
        If there is none of this name; the nearest one is named.
    """
    names = starter_names()
    if name in names:
        return FOLDER / name
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
    raise ModelError(
        f"there is no starter model {name!r}",
        "one of " + ", ".join(names) if names else "an installation that has starter models",
        f"did you mean {near[0]!r}?" if near else "start from scratch, or install napari-aitrain again",
    )


def fitting_starter(task: str, dims: int, channels: int, voxel_size: Sequence[float] | None) -> str | None:
    """Return the name of the starter model for a training set, if there is one.

    Parameters
    ----------
    task : str
        Its name.
    dims : {2, 3}
        Slices or volumes.
    channels : int
        Of the image.
    voxel_size : sequence of float, optional
        nm, z, y, x.
    """
    for name in starter_names():
        try:
            card = read_card(FOLDER / name)
        except ModelError:
            continue
        same = (card.task, card.dims, len(card.channels)) == (task, dims, channels)
        if same and _looks_alike(card, voxel_size):
            return name
    return None


def _looks_alike(card: ModelCard, voxel_size: Sequence[float] | None) -> bool:
    """Whether the images may come from a microscope like that of the model's images."""
    lengths = get_task(card.task).needs_voxel_size
    if voxel_size is None:
        return not lengths
    axes = range(3 - card.dims, 3)
    finest = min(voxel_size[axis] for axis in axes)
    if card.voxel_size is None:
        return finest > EM_VOXEL
    learned = min(card.voxel_size[axis] for axis in axes)
    if (finest <= EM_VOXEL) != (learned <= EM_VOXEL):
        return False
    # Objects of another size are met by scaling, which leaves the ratios of the axes as they are.
    unit, own = (1.0, 1.0) if lengths else (finest, learned)
    ratios = [voxel_size[axis] / unit * own / card.voxel_size[axis] for axis in axes]
    return all(abs(math.log(ratio)) < math.log(ALIKE) for ratio in ratios)
