"""A network that sees images scaled: the same for tiles as for one pass, whatever the scale."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_aitrain.inference.predictor import predict_array, tile_voxels
from napari_aitrain.nets import InferenceNetwork, NetworkConfig, build_network
from napari_aitrain.nets.scaled import TOLERANCE, at_scale, exact_scales, rescale, whole_steps

SCALES = st.floats(0.25, 4)
CONFIGS = {
    2: NetworkConfig(dims=2, in_channels=1, heads=2, stem=(1, 2, 2), widths=(4, 6), pools=((1, 2, 2),),
                     kernels=((1, 3, 3),) * 2),
    3: NetworkConfig(dims=3, in_channels=1, heads=2, stem=(1, 2, 2), widths=(4, 6), pools=((2, 2, 2),),
                     kernels=((1, 3, 3), (3, 3, 3))),
}  # fmt: skip


def network(dims: int) -> InferenceNetwork:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    module = build_network(CONFIGS[dims])
    with torch.no_grad():
        # A small image must tell: random weights leave little of it.
        module.head.weight.mul_(10)
    return InferenceNetwork(module)


@given(scale=SCALES, multiple=st.tuples(*[st.sampled_from([1, 2, 4, 16])] * 3), dims=st.sampled_from([2, 3]))
def test_axes_are_scaled_as_asked_and_their_grids_meet(scale: float, multiple: tuple[int, ...], dims: int) -> None:
    image, seen = whole_steps(scale, multiple)
    assert all(n % m == 0 for n, m in zip(seen, multiple, strict=True))
    assert all(abs(n / i / scale - 1) <= TOLERANCE for i, n in zip(image, seen, strict=True))
    found = exact_scales(scale, multiple, dims)
    assert found[0] == 1 or dims == 3
    assert found[1:] == tuple(n / i for i, n in zip(image[1:], seen[1:], strict=True)) or scale == 1


@settings(deadline=None, max_examples=12)
@given(scale=SCALES, seed=st.integers(0, 9), size=st.tuples(st.integers(90, 200), st.integers(90, 200)))
def test_tiles_give_what_one_pass_gives(scale: float, seed: int, size: tuple[int, int]) -> None:
    scaled = at_scale(network(2), scale, 2)
    image = np.random.default_rng(seed).normal(size=(1, 2, *size)).astype(np.float32)
    whole = predict_array(scaled, torch.sigmoid, image, 2, tile_shape=(1, 999, 999))
    tiled = predict_array(scaled, torch.sigmoid, image, 2, tile_shape=(1, 64, 96))
    assert whole.shape == (2, 2, *size)
    assert np.ptp(whole) > 0.02
    assert np.abs(whole - tiled).max() < 1e-3


@pytest.mark.parametrize("scale", [0.4, 1.7])
def test_volumes_are_scaled_along_all_axes(scale: float) -> None:
    scaled = at_scale(network(3), scale, 3)
    image = np.random.default_rng(0).normal(size=(1, 40, 48, 44)).astype(np.float32)
    whole = predict_array(scaled, torch.sigmoid, image, 3, tile_shape=(99, 99, 99))
    tiled = predict_array(scaled, torch.sigmoid, image, 3, tile_shape=(40, 40, 44))
    assert np.abs(whole - tiled).max() < 1e-3


@pytest.mark.parametrize("scale", [0.25, 0.5, 2.0])
def test_the_network_sees_an_image_of_another_size_as_if_it_were_its_own(scale: float) -> None:
    inner = network(2)
    coarse = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 1, 8, 8)).astype(np.float32))
    own = rescale(coarse, (64, 64))
    shown = rescale(own, (round(64 / scale),) * 2)
    answered = at_scale(inner, scale, 2)(shown)
    assert answered.shape[2:] == shown.shape[2:]
    # What a random network draws within its smallest blocks has no meaning.
    seen, found, without = (rescale(maps, (16, 16))[..., 2:-2, 2:-2] for maps in (inner(own), answered, inner(shown)))
    assert (found - seen).abs().mean() < 0.5 * (without - seen).abs().mean()


def test_nothing_is_changed_at_scale_one_and_memory_is_counted_in_voxels_of_the_network() -> None:
    inner = network(2)
    assert at_scale(inner, 1.0, 2) is inner
    assert math.isclose(tile_voxels(at_scale(inner, 0.5, 2)), 4 * tile_voxels(inner), rel_tol=0.01)


@given(shape=st.tuples(*[st.integers(1, 12)] * 3), other=st.tuples(*[st.integers(1, 12)] * 3))
def test_constant_images_stay_so(shape: tuple[int, ...], other: tuple[int, ...]) -> None:
    scaled = rescale(torch.full((1, 2, *shape), 3.0), other)
    assert scaled.shape == (1, 2, *other)
    assert torch.allclose(scaled, torch.tensor(3.0))
