"""A pixel forest beside the network: the first preview, a teacher on unlabelled voxels, and company while it is better.

From few strokes nothing beats a forest on filter features for the first seconds, and a network that also learns from
the forest's probabilities where nothing is painted overtakes it sooner (docs/benchmarks.md).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..geometry import Region, Triple
from ..nets.runner import InferenceNetwork
from ..tasks.protocol import FloatArray, Task
from .crops import Crop
from .forest import PixelForest
from .previews import PreviewRegion, predict_preview_maps
from .validation import Judgement, Validator, mean_metrics

FIT_VOXELS = 2**25
BLOCK = {2: (1, 192, 192), 3: (16, 96, 96)}
MARGIN = {2: (0, 16, 16), 3: (2, 8, 8)}
BLENDS = (0.0, 0.5, 1.0)


class Teacher:
    """A forest fitted to the training crops.

    Parameters
    ----------
    crops : sequence of Crop
        The training crops; what is labelled in them is learned.
    task : Task
        A task whose classes are those of voxels.
    dims : {2, 3}
        Slices or volumes.
    seed : int
        Of every random choice.
    threads : int
        Processor threads.
    """

    def __init__(self, crops: Sequence[Crop], task: Task, dims: int, seed: int, threads: int) -> None:
        self._task, self._dims = task, dims
        self.forest = PixelForest(dims, crops[0].voxel_size, threads)
        regions = _regions_to_fit(crops)
        self.forest.fit([r.image() for r in regions], [r.labels() for r in regions], task.classes, seed)
        self._blocks: dict[tuple[int, Triple], npt.NDArray[np.float16]] = {}
        self._seen: dict[tuple[int, Region], FloatArray] = {}
        self.blend = 1.0

    def soft_labels(self, crop: Crop, region: Region) -> FloatArray:
        """Return the forest's probabilities in a region of a training crop, shape (classes, z, y, x).

        They are computed block by block when first asked for, and kept.
        """
        soft = np.empty((len(self._task.classes), *region.shape), np.float32)
        shape = BLOCK[self._dims]
        first = [at // size for at, size in zip(region.start, shape, strict=True)]
        last = [-(-at // size) for at, size in zip(region.stop, shape, strict=True)]
        for number in itertools.product(*(range(a, b) for a, b in zip(first, last, strict=True))):
            start = [n * size for n, size in zip(number, shape, strict=True)]
            block = Region.from_shape(shape, start).intersect(Region.from_shape(crop.shape))
            common = block.intersect(region)
            part = self._block(crop, block)[(slice(None), *common.relative_to(block.start).slices)]
            soft[(slice(None), *common.relative_to(region.start).slices)] = part
        return soft

    def _block(self, crop: Crop, block: Region) -> npt.NDArray[np.float16]:
        key = (crop.number, block.start)
        if key not in self._blocks:
            outer = block.grow(MARGIN[self._dims]).intersect(Region.from_shape(crop.shape))
            found = self.forest.predict(PreviewRegion(crop, outer).image())
            self._blocks[key] = found[(slice(None), *block.relative_to(outer.start).slices)].astype(np.float16)
        return self._blocks[key]

    def maps(self, region: PreviewRegion) -> FloatArray:
        """Return the forest's probabilities in a preview region, kept for the next time."""
        key = (region.crop.number, region.region)
        if key not in self._seen:
            self._seen[key] = self.forest.predict(region.image())
        return self._seen[key]

    def blended(self, network: InferenceNetwork, region: PreviewRegion) -> FloatArray:
        """Return the mean of forest and network that was best on validation so far."""
        if self.blend == 1:
            return self.maps(region)
        maps = predict_preview_maps(network, self._task, region, self._dims)
        return maps if self.blend == 0 else _mix(maps, self.maps(region), self.blend)

    def judge(self, network: InferenceNetwork, validator: Validator) -> dict[str, float]:
        """Measure network, forest and their mean; go on with the best; return the network's metrics."""
        rows: dict[float, list[dict[str, float]]] = {blend: [] for blend in BLENDS}
        for region in validator.regions:
            own = predict_preview_maps(network, self._task, region, self._dims)
            for blend in BLENDS:
                rows[blend].append(self._task.metrics(*self._judged(_mix(own, self.maps(region), blend), region)))
        scores = {blend: mean_metrics(some).get("score", -math.inf) for blend, some in rows.items()}
        self.blend = max(BLENDS, key=lambda blend: (scores[blend], -blend))
        return mean_metrics(rows[0.0])

    def _judged(self, maps: FloatArray, region: PreviewRegion) -> Judgement:
        truth = region.labels()
        return self._task.decode(maps, region.crop.voxel_size, self._dims), truth, truth >= 0


def _mix(network: FloatArray, forest: FloatArray, blend: float) -> FloatArray:
    return (network * (1 - blend) + forest * blend).astype(np.float32)


def _regions_to_fit(crops: Sequence[Crop]) -> list[PreviewRegion]:
    """Return whole crops, the richest in labels first, until they are as much as fits into memory."""
    left = FIT_VOXELS
    chosen: list[PreviewRegion] = []
    for crop in sorted(crops, key=lambda c: -c.labelled / max(1, math.prod(c.shape))):
        region = _labelled_slab(PreviewRegion.whole_of(crop))
        if chosen and region.region.size > left:
            break
        left -= region.region.size
        chosen.append(region)
    return chosen


def _labelled_slab(whole: PreviewRegion) -> PreviewRegion:
    """Cut off what lies outside the bounding box of the labels, but for the reach of the filters."""
    where = np.nonzero(whole.labels() >= 0)
    reach: Triple = (4, 32, 32)
    start = [max(0, int(axis.min()) - r) for axis, r in zip(where, reach, strict=True)]
    stop = [min(n, int(axis.max()) + 1 + r) for axis, r, n in zip(where, reach, whole.region.shape, strict=True)]
    slab = Region((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    return PreviewRegion(whole.crop, slab.shift(whole.region.start))
