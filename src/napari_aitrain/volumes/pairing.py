"""Whether an image and its labels belong together, and what probably happened if not."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AitrainError, GroundTruthError
from ..geometry import Region, Triple, format_magnification, magnified_shape, triple
from .volume import Volume

_LOOK = 512
_SECTIONS = 3
_MAX_FACTOR = 64


def explain_shape_mismatch(image: Volume, labels: Volume) -> AitrainError:
    """Return the error for labels of another shape than their image, with the likely cause.

    Recognised are swapped files, axes in another order, another magnification, sections taken for channels, and
    labels of one section only.

    Parameters
    ----------
    image, labels : Volume
        At the same magnification, with different shapes.
    """
    what = (
        f"the labels {labels.name} are {_xyz(labels.shape)} voxels (x×y×z), their image {image.name} is"
        f" {_xyz(image.shape)}"
    )
    expected = "labels of the same shape as their image"
    if looks_swapped(image, labels):
        return GroundTruthError(
            f"{what}; the image looks like labels and the labels like an image", expected, "swap the two files"
        )
    return GroundTruthError(what, expected, _cause(image, labels))


def _cause(image: Volume, labels: Volume) -> str:
    order = _permutation(image.shape, labels.shape)
    if order:
        named = "".join("zyx"[i] for i in order)
        return (
            f"the axes seem to be in another order: reading {labels.name} or {image.name} as {named} would fit; set"
            f" axes for the image, or save the labels transposed, numpy.transpose(labels, {order})"
        )
    if image.shape[0] == 1 and labels.shape == (len(image.channels), *image.shape[1:]):
        return f"the {len(image.channels)} sections of {image.name} were taken for channels: set axes to zyx"
    if labels.shape == (1, *image.shape[1:]):
        return (
            "the labels are those of one section: save labels for every section, or only the section that is labelled"
        )
    factor = _factor(image.shape, labels.shape)
    if factor:
        return (
            f"the labels seem to be made at magnification {format_magnification(factor)}: scale them up to the image"
            " without interpolation, or give that image level as the image"
        )
    factor = _factor(labels.shape, image.shape)
    if factor:
        return (
            f"the image seems to be a smaller copy, at magnification {format_magnification(factor)}: give the image"
            " on which the labels were painted"
        )
    if labels.shape[1:] == image.shape[1:]:
        return "they have the same x and y: save labels for every section, or only the sections that are labelled"
    return "check that these two files belong together"


def looks_swapped(image: Volume, labels: Volume) -> bool:
    """Guess whether image and labels were swapped, from a bounded look at the middle of both.

    Labels are whole numbers that stay the same from voxel to voxel inside an object, while an image varies.

    Parameters
    ----------
    image, labels : Volume
        As they were given.
    """
    if image.dtype.kind == "f" or len(image.channels) > 1:
        return False
    return _constancy(image) > 0.7 and _constancy(labels) < 0.5


def check_not_swapped(image: Volume, labels: Volume) -> None:
    """Raise `GroundTruthError` if the two `looks_swapped`."""
    if looks_swapped(image, labels):
        raise GroundTruthError(
            f"{image.name}, given as the image, looks like labels, and {labels.name}, given as labels, like an image",
            "an image with varying intensities, and labels with one number per object",
            "swap the two",
        )


def _constancy(volume: Volume) -> float:
    """Return how often neighbours along x are equal, where at least one of them is not the most frequent value."""
    depth = volume.shape[0]
    values = []
    for z in sorted({depth * part // (_SECTIONS + 1) for part in range(1, _SECTIONS + 1)}):
        start = triple([z, *(max(0, (n - _LOOK) // 2) for n in volume.shape[1:])])
        values.append(volume.read(Region.from_shape((1, _LOOK, _LOOK), start).intersect(volume.region))[0, 0])
    return _equal_neighbours(np.stack(values))


def _equal_neighbours(array: npt.NDArray[Any]) -> float:
    ids, counts = np.unique(array, return_counts=True)
    if ids.size < 2:
        return 0.0
    common = ids[counts.argmax()]
    left, right = array[..., :-1], array[..., 1:]
    inside = (left != common) | (right != common)
    return float((left == right)[inside].mean()) if inside.any() else 0.0


def _permutation(image: Triple, labels: Triple) -> tuple[int, ...] | None:
    """Return the order of axes that turns the labels' shape into the image's, or None."""
    for order in itertools.permutations(range(3)):
        if order != (0, 1, 2) and tuple(labels[i] for i in order) == image:
            return order
    return None


def _factor(fine: Triple, coarse: Triple) -> Triple | None:
    """Return the downsampling that leads from one shape to the other, a last voxel more or less, or None."""
    factor = triple([max(1, round(a / b)) for a, b in zip(fine, coarse, strict=True)])
    rounded_down = tuple(n // f for n, f in zip(fine, factor, strict=True))
    fits = coarse in (magnified_shape(fine, factor), rounded_down)
    return factor if fits and 1 < max(factor) <= _MAX_FACTOR else None


def _xyz(shape: Triple) -> str:
    z, y, x = shape
    return f"{x}×{y}×{z}"
