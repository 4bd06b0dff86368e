"""Objects are those of a plain watershed on whole arrays, which takes several times as long."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage
from skimage.segmentation import watershed

from napari_aitrain.samples import em_volume_3d, nuclei_2d
from napari_aitrain.tasks import make_task
from napari_aitrain.tasks.matching import Overlap
from napari_aitrain.tasks.voi import Contingency


def plain(maps: np.ndarray, ratio: float, smallest: int = 20) -> np.ndarray:
    """Decode by two watersheds on voxels; `maps` are foreground, distance and border, 2-D or 3-D."""
    foreground, height = maps[0] > 0.5, maps[1] * (1 - maps[2])
    smoothed = ndimage.gaussian_filter(height, 1.5, truncate=2.5, mode="mirror")
    inside = np.where(foreground, smoothed, -np.inf)
    cross = ndimage.generate_binary_structure(maps[0].ndim, 1)
    highest = foreground & (inside >= ndimage.maximum_filter(inside, footprint=cross, mode="nearest"))
    seeds = ndimage.label(highest)[0]
    basins = watershed(-smoothed, seeds, mask=foreground)
    owner = joined(basins, smoothed, ratio)
    labels = watershed(-height, owner[seeds], mask=foreground)
    ids, sizes = np.unique(labels, return_counts=True)
    return np.where(np.isin(labels, ids[sizes >= smallest]), labels, 0).astype(np.int32)


def joined(basins: np.ndarray, height: np.ndarray, ratio: float) -> np.ndarray:
    """Return the object of each basin: saddles are looked at from the highest down."""
    peaks = ndimage.maximum(height, basins, np.arange(basins.max() + 1))
    saddles: dict[tuple[int, int], float] = {}
    for axis in range(basins.ndim):
        one, other = np.moveaxis(basins, axis, 0)[:-1], np.moveaxis(basins, axis, 0)[1:]
        level = np.minimum(np.moveaxis(height, axis, 0)[:-1], np.moveaxis(height, axis, 0)[1:])
        touching = (one != other) & (one > 0) & (other > 0)
        for a, b, here in zip(one[touching], other[touching], level[touching], strict=True):
            pair = (int(min(a, b)), int(max(a, b)))
            saddles[pair] = max(saddles.get(pair, -math.inf), float(here))
    owner = np.arange(len(peaks))
    for (a, b), level in sorted(saddles.items(), key=lambda item: -item[1]):
        low, high = sorted((owner[a], owner[b]), key=lambda basin: peaks[basin])
        if low != high and level >= ratio * peaks[low]:
            owner[owner == low] = high
    return owner


def agreement(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Return the share of objects that have a partner, and the adapted Rand error."""
    overlap = Overlap.count(one, other)
    true = len(overlap.match(0.5)[0])
    share = true / (overlap.n_truth + overlap.n_prediction - true)
    return share, Contingency.count(one, other).agreement().metrics()["arand"]


def blurred(maps: np.ndarray, noise: float) -> np.ndarray:
    """Return maps as a young network might give them, as bytes."""
    random = np.random.default_rng(0)
    soft = np.stack([ndimage.gaussian_filter(m, 1) + ndimage.gaussian_filter(random.normal(0, noise, m.shape), 1)
                     for m in maps])  # fmt: skip
    return np.rint(soft.clip(0, 1) * 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(1, 160, 160), (24, 48, 48)])
@pytest.mark.parametrize("ratio", [0.95, 0.7])
def test_objects_in_random_maps(shape: tuple[int, int, int], ratio: float) -> None:
    random = np.random.default_rng(1)
    spread = (0 if shape[0] == 1 else 2.5, 2.5, 2.5)
    maps = np.stack([ndimage.gaussian_filter(random.normal(0, 1, shape), spread) for _ in range(3)])
    maps = (0.5 + maps / maps.std(axis=(1, 2, 3), keepdims=True) / 4).clip(0, 1).astype(np.float32)
    found = make_task("instances", {"split": ratio}).decode(maps, None, 3).labels
    share, rand = agreement(found.reshape(shape).squeeze(), plain(maps.squeeze(), ratio))
    assert share > 0.95
    assert rand < 0.05


@pytest.mark.parametrize("ratio", [0.95, 0.8])
@pytest.mark.parametrize("noise", [0.0, 0.2])
@pytest.mark.parametrize("dims", [2, 3])
def test_objects_of_samples(dims: int, noise: float, ratio: float) -> None:
    sample = nuclei_2d(size=256, count=80) if dims == 2 else em_volume_3d(shape=(24, 96, 96))
    task = make_task("instances", {"split": ratio})
    labels = sample.labels.reshape((-1, *sample.labels.shape[-2:])).astype(np.int32)
    stored = blurred(task.prepare(labels, np.ones(labels.shape, bool), None, dims).values[: task.heads], noise)
    found = task.decode(stored, None, dims).labels
    share, rand = agreement(found.squeeze(), plain((stored / 255).astype(np.float32).squeeze(), ratio))
    assert share > 0.95
    assert rand < 0.01


def test_bytes_give_what_their_shares_give() -> None:
    random = np.random.default_rng(2)
    maps = np.stack([ndimage.gaussian_filter(random.random((12, 40, 40)), 2) for _ in range(3)])
    maps -= maps.min(axis=(1, 2, 3), keepdims=True)
    stored = np.rint(maps / maps.max(axis=(1, 2, 3), keepdims=True) * 255).astype(np.uint8)
    task = make_task("em-instances", {"max_distance": 300.0})
    for dims in (2, 3):
        one = task.decode(stored, (20.0, 10.0, 10.0), dims)
        other = task.decode(np.divide(stored, np.float32(255), dtype=np.float32), (20.0, 10.0, 10.0), dims)
        np.testing.assert_array_equal(one.labels, other.labels)
        np.testing.assert_array_equal(one.features, other.features)
