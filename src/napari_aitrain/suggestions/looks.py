"""What a place looks like, to the model and as an image, as a few numbers that can be compared."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..tasks.protocol import FloatArray

_LEVELS = (10, 50, 90)


def looks_of(maps: FloatArray, image: FloatArray | None = None) -> npt.NDArray[np.float64]:
    """Return features of a place: levels and roughness of what the network says, and of the image.

    Parameters
    ----------
    maps : ndarray of float32, shape (heads, z, y, x)
        Activated maps.
    image : ndarray of float32, shape (c, z, y, x), optional
        Normalised.
    """
    parts = list(maps) if image is None else [*maps, *image]
    return np.concatenate([_of(part) for part in parts])


def _of(values: FloatArray) -> npt.NDArray[np.float64]:
    rough = [np.abs(np.diff(values, axis=axis)).mean() for axis in (1, 2) if values.shape[axis] > 1]
    coarse = values[:, ::4, ::4]
    far = [np.abs(np.diff(coarse, axis=axis)).mean() for axis in (1, 2) if coarse.shape[axis] > 1]
    return np.array([*np.percentile(values, _LEVELS), values.std(), *rough, *far], float)
