"""Labels layers that lie exactly on an image, at a magnification."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
from napari.layers import Labels

from ...errors import GroundTruthError
from ...geometry import Region, Triple, magnified_shape, triple
from ..frames import LayerFrame

LARGEST_ID = 2**31 - 1


def new_labels(image: Any, magnification: Triple, name: str, region: Region | None = None) -> Labels:
    """Return an empty int32 labels layer of the place, units and axes of an image layer.

    A channel axis has one entry that spans all channels, so that what is painted belongs to each of them.

    Parameters
    ----------
    image : napari.layers.Image
        May be multiscale, lazy, RGB or have more axes than z, y and x.
    magnification : tuple of int
        In z, y, x order; z of a 2-D image is ignored.
    name : str
        Of the layer.
    region : Region, optional
        What to span, in voxels of the magnification; None means all of the image.

    Raises
    ------
    AitrainError
        If the image is rotated or sheared, or there is not enough memory.
    """
    frame = LayerFrame.of(image)
    region = region or Region.from_shape(magnified_shape(frame.shape, magnification))
    extents = [*frame.leading, *region.shape[1 if frame.flat else 0 :]]
    if frame.channel is not None:
        extents[frame.channel] = 1
    needed = 4 * int(np.prod(extents, dtype=np.int64))
    # Pages that were never painted take no memory, but many will be.
    if needed > 4 * psutil.virtual_memory().total:
        raise GroundTruthError(
            f"labels for all of {image.name} are {needed / 2**30:,.0f} GiB, more than this computer can hold",
            "labels that fit into memory where they are painted",
            "choose a coarser magnification, or paint what is on screen or in a box",
        )
    return Labels(
        np.zeros(extents, np.int32),
        name=name,
        **placed(image, magnification, region),
        affine=image.affine,
        units=image.units,
        axis_labels=image.axis_labels,
    )


def placed(image: Any, magnification: Triple, region: Region) -> dict[str, Any]:
    """Return scale and translate of labels that span a region of an image, in voxels of the magnification."""
    frame = LayerFrame.of(image)
    spatial = 2 if frame.flat else 3
    leading = len(frame.leading)
    factors = np.array([1] * leading + list(magnification[-spatial:]))
    first = np.array([0] * leading + list(region.start[-spatial:])) * factors
    if frame.channel is not None:
        factors[frame.channel] = frame.leading[frame.channel]
    scale, translate = np.array(image.scale), np.array(image.translate)
    return {"scale": scale * factors, "translate": translate + scale * (first + (factors - 1) / 2)}


def check_paintable(layer: Labels) -> None:
    """Check that a labels layer can be painted as ground truth.

    Raises
    ------
    AitrainError
        If it is multiscale, rotated or sheared.
    """
    LayerFrame.of(layer)
    if layer.multiscale:
        raise GroundTruthError(
            f"{layer.name} is a multiscale labels layer, which napari cannot paint",
            "labels of one scale",
            "make a new ground truth, or open the finest level of these labels alone",
        )


def magnification_of(layer: Labels, image: Any) -> Triple:
    """Return the magnification of labels relative to an image, from the two shapes.

    Raises
    ------
    GroundTruthError
        If there is no whole one.
    """
    labels, finest = LayerFrame.of(layer), LayerFrame.of(image)
    m = triple([max(1, round(b / a)) for a, b in zip(labels.shape, finest.shape, strict=True)])
    if magnified_shape(finest.shape, m) != labels.shape:
        raise GroundTruthError(
            f"{layer.name} has {_xyz(labels.shape)} voxels, but {image.name} has {_xyz(finest.shape)}",
            "labels with as many voxels as the image, or a whole fraction of them",
            "choose the image that these labels were made on, or make a new ground truth",
        )
    return m


def check_ids(name: str, values: npt.NDArray[Any]) -> int:
    """Return the largest id of labels, at least 0.

    Raises
    ------
    GroundTruthError
        If an id is negative, or too large to be kept in 32 bits.
    """
    smallest, largest = int(values.min(initial=0)), int(values.max(initial=0))
    if smallest < 0 or largest > LARGEST_ID:
        raise GroundTruthError(
            f"{name} holds the id {smallest if smallest < 0 else largest:,}",
            f"ids from 0 to {LARGEST_ID:,}",
            "number the labels anew from 1, as skimage.segmentation.relabel_sequential does, and open those",
        )
    return largest


def check_free(name: str, number: int) -> None:
    """Check that an id can be painted.

    Raises
    ------
    GroundTruthError
        If it is too large.
    """
    if number > LARGEST_ID:
        raise GroundTruthError(
            f"no id is free in {name}: it holds the largest that there can be",
            f"ids below {LARGEST_ID:,}",
            "number the labels anew from 1, as skimage.segmentation.relabel_sequential does, and open those",
        )


def _xyz(shape: Triple) -> str:
    return "×".join(str(n) for n in reversed(shape))
