"""The filter bank against SciPy and scikit-image, and its behaviour over scales."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.feature import hessian_matrix, hessian_matrix_eigvals, structure_tensor, structure_tensor_eigenvalues

from napari_aitrain.training.filters import feature_maps


@pytest.fixture
def image():
    noise = np.random.default_rng(0).normal(size=(96, 112))
    return ndimage.gaussian_filter(noise, 1.5).astype(np.float32)


def correlation(a, b):
    inner = (slice(8, -8),) * a.ndim
    return np.corrcoef(a[inner].ravel(), b[inner].ravel())[0, 1]


def test_finest_level_agrees_with_scikit_image(image):
    maps = feature_maps(image[None], (1, 1), levels=1)
    hessian = hessian_matrix_eigvals(hessian_matrix(image, sigma=1.0, use_gaussian_derivatives=True))
    gradient = [ndimage.gaussian_filter(image, 1.0, order=order) for order in ((1, 0), (0, 1))]
    expected = [
        image,
        ndimage.gaussian_filter(image, 1.0),
        np.hypot(*gradient),
        *hessian,
        ndimage.gaussian_laplace(image, 1.0),
        *structure_tensor_eigenvalues(structure_tensor(ndimage.gaussian_filter(image, 0.8), sigma=1.5)),
    ]
    assert len(maps) == len(expected)
    for ours, theirs in zip(maps[:6], expected[:6], strict=True):
        np.testing.assert_allclose(ours[8:-8, 8:-8], theirs[8:-8, 8:-8], atol=4e-3)
    # scikit-image takes the gradient with Sobel filters: the same up to a factor.
    assert all(correlation(ours, theirs) > 0.97 for ours, theirs in zip(maps[6:], expected[6:], strict=True))


def test_coarse_levels_are_wide_gaussians(image):
    maps = feature_maps(image[None], (1, 1), levels=3)
    smoothed = maps[1::7]
    assert len(smoothed) == 3
    for ours, sigma in zip(smoothed, (1.0, np.hypot(1, 2), np.sqrt(1 + 4 + 16)), strict=True):
        assert correlation(ours, ndimage.gaussian_filter(image, sigma)) > 0.99


@pytest.mark.parametrize("shape", [(64, 64), (65, 97), (9, 9), (7, 200)])
def test_every_map_has_the_shape_of_the_image_and_is_finite(shape):
    maps = feature_maps(np.random.default_rng(0).random((2, *shape)).astype(np.float32), (1, 1))
    assert maps.shape[1:] == shape
    assert len(maps) % 2 == 0
    assert np.isfinite(maps).all()


def test_shift_of_the_image_shifts_the_maps(image):
    """Interpolation from coarse levels puts every map where its image is: no drift by half a voxel."""
    maps = feature_maps(image[None], (1, 1))
    moved = feature_maps(np.ascontiguousarray(image[16:])[None], (1, 1))
    for a, b in zip(maps[:, 48:, 32:-32], moved[:, 32:, 32:-32], strict=True):
        assert np.corrcoef(a[:-32].ravel(), b[:-32].ravel())[0, 1] > 0.98


def test_thick_sections_are_not_mixed():
    """With z 50 times as coarse, a section's fine smoothing ignores its neighbours."""
    stack = np.zeros((5, 32, 32), np.float32)
    stack[2] = 1
    smooth = feature_maps(stack[None], (50.0, 1.0, 1.0))[1]
    assert smooth[2].min() > 0.95
    assert smooth[1].max() < 0.05


def test_voxel_size_counts_only_relatively():
    stack = np.random.default_rng(0).random((1, 12, 24, 24)).astype(np.float32)
    np.testing.assert_array_equal(feature_maps(stack, (40.0, 10.0, 10.0)), feature_maps(stack, (4.0, 1.0, 1.0)))
