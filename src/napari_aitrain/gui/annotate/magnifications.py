"""Which magnifications are worth offering for an image, and what a person typed."""

from __future__ import annotations

from typing import Any

from ...errors import ConfigError
from ...geometry import FINEST, Triple, format_magnification, magnified_shape, parse_magnification, triple
from ..frames import LayerFrame

_LEAST = 32
_COARSEST = 16


def offered(layer: Any) -> list[Triple]:
    """Return magnifications for an image layer, finest first, in z, y, x order.

    Those that bring voxels nearer to cubes, as WEBKNOSSOS makes them: only the axes that are finer than half the
    coarsest are halved, from then on all. Also the levels of a multiscale image, and x and y alone, since a scale is
    often not known. None leaves fewer than 32 voxels along x or y. Of a 2-D image z is given as x, and does not count.

    Raises
    ------
    VolumeError
        If the layer is rotated or sheared.
    """
    frame = LayerFrame.of(layer)
    found = [FINEST, (2, 2, 2), (1, 2, 2), (1, 4, 4), (4, 4, 4), *_towards_cubes(frame), *levels_of(layer, frame)]
    if frame.flat:
        found = [(x, y, x) for _, y, x in found]
    fitting = [m for m in dict.fromkeys(found) if m == FINEST or _fits(m, frame)]
    return sorted(fitting, key=lambda m: (max(m), m[0] * m[1] * m[2]))


def typed(text: str, layer: Any) -> Triple:
    """Return the magnification that a person typed for an image layer.

    Raises
    ------
    AitrainError
        If the text is no magnification, or the image is too small for it.
    """
    try:
        m = parse_magnification(text)
    except ConfigError as error:
        raise ConfigError(
            f"{text.strip()!r} is no magnification",
            error.expected,
            "write 2-2-1 to paint half as fine in x and y and every section in z, or 1 for every voxel",
        ) from error
    frame = LayerFrame.of(layer)
    first = 1 if frame.flat else 0
    if any(f > n for f, n in zip(m[first:], frame.shape[first:], strict=True)):
        extents = " × ".join(str(n) for n in reversed(frame.shape[first:]))
        raise ConfigError(
            f"magnification {format_magnification(m)} is coarser than all of {layer.name}",
            f"no more than its {extents} voxels",
            "choose a finer one, such as 1 or 2",
        )
    return m


def painted_at(m: Triple, layer: Any) -> Triple:
    """Return the magnification of labels of an image layer: those of a 2-D image have no z."""
    return (1, m[1], m[2]) if LayerFrame.of(layer).flat else m


def _fits(m: Triple, frame: LayerFrame) -> bool:
    z, y, x = magnified_shape(frame.shape, m)
    return min(y, x) >= _LEAST and (frame.flat or m[0] == 1 or z > 1)


def _towards_cubes(frame: LayerFrame) -> list[Triple]:
    size = [abs(s) for s in frame.scale[1 if frame.flat else 0 :]]
    m, found = [1] * len(size), []
    while max(m) < _COARSEST:
        now = [s * f for s, f in zip(size, m, strict=True)]
        m = [f * 2 if s <= max(now) / 2 or max(now) < 2 * min(now) else f for f, s in zip(m, now, strict=True)]
        found.append(triple([m[-1], *m] if frame.flat else m))
    return found


def levels_of(layer: Any, frame: LayerFrame) -> list[Triple]:
    """Return the magnifications of the coarser levels of an image layer, in z, y, x order."""
    if not layer.multiscale:
        return []
    end = -1 if frame.rgb else None
    count = 2 if frame.flat else 3
    finest = tuple(layer.data[0].shape[:end])[-count:]
    found = []
    for level in layer.data[1:]:
        m = [max(1, round(a / b)) for a, b in zip(finest, tuple(level.shape[:end])[-count:], strict=True)]
        found.append(triple([m[-1], *m] if frame.flat else m))
    return found
