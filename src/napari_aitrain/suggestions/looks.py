"""What a place looks like, to the model and as an image, as a few numbers that can be compared."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ..geometry import Region
from ..inference.store import PredictionInfo
from ..tasks.protocol import FloatArray
from ..volumes import Normalisation, Volume

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


def image_of(info: PredictionInfo, volume: Volume) -> Callable[[Region], FloatArray] | None:
    """Return what reads the normalised image of a region of a prediction; None where the image was resampled."""
    if info.resampled is not None:
        return None
    seen = volume if len(volume.channels) == len(info.low) else volume.select(info.channels)
    seen = seen.at(info.magnification)
    normalisation = Normalisation(low=info.low, high=info.high)
    return lambda region: normalisation.apply(seen.read(region.shift(info.start)))
