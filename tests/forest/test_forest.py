"""The pixel forest: learns from strokes, ignores what is unlabelled, gives probabilities, is reproducible."""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from napari_aitrain.errors import GroundTruthError
from napari_aitrain.training import forest as forest_module
from napari_aitrain.training.forest import PixelForest

DATA = Path(os.environ.get("AITRAIN_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture(scope="module")
def blobs():
    """Bright blobs on a noisy ground, three sections, and strokes in the middle one."""
    rng = np.random.default_rng(0)
    truth = (ndimage.gaussian_filter(rng.normal(size=(3, 96, 96)), (0, 5, 5)) > 0.03).astype(np.int32)
    image = (truth + rng.normal(0, 0.8, truth.shape)).astype(np.float32)[None]
    labels = np.full(truth.shape, -1, np.int32)
    labels[1, 20:22], labels[1, 60:62] = truth[1, 20:22], truth[1, 60:62]
    return image, labels, truth


def iou(mask, truth):
    return (mask & truth).sum() / (mask | truth).sum()


@pytest.mark.parametrize(("dims", "voxel_size"), [(2, None), (3, (4.0, 1.0, 1.0))])
def test_learns_from_two_lines(blobs, dims, voxel_size):
    image, labels, truth = blobs
    probability = PixelForest(dims, voxel_size).fit(image, labels, (0, 1), seed=0).predict(image)
    assert probability.shape == (2, *truth.shape)
    assert probability.dtype == np.float32
    np.testing.assert_allclose(probability.sum(0), 1, atol=1e-5)
    assert iou(probability[1] > 0.5, truth == 1) > 1.3 * iou(image[0] > 0.5, truth == 1)


def test_same_seed_same_forest_on_any_number_of_threads(blobs):
    image, labels, _ = blobs
    one = PixelForest(threads=1).fit(image, labels, (0, 1), seed=3).predict(image)
    two = PixelForest(threads=2).fit(image, labels, (0, 1), seed=3).predict(image.copy())
    other = PixelForest(threads=2).fit(image, labels, (0, 1), seed=4).predict(image)
    np.testing.assert_allclose(one, two, atol=1e-6)
    assert not np.array_equal(one, other)


def test_unlabelled_and_unlisted_voxels_do_not_matter(blobs):
    image, labels, _ = blobs
    other = np.where(labels == -1, 7, labels)
    a = PixelForest().fit(image, labels, (0, 1), seed=0).predict(image)
    b = PixelForest().fit(image, other, (0, 1), seed=0).predict(image)
    np.testing.assert_array_equal(a, b)


def test_order_of_classes_and_a_class_without_strokes(blobs):
    image, labels, _ = blobs
    straight = PixelForest().fit(image, labels, (0, 1), seed=0).predict(image)
    turned = PixelForest().fit(image, labels, (5, 1, 0), seed=0).predict(image)
    assert not turned[0].any()
    np.testing.assert_array_equal(turned[[2, 1]], straight)


def test_no_strokes_is_an_error_that_says_what_to_do(blobs):
    image, labels, _ = blobs
    with pytest.raises(GroundTruthError, match="strokes"):
        PixelForest().fit(image, np.full_like(labels, -1), (0, 1), seed=0)


def test_filters_run_once_per_image(blobs, monkeypatch):
    image, labels, _ = blobs
    calls = []
    original = forest_module.feature_maps
    monkeypatch.setattr(forest_module, "feature_maps", lambda *a: calls.append(1) or original(*a))
    forest = PixelForest().fit(image, labels, (0, 1), seed=0)
    assert len(calls) == 1
    first = forest.predict(image)
    np.testing.assert_array_equal(forest.predict(image), first)
    assert len(calls) == 3
    forest.predict(image + 1)
    assert len(calls) == 6


def test_cache_is_bounded(blobs, monkeypatch):
    image, labels, _ = blobs
    monkeypatch.setattr(forest_module, "CACHE_BYTES", 3_000_000)
    forest = PixelForest().fit(image, labels, (0, 1), seed=0)
    forest.predict(image)
    assert sum(rows.nbytes for _, rows in forest._cache.values()) <= 3_000_000


def test_blocks_leave_no_seams(blobs, monkeypatch):
    image, labels, _ = blobs
    whole = PixelForest().fit(image, labels, (0, 1), seed=0)
    expected = whole.predict(image)
    whole._cache.clear()
    monkeypatch.setattr(forest_module, "BLOCKS", {2: ((1, 48, 48), (0, 32, 32))})
    assert np.abs(whole.predict(image) - expected).mean() < 0.03


def test_dense_labels_are_sampled_from_a_few_blocks(monkeypatch):
    monkeypatch.setattr(forest_module, "BLOCKS", {2: ((1, 64, 64), (0, 8, 8))})
    rng = np.random.default_rng(0)
    truth = np.zeros((40, 64, 64), np.int32)
    truth[17, :8, :8] = 1
    chosen = forest_module._labelled_blocks([truth], (0, 1), 2, rng)
    assert sum(len(voxels) for *_, voxels in chosen) <= forest_module.MAX_SAMPLES + 5_000
    assert len(chosen) <= forest_module.MAX_BLOCKS + 1
    assert any(tile.core.start[0] == 17 for _, tile, _ in chosen)


def test_several_images_of_different_shapes(blobs):
    image, labels, truth = blobs
    small, small_labels = image[:, :, :50, :70], labels[:, :50, :70]
    forest = PixelForest().fit([image, small], [labels, small_labels], (0, 1), seed=0)
    assert iou(forest.predict(image)[1] > 0.5, truth == 1) > 0.6


def test_mitochondria_from_a_few_lines():
    folder = DATA / "em-mitochondria-cdeep3m"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}; name another place with AITRAIN_DATA")
    image = tifffile.imread(folder / "image.tif")[:4, :512, :512].astype(np.float32)[None] / 255
    truth = (tifffile.imread(folder / "labels_binary.tif")[:4, :512, :512] > 0).astype(np.int32)
    labels = np.full(truth.shape, -1, np.int32)
    labels[0, ::40] = truth[0, ::40]
    probability = PixelForest().fit(image, labels, (0, 1), seed=0).predict(image[:, 3:])
    assert iou(probability[1] > 0.5, truth[3:] == 1) > 0.4
