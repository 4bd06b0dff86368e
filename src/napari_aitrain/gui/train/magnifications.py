"""The magnifications that a training source can be trained at."""

from __future__ import annotations

from collections.abc import Iterable

from ...annotation.rules import MINIMUM_EXTENT
from ...errors import AitrainError
from ...geometry import FINEST, Triple, format_magnification, magnified_shape, parse_magnification
from ...training.config import Source
from ...volumes import open_volume

_USUAL: tuple[Triple, ...] = (FINEST, (1, 2, 2), (2, 2, 2), (1, 4, 4), (2, 4, 4), (4, 4, 4), (1, 8, 8))


def choices(shape: Triple | None, stored: Iterable[Triple] = ()) -> tuple[str, ...]:
    """Return magnifications to choose from, finest first, as WEBKNOSSOS writes them.

    Parameters
    ----------
    shape : tuple of int, optional
        Of the image, in z, y, x order; too coarse ones are left out. None is not known.
    stored : iterable of tuple of int
        Those that image and ground truth have in common on disk, or that is in use; always offered.
    """
    fit = [m for m in _USUAL if shape is None or _fits(shape, m)]
    every = sorted({*fit, *stored}, key=lambda m: (m[0] * m[1] * m[2], m))
    return tuple(dict.fromkeys(format_magnification(m) for m in every))


def choices_of_files(source: Source) -> tuple[str, ...]:
    """Return the magnifications of a source in files; what cannot be opened is taken to have all of them."""
    now = parse_magnification(source.magnification)
    try:
        image = open_volume(source.image, axes=source.axes)
        labels = open_volume(source.labels, kind="labels")
    except AitrainError:
        return choices(None, [now])
    return choices(image.shape, {*image.magnifications} & {*labels.magnifications} | {now})


def _fits(shape: Triple, magnification: Triple) -> bool:
    if magnification == FINEST:
        return True
    z, y, x = magnified_shape(shape, magnification)
    return min(y, x) >= MINIMUM_EXTENT and (magnification[0] == 1 or z >= MINIMUM_EXTENT)
