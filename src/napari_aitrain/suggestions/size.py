"""How large a suggested box is."""

from __future__ import annotations

from collections.abc import Sequence

from ..annotation.rules import MINIMUM_EXTENT
from ..geometry import Region, Triple, align_inwards, parse_magnification, triple
from ..models import ModelCard
from ..nets import read_network
from ..nets.patches import patch_shape


def useful_size(
    card: ModelCard,
    shape: Triple,
    magnification: Triple | None = None,
    boxes: Sequence[Region] = (),
    wanted: Triple | None = None,
) -> Triple:
    """Return the extent of a box that a training makes good use of, in voxels of the image.

    It is the patch that the network learns from at once: less leaves its border without context, and of more, parts
    are seen seldom. Along each axis it has whole voxels of the magnification, at least 32 of them (a rule of
    WEBKNOSSOS), and is a multiple of the smallest box that there is (another one), as far as the image is large enough.

    Parameters
    ----------
    card : ModelCard
        Of the model; one that sees slices gets boxes of one slice.
    shape : tuple of int
        Of the image, z, y, x.
    magnification : tuple of int, optional
        Of the ground truth; that of the training if not given.
    boxes : sequence of Region
        Those that there are.
    wanted : tuple of int, optional
        What a person asked for instead of the patch, in voxels of the image.

    Returns
    -------
    tuple of int
        z, y, x.
    """
    grid = magnification or parse_magnification(card.magnification)
    whole = triple([max(1, n // g) for n, g in zip(shape, grid, strict=True)])
    if wanted is not None:
        sizes = [max(1, round(n / g)) for n, g in zip(wanted, grid, strict=True)]
    else:
        patch = patch_shape(read_network(card.network), [whole])
        sizes = [max(1, round(n / card.scale)) for n in patch]
    flat = card.dims == 2 or shape[0] == 1
    fitted = []
    for axis, (size, most) in enumerate(zip(sizes, whole, strict=True)):
        if flat and axis == 0:
            fitted.append(1)
            continue
        unit = 1 if wanted is not None else _smallest(boxes, grid, axis)
        size = max(MINIMUM_EXTENT, round(size / unit) * unit, unit)
        while size > most and size > unit:
            size -= unit
        fitted.append(max(1, min(size, most)))
    cut = [min(n * g, extent) for n, g, extent in zip(fitted, grid, shape, strict=True)]
    return triple(cut)


def _smallest(boxes: Sequence[Region], grid: Triple, axis: int) -> int:
    extents = [align_inwards(box, grid).shape[axis] for box in boxes]
    usable = [extent for extent in extents if extent >= MINIMUM_EXTENT]
    return min(usable, default=1)
