"""The made-up samples: the same for a seed, exact, and fit to train and test on."""

import numpy as np
import pytest
from scipy import ndimage

from napari_aitrain.samples import em_volume_3d, nuclei_2d

SMALL_EM = (12, 128, 128)


@pytest.fixture(scope="module")
def nuclei():
    return nuclei_2d(seed=3)


@pytest.fixture(scope="module")
def em():
    return em_volume_3d(seed=3, shape=SMALL_EM)


def test_nuclei_are_several_hundred_and_each_is_one_piece(nuclei):
    labels = nuclei.labels[0]
    ids = np.unique(labels)
    assert ids[0] == 0 and ids[-1] == len(ids) - 1 > 250
    for number, window in enumerate(ndimage.find_objects(labels), start=1):
        sizes = np.sort(np.bincount(ndimage.label(labels[window] == number, np.ones((3, 3)))[0].ravel())[1:])
        assert sizes[:-1].sum() <= 0.05 * sizes[-1], f"nucleus {number} is in pieces"


def test_nuclei_touch_and_vary(nuclei):
    labels, image = nuclei.labels[0], nuclei.image[0, 0]
    right, left = labels[:, 1:], labels[:, :-1]
    pairs = np.unique(np.stack([left, right], -1)[(left > 0) & (right > 0) & (left != right)], axis=0)
    assert len(pairs) > 30
    sizes = np.bincount(labels.ravel())[1:]
    assert np.percentile(sizes, 90) > 2 * np.percentile(sizes, 10)
    brightness = ndimage.mean(image, labels, np.arange(1, labels.max() + 1)) - np.median(image[labels == 0])
    assert (brightness > 0).mean() > 0.99
    assert np.percentile(brightness, 90) > 2 * np.percentile(brightness, 10)


def test_em_classes_and_mitochondria_agree(em):
    assert em.classes is not None
    assert np.array_equal(em.classes == 2, em.labels > 0)
    assert set(np.unique(em.classes)) == {0, 1, 2} and em.labels.max() >= 3
    means = [em.image[0][em.classes == number].mean() for number in range(3)]
    assert means[0] > means[1] + 30 and means[0] > means[2] + 20


def test_every_mitochondrion_is_connected(em):
    for number in range(1, em.labels.max() + 1):
        assert ndimage.label(em.labels == number)[1] == 1


def test_other_voxel_size_shows_other_resolution():
    coarse = em_volume_3d(seed=1, shape=(6, 64, 64), voxel_size=(32.0, 16.0, 16.0))
    fine = em_volume_3d(seed=1, shape=(6, 64, 64), voxel_size=(20.0, 4.0, 4.0))
    assert (coarse.classes == 1).mean() > (fine.classes == 1).mean()


@pytest.mark.parametrize(
    "make", [lambda seed: nuclei_2d(seed, size=256, count=80), lambda s: em_volume_3d(s, SMALL_EM)]
)
def test_seed_decides_everything(make):
    first, again, other = make(0), make(0), make(1)
    assert np.array_equal(first.image, again.image) and np.array_equal(first.labels, again.labels)
    assert not np.array_equal(first.image, other.image)


def test_form(nuclei, em):
    assert nuclei.image.dtype == np.uint16 and nuclei.image.shape == (1, 1, 768, 768)
    assert em.image.dtype == np.uint8 and em.image.shape == (1, *SMALL_EM)
    for sample in (nuclei, em):
        assert sample.labels.dtype == np.int32 and sample.labels.shape == sample.image.shape[1:]
        assert len(sample.voxel_size) == 3


def test_boxes_lie_inside_apart_and_hold_objects(nuclei, em):
    for sample in (nuclei, em):
        assert {box.role for box in sample.boxes} == {"train", "validation", "test"}
        for number, box in enumerate(sample.boxes):
            region = box.region
            assert all(
                a >= 0 and b <= n for a, b, n in zip(region.start, region.stop, sample.labels.shape, strict=True)
            )
            assert min(region.shape[1:]) >= 32
            grown = region.grow((0, 16, 16))
            assert not any(grown.overlaps(other.region) for other in sample.boxes[number + 1 :])
    for box in nuclei.boxes:
        assert len(np.unique(nuclei.labels[box.region.slices])) > 10
