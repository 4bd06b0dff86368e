"""Tiled prediction gives what one whole pass gives."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_aitrain.inference.predictor import predict_array
from napari_aitrain.nets.unet import NetworkConfig, UNet


class Plain:
    """A U-Net as it is, with the interface of an inference network."""

    def __init__(self, dims: int, seed: int = 0) -> None:
        torch.manual_seed(seed)
        flat = dims == 2
        self.config = NetworkConfig(
            dims=dims, in_channels=2, heads=3, stem=(1, 2, 2), widths=(6, 6),
            pools=((1 if flat else 2, 2, 2),), kernels=((1 if flat else 3, 3, 3),) * 2,
        )  # fmt: skip
        self.module = UNet(self.config).eval()
        self.device = torch.device("cpu")
        self.receptive_field, self.multiple = self.config.receptive_field, self.config.multiple
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        self.shapes.append(tuple(batch.shape))
        return self.module(batch) * 4


def whole_pass(network: Plain, image: np.ndarray, dims: int) -> np.ndarray:
    space = image.shape[1:]
    multiple = (1, *network.multiple[1:]) if dims == 2 else network.multiple
    pads = [(0, -n % m) for n, m in zip(space, multiple, strict=True)]
    padded = torch.from_numpy(np.pad(image, [(0, 0), *pads], mode="reflect"))
    with torch.inference_mode():
        out = network(padded.movedim(1, 0)).movedim(1, 0) if dims == 2 else network(padded[None])[0]
    return torch.sigmoid(out).numpy()[:, : space[0], : space[1], : space[2]]


@settings(deadline=None, max_examples=25)
@given(
    space=st.tuples(st.integers(1, 5), st.integers(9, 150), st.integers(9, 150)),
    tile=st.tuples(st.integers(56, 100), st.integers(56, 100)),
    seed=st.integers(0, 3),
)
def test_tiles_equal_the_whole_pass_in_2d(space: tuple[int, int, int], tile: tuple[int, int], seed: int) -> None:
    network = Plain(2, seed)
    image = np.random.default_rng(seed).normal(size=(2, *space)).astype(np.float32)
    tiled = predict_array(network, torch.sigmoid, image, 2, tile_shape=(1, *tile))
    np.testing.assert_allclose(tiled, whole_pass(network, image, 2), atol=2e-6)


@settings(deadline=None, max_examples=5)
@given(space=st.tuples(st.integers(1, 50), st.integers(40, 90), st.integers(9, 90)), seed=st.integers(0, 3))
def test_tiles_equal_the_whole_pass_in_3d(space: tuple[int, int, int], seed: int) -> None:
    network = Plain(3, seed)
    image = np.random.default_rng(seed).normal(size=(2, *space)).astype(np.float32)
    tiled = predict_array(network, torch.sigmoid, image, 3, tile_shape=(28, 56, 56))
    np.testing.assert_allclose(tiled, whole_pass(network, image, 3), atol=2e-6)


@pytest.mark.parametrize("dims", [2, 3])
def test_bytes_are_the_rounded_maps(dims: int) -> None:
    network = Plain(dims)
    image = np.random.default_rng(1).normal(size=(2, 30, 130, 70)).astype(np.float32)
    for tile_shape in (None, (28, 60, 60)):
        maps = predict_array(network, torch.sigmoid, image, dims, tile_shape=tile_shape)
        as_bytes = predict_array(network, torch.sigmoid, image, dims, tile_shape=tile_shape, dtype=np.uint8)
        assert as_bytes.dtype == np.uint8 and maps.dtype == np.float32
        np.testing.assert_array_equal(as_bytes, np.floor(maps * 255 + 0.5).astype(np.uint8))


def test_small_image_is_one_pass() -> None:
    network = Plain(2)
    predict_array(network, torch.sigmoid, np.zeros((2, 1, 200, 300), np.float32), 2)
    assert network.shapes == [(1, 2, 200, 300)]


def test_less_overlap_than_the_receptive_field_leaves_no_step_at_seams() -> None:
    network = Plain(2)
    image = np.random.default_rng(2).normal(size=(2, 1, 160, 160)).astype(np.float32)
    exact = whole_pass(network, image, 2)
    rough = predict_array(network, torch.sigmoid, image, 2, tile_shape=(1, 64, 64), overlap=(0, 4, 4))
    difference = np.abs(rough - exact)
    assert difference.max() > 1e-4, "the halo must matter for this test to say anything"
    assert difference.max() < 0.1
