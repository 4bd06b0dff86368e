"""An image with its exact truth and boxes to train and test on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..annotation.boxes import Box


@dataclass(frozen=True)
class Sample:
    """An image with its exact truth.

    Parameters
    ----------
    name : str
        What people call it.
    image : ndarray of uint8 or uint16, shape (c, z, y, x)
        A 2-D image has a z extent of 1.
    labels : ndarray of int32, shape (z, y, x)
        Ids of the objects; 0 is background.
    voxel_size : tuple of float
        In nm, in z, y, x order.
    boxes : tuple of Box
        Some to train on, one for validation, some for the test.
    classes : ndarray of int32, shape (z, y, x), optional
        Ids of the classes, where the sample has more to tell apart than objects.
    class_names : tuple of str
        Names of the classes, from id 0.
    """

    name: str
    image: npt.NDArray[np.integer]
    labels: npt.NDArray[np.int32]
    voxel_size: tuple[float, float, float]
    boxes: tuple[Box, ...]
    classes: npt.NDArray[np.int32] | None = None
    class_names: tuple[str, ...] = ()
