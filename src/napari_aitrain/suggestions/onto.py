"""How the voxels of a prediction lie on those of its image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..geometry import Region, Triple, triple
from ..inference.store import PredictionInfo, StoredPrediction
from ..tasks.protocol import LabelArray


@dataclass(frozen=True)
class Onto:
    """A prediction on its image.

    Parameters
    ----------
    factors : tuple of float
        Length of its voxels in voxels of the image, z, y, x.
    start, shape : tuple of int
        First voxel of the prediction, and its extent, in its own voxels.
    """

    factors: tuple[float, float, float]
    start: Triple
    shape: Triple

    @classmethod
    def of(cls, info: PredictionInfo) -> Onto:
        """Return how a stored prediction lies."""
        z, y, x = info.magnification if info.resampled is None else info.resampled.factors
        return cls((float(z), float(y), float(x)), info.start, info.shape)

    @property
    def region(self) -> Region:
        """What of the image is predicted; voxels of the image that are covered in part are left out."""
        start = [math.ceil(a * f - 1e-6) for a, f in zip(self.start, self.factors, strict=True)]
        stop = [math.floor((a + n) * f + 1e-6) for a, n, f in zip(self.start, self.shape, self.factors, strict=True)]
        return Region(triple(start), triple([max(a, b) for a, b in zip(start, stop, strict=True)]))

    def seen(self, region: Region) -> Region:
        """Return the voxels of the prediction, counted from its first, that a region of the image touches."""
        spans = zip(region.start, region.stop, self.factors, self.start, self.shape, strict=True)
        both = [
            (min(n - 1, max(0, math.floor(a / f + 1e-6) - s)), min(n, max(1, math.ceil(b / f - 1e-6) - s)))
            for a, b, f, s, n in spans
        ]
        return Region(triple([a for a, _ in both]), triple([max(a + 1, b) for a, b in both]))

    def on_image(self, labels: LabelArray, seen: Region, region: Region) -> LabelArray:
        """Return labels of `seen` on the voxels of a region of the image; each takes that which its middle is in."""
        places = [
            np.clip(np.floor((np.arange(a, b) + 0.5) / f).astype(np.int64) - s - first, 0, n - 1)
            for a, b, f, s, first, n in zip(
                region.start, region.stop, self.factors, self.start, seen.start, seen.shape, strict=True
            )
        ]
        return labels[np.ix_(*places)]


def labels_at(stored: StoredPrediction, region: Region, threshold: float | None = None) -> LabelArray:
    """Return what a prediction shows in a region of its image, on the image's voxels."""
    onto = Onto.of(stored.info)
    seen = onto.seen(region)
    return onto.on_image(stored.labels(seen, threshold), seen, region)
