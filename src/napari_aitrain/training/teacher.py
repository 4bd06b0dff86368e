"""A pixel forest beside the network: the first preview, a teacher on unlabelled voxels, and company while it is better.

From few strokes nothing beats a forest on filter features for the first seconds, and a network that also learns from
the forest's probabilities where nothing is painted overtakes it sooner (docs/benchmarks.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..geometry import Region, Triple
from ..inference.predictor import Network
from ..tasks.protocol import Example, FloatArray, Task
from .crops import Crop
from .forest import PixelForest
from .previews import Place, PreviewRegion, predict_preview_maps
from .validation import Validator

FIT_VOXELS = 2**25
MARGIN = {2: (0, 16, 16), 3: (2, 8, 8)}
PRIOR_SAMPLES = 4
PRIOR_EXTENT = {2: (1, 192, 192), 3: (16, 96, 96)}
BLENDS = (0.0, 0.5, 1.0)
CLEARLY_BETTER = 0.05
DOUBT_HALVED = 60
"""Steps after which the network must be better by half as much."""


class Teacher:
    """A forest fitted to the training crops.

    Parameters
    ----------
    crops : sequence of Crop
        The training crops; what is labelled in them is learned.
    task : Task
        Says what of the labels a forest can learn.
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
        truths = [task.forest_labels(region.labels()) for region in regions]
        self.forest.fit([region.image() for region in regions], truths, task.classes, seed)
        self._prior = self._estimate_prior(crops, seed)
        self._taught: dict[tuple[int, Region], npt.NDArray[np.float16]] = {}
        self._seen: dict[tuple[object, ...], FloatArray] = {}
        self._score: float | None = None
        self.blend = 1.0

    @property
    def complete(self) -> bool:
        """Whether voxels of every class were labelled; else the forest finds the others everywhere."""
        return bool((self.forest.shares > 0).all())

    @property
    def stroke_bias(self) -> npt.NDArray[np.float32]:
        """By how much strokes raise the logit of each class over its frequency in the images, shape (classes,).

        Added to a network's output before it is compared with strokes, it lets the network itself learn the frequency
        in the images, and agree with `soft_labels` (logit adjustment, Menon et al. 2021). Half of it, because the
        frequency is a rough estimate.
        """
        ratio = self._prior.reshape(-1).clip(1e-2, 1e2)
        bias: npt.NDArray[np.float32] = (-0.5 * np.log(ratio)).astype(np.float32)
        return bias

    def soft_labels(self, crop: Crop, region: Region) -> FloatArray:
        """Return the forest's probabilities in a region of a training crop, kept; shape (classes, z, y, x)."""
        key = (crop.number, region)
        if key not in self._taught:
            outer = region.grow(MARGIN[self._dims]).intersect(Region.from_shape(crop.shape))
            found = self._predict(PreviewRegion(crop, outer))
            inner = region.relative_to(outer.start).slices
            self._taught[key] = found[(slice(None), *inner)].astype(np.float16)
        return self._taught[key].astype(np.float32)

    def _predict(self, region: Place) -> FloatArray:
        maps = self.forest.predict(region.image()) * self._prior
        maps /= np.maximum(maps.sum(0, keepdims=True), 1e-6)
        return maps

    def _estimate_prior(self, crops: Sequence[Crop], seed: int) -> FloatArray:
        """Return by how much each class is rarer or more frequent than its share of the strokes.

        People paint as much of a rare class as of a frequent one, and a forest that learned that claims the rare one
        everywhere. This is the first step of the estimate by Saerens et al. 2002; further ones run away, since the
        forest's probabilities are not exact.
        """
        chance = np.random.default_rng(seed)
        mean = np.zeros(len(self._task.classes))
        for _ in range(PRIOR_SAMPLES):
            crop = crops[int(chance.integers(len(crops)))]
            shape = [min(a, b) for a, b in zip(crop.shape, PRIOR_EXTENT[self._dims], strict=True)]
            start = [int(chance.integers(whole - n + 1)) for whole, n in zip(crop.shape, shape, strict=True)]
            found = self.forest.predict(PreviewRegion(crop, Region.from_shape(shape, start)).image())
            mean += found.reshape(len(mean), -1).mean(1) / PRIOR_SAMPLES
        ratio = mean / np.maximum(self.forest.shares, 1e-6)
        return ratio.astype(np.float32).reshape(-1, 1, 1, 1)

    def maps(self, place: Place) -> FloatArray:
        """Return what the forest makes of a place, as maps of the task, kept for the next time."""
        if place.key not in self._seen:
            self._seen[place.key] = self._task.forest_maps(self._predict(place), place.voxel_size, self._dims)
        return self._seen[place.key]

    def forget(self, place: Place) -> None:
        """Let go of what is kept for a place."""
        self._seen.pop(place.key, None)

    def blended(self, network: Network, region: Place) -> FloatArray:
        """Return the mean of forest and network that was best on validation so far."""
        if self.blend == 1:
            return self.maps(region)
        maps = predict_preview_maps(network, self._task, region, self._dims)
        return maps if self.blend == 0 else _mix(maps, self.maps(region), self.blend)

    def judge(self, network: Network, validator: Validator, steps: int) -> dict[str, float]:
        """Measure the network, and go on with whichever of forest, network and their mean explains validation best.

        Where validation is labelled densely, its score decides between forest and network, in doubt for the network.
        """
        own = [predict_preview_maps(network, self._task, region, self._dims) for region in validator.regions]
        metrics = self._metrics(own, validator)
        if any(region.crop.sparse for region in validator.regions):
            self.blend = self._most_likely(own, validator, steps)
        else:
            if self._score is None:
                maps = [self.maps(region) for region in validator.regions]
                self._score = self._metrics(maps, validator).get("score", 0.0)
            self.blend = 1.0 if self._score > metrics.get("score", 1.0) + CLEARLY_BETTER else 0.0
        return metrics

    def _metrics(self, maps: Sequence[FloatArray], validator: Validator) -> dict[str, float]:
        rows: list[Example] = []
        for region, found in zip(validator.regions, maps, strict=True):
            objects, truth = self._task.decode(found, region.crop.voxel_size, self._dims), region.labels()
            rows.append((objects, truth, truth >= 0))
        return self._task.metrics(rows)

    def _most_likely(self, own: Sequence[FloatArray], validator: Validator, steps: int) -> float:
        """Return the blend that makes the ground truth most likely: of a few strokes, all soon get every voxel right.

        A young network can be sure of the strokes and wrong elsewhere, so at first it must be much better.
        """
        doubt = math.exp2(-steps / DOUBT_HALVED)
        gain = dict.fromkeys(BLENDS, 0.0)
        for region, maps in zip(validator.regions, own, strict=True):
            truth = self._task.forest_labels(region.labels())
            for blend in BLENDS:
                mixed = self._task.class_probability(_mix(maps, self.maps(region), blend))
                gain[blend] += self._log_likelihood(mixed, truth) - doubt * (1 - blend)
        return max(BLENDS, key=gain.__getitem__)

    def _log_likelihood(self, probability: FloatArray, truth: npt.NDArray[np.int32]) -> float:
        """Return the mean over classes of the mean log probability of their voxels."""
        each = [
            float(np.log(np.clip(probability[channel][truth == name], 1e-4, 1)).mean())
            for channel, name in enumerate(self._task.classes)
            if (truth == name).any()
        ]
        return float(np.mean(each)) if each else 0.0


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
