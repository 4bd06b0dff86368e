"""Intensity changes, each against an independent reference or its defining property."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_aitrain.training import intensity
from napari_aitrain.training.augmentation import Augmenter


def test_blur_is_scipys_gaussian_with_one_sigma_per_sample():
    image = torch.rand((3, 1, 40, 44), generator=torch.Generator().manual_seed(0))
    sigma = torch.tensor([0.6, 1.2, 2.0])
    out = intensity.blur(image.clone(), sigma, (0, 1), float(sigma.max()))
    for sample, source, width in zip(out, image, sigma.tolist(), strict=True):
        expected = ndimage.gaussian_filter(source[0].numpy(), width, mode="nearest", radius=5)
        np.testing.assert_allclose(sample[0].numpy(), expected, atol=1e-5)


def test_blur_of_one_pixel_axes_changes_nothing():
    image = torch.rand(1, 1, 1, 8)
    assert torch.equal(intensity.blur(image, torch.tensor([1.0]), (0,), 1.0), image)


def test_tone_with_neutral_parameters_is_identity():
    image, one = torch.randn(2, 3, 16, 16), torch.ones(2)
    assert torch.allclose(intensity.tone(image, one, one, one, torch.zeros(2)), image, atol=1e-5)


def test_tone_stretches_about_the_mean_and_keeps_order():
    image, one = torch.rand(1, 1, 32, 32), torch.ones(1)
    wider = intensity.tone(image, one, 2 * one, one, 0 * one)
    assert wider.mean() == pytest.approx(image.mean().item(), abs=1e-5)
    assert wider.std() == pytest.approx(2 * image.std().item(), rel=1e-4)
    bent = intensity.tone(image, 2 * one, one, one, 0 * one).flatten()
    assert torch.equal(bent[image.flatten().argsort()], bent.sort().values)
    assert bent.mean() < image.mean()


def test_tone_of_a_constant_image_is_finite():
    flat = torch.full((1, 1, 8, 8), 0.4)
    assert intensity.tone(flat, torch.tensor([1.5]), *[torch.ones(1)] * 3).isfinite().all()


def test_coarsen_keeps_shape_and_mean_and_the_axes_left_out():
    stack = torch.rand(2, 1, 6, 32, 32)
    out = intensity.coarsen(stack, 2, (1, 2))
    assert out.shape == stack.shape
    assert torch.allclose(out.mean((3, 4)), stack.mean((3, 4)), atol=0.02)
    assert out.var() < 0.5 * stack.var()


def test_noise_has_the_sigma_of_each_sample():
    image = torch.full((2, 1, 64, 64), 0.25)
    normal = torch.randn((2, 1, 64, 64), generator=torch.Generator().manual_seed(0))
    out = intensity.noise(image, torch.tensor([0.1, 0.1]), torch.tensor([False, True]), normal)
    assert out.std((1, 2, 3)).tolist() == pytest.approx([0.1, 0.05], rel=0.05)


def test_sections_are_lost_and_varied_one_by_one():
    stack = torch.rand(1, 1, 3, 16, 16)
    missing = torch.tensor([[False, True, False]])
    out = intensity.sections(stack, torch.tensor([[1.0, 1.0, 2.0]]), torch.zeros(1, 3), missing)
    assert torch.equal(out[:, :, 0], stack[:, :, 0])
    assert torch.equal(out[:, :, 1], torch.full((1, 1, 16, 16), 0.5))
    assert torch.equal(out[:, :, 2], 2 * stack[:, :, 2])


@pytest.mark.parametrize("em", [False, True])
def test_only_stacks_of_sections_lose_sections(em):
    stack = torch.rand(16, 1, 12, 24, 24) + torch.linspace(0, 1, 24)
    ones = torch.ones_like(stack)
    out, _, weight = Augmenter("full", 3, None, em, torch.Generator().manual_seed(3))(stack, ones, ones, (True,))
    flat = out.std((1, 3, 4)) < 0.13
    assert bool(flat.any()) is em
    assert weight.any()
