"""A pixel classifier that learns from a few strokes in a fraction of a second.

Extremely randomised trees (Geurts et al. 2006) on a bank of filters, as ilastik, Labkit and convpaint do with random
forests. It gives the first preview of a semantic training and teaches the network on unlabelled voxels.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import ExtraTreesClassifier

from ..errors import GroundTruthError
from ..geometry import Region, Tile, Triple, tiles
from ..tasks.protocol import FloatArray, LabelArray, VoxelSize
from .filters import feature_maps

TREES = 50
MIN_LEAF = 3
MAX_SAMPLES = 20_000
MAX_BLOCKS = 16
CACHE_BYTES = 512 * 2**20
BLOCKS: dict[int, tuple[Triple, Triple]] = {2: ((1, 512, 512), (0, 32, 32)), 3: ((32, 128, 128), (8, 32, 32))}
"""Core and halo of the blocks that are filtered at once, per number of dimensions."""


class PixelForest:
    """Trees on filter features, learned from labelled voxels.

    Parameters
    ----------
    dims : {2, 3}
        Filter every section on its own, or in 3-D.
    voxel_size : tuple of float or None
        In z, y, x order; filters are equally wide in nm. Cubic voxels when unknown.
    threads : int
        Processor threads.
    """

    def __init__(self, dims: int = 2, voxel_size: VoxelSize | None = None, threads: int = 1) -> None:
        self._dims = dims
        self._spacing = (voxel_size or (1.0, 1.0, 1.0))[3 - dims :]
        self._threads = threads
        self._cache: OrderedDict[tuple[object, ...], tuple[FloatArray, FloatArray]] = OrderedDict()
        self._lock = Lock()
        self._trees: ExtraTreesClassifier | None = None
        self._classes: tuple[int, ...] = ()
        self.shares: npt.NDArray[np.float64] = np.zeros(0)
        """Share of each class among the voxels that were learned."""

    def fit(
        self,
        image: FloatArray | Sequence[FloatArray],
        labels: LabelArray | Sequence[LabelArray],
        classes: Sequence[int],
        seed: int,
    ) -> PixelForest:
        """Learn from labelled voxels, at most `MAX_SAMPLES` of them.

        Parameters
        ----------
        image : ndarray of float32, shape (c, z, y, x), or a sequence of them
            Normalised.
        labels : ndarray of int32, shape (z, y, x), or a sequence of them
            Class ids; −1 and ids that are not in `classes` are unlabelled.
        classes : sequence of int
            Ids in the order of the predicted probabilities.
        seed : int
            Of every random choice.

        Raises
        ------
        GroundTruthError
            If no voxel has a label of one of the classes.
        """
        images = [image] if isinstance(image, np.ndarray) else list(image)
        truths = [labels] if isinstance(labels, np.ndarray) else list(labels)
        rng = np.random.default_rng(seed)
        found = _labelled_blocks(truths, classes, self._dims, rng)
        if not found:
            raise GroundTruthError(
                "no voxel is labelled with any of the classes",
                "some voxels of at least one of the classes " + ", ".join(map(str, classes)),
                "paint a few strokes of each class",
            )
        with ThreadPoolExecutor(self._threads) as pool:
            features = list(pool.map(lambda item: self._samples(images[item[0]], truths[item[0]], *item[1:]), found))
        self._classes = tuple(int(c) for c in classes)
        self._trees = ExtraTreesClassifier(
            TREES, min_samples_leaf=MIN_LEAF, n_jobs=self._threads, random_state=int(rng.integers(2**31))
        )
        taught = np.concatenate([y for _, y in features])
        self._trees.fit(np.concatenate([x for x, _ in features]), taught)
        self.shares = np.array([np.mean(taught == name) for name in self._classes])
        return self

    def predict(self, image: FloatArray) -> FloatArray:
        """Return the probability of each class.

        Parameters
        ----------
        image : ndarray of float32, shape (c, z, y, x)
            Normalised as for `fit`. Filter results are kept for the same memory, which is not to change.

        Returns
        -------
        ndarray of float32, shape (classes, z, y, x)
            Sums to 1 in every voxel; 0 for a class that was not labelled.
        """
        if self._trees is None:
            raise RuntimeError("fit before predict")
        probability = np.zeros((len(self._classes), *image.shape[1:]), np.float32)
        channels = [self._classes.index(int(name)) for name in self._trees.classes_]
        for tile in _blocks(image.shape[1:], self._dims):
            found = self._trees.predict_proba(self._features(image, tile)).astype(np.float32)
            probability[(channels, *tile.core.slices)] = found.T.reshape(len(channels), *tile.core.shape)
        return probability

    def _samples(
        self, image: FloatArray, labels: LabelArray, tile: Tile, chosen: npt.NDArray[np.intp]
    ) -> tuple[FloatArray, LabelArray]:
        return self._features(image, tile)[chosen], labels[tile.core.slices].ravel()[chosen]

    def _features(self, image: FloatArray, tile: Tile) -> FloatArray:
        """Return the filter bank of a tile's core, shape (voxels, features), from the cache where it is there."""
        key = (image.__array_interface__["data"][0], image.shape, image.strides, tile.core.start)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key][1]
        outer = np.asarray(image[(slice(None), *tile.outer.slices)], np.float32)
        inner = tile.core_in_outer.slices
        if self._dims == 2:
            maps = feature_maps(outer[:, 0], self._spacing)[:, *inner[1:]]
        else:
            maps = feature_maps(outer, self._spacing)[:, *inner]
        rows = np.moveaxis(maps, 0, -1).reshape(-1, len(maps))
        with self._lock:
            # The image is kept beside its features, so that no other array comes to lie at its address.
            self._cache[key] = (image, rows)
            while len(self._cache) > 1 and sum(kept.nbytes for _, kept in self._cache.values()) > CACHE_BYTES:
                self._cache.popitem(last=False)
        return rows


def _blocks(shape: Sequence[int], dims: int) -> Iterator[Tile]:
    return tiles(Region.from_shape(shape), *BLOCKS[dims])


def _labelled_blocks(
    truths: Sequence[LabelArray], classes: Sequence[int], dims: int, rng: np.random.Generator
) -> list[tuple[int, Tile, npt.NDArray[np.intp]]]:
    """Choose voxels to learn from: (number of the image, block, voxels of its core), in few blocks.

    Blocks are taken in random order until there are enough voxels and every class has been met.
    """
    blocks = [(number, tile) for number, truth in enumerate(truths) for tile in _blocks(truth.shape, dims)]
    missing, total = set(classes), 0
    found: list[tuple[int, Tile, npt.NDArray[np.intp]]] = []
    for index in rng.permutation(len(blocks)):
        number, tile = blocks[index]
        inside = truths[number][tile.core.slices].ravel()
        labelled = np.flatnonzero(np.isin(inside, classes))
        enough = total >= MAX_SAMPLES or len(found) >= MAX_BLOCKS
        if not labelled.size or (enough and missing.isdisjoint(np.unique(inside).tolist())):
            continue
        most = MAX_SAMPLES // 4
        chosen = labelled if labelled.size <= most else rng.choice(labelled, most, replace=False)
        found.append((number, tile, np.sort(chosen)))
        missing -= set(inside[chosen].tolist())
        total += chosen.size
        if total >= MAX_SAMPLES and not missing:
            break
    return found
