"""Networks: shapes, what they see, folding, presets and devices."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_aitrain.errors import ConfigError, DeviceError
from napari_aitrain.nets import (
    InferenceNetwork,
    NetworkConfig,
    build_network,
    choose_device,
    choose_network,
    choose_precision,
)
from napari_aitrain.nets.config import count_flops
from napari_aitrain.nets.unet import depth_to_space, space_to_depth

VOXEL_SIZES = [None, (10.0, 10.0, 10.0), (50.0, 4.0, 4.0), (290.0, 260.0, 260.0), (1000.0, 100.0, 100.0)]


@pytest.mark.parametrize("factor", [(2, 2), (1, 2, 2), (2, 2, 2), (1, 4, 4)])
def test_folding_voxels_into_channels_loses_nothing(factor: tuple[int, ...]) -> None:
    x = torch.arange(2 * 3 * 8**3).reshape(2, 3, *([8] * 3)).float()
    x = x[:, :, 0] if len(factor) == 2 else x
    folded = space_to_depth(x, factor)
    assert folded.shape[1] == 3 * np.prod(factor)
    assert torch.equal(depth_to_space(folded, factor), x)


@pytest.mark.parametrize("voxel_size", VOXEL_SIZES)
@pytest.mark.parametrize("dims", [2, 3])
def test_output_has_the_shape_of_the_input(dims: int, voxel_size: tuple[float, float, float] | None) -> None:
    config = choose_network("small", dims, 2, 3, voxel_size)
    shape = [2 * m for m in config.multiple][3 - dims :]
    assert build_network(config)(torch.zeros(1, 2, *shape)).shape == (1, 3, *shape)


@pytest.mark.parametrize(("dims", "voxel_size"), [(2, None), (3, (40.0, 10.0, 10.0))])
def test_nothing_outside_the_receptive_field_matters(dims: int, voxel_size: tuple[float, float, float] | None) -> None:
    torch.manual_seed(0)
    config = choose_network("small", dims, 1, 1, voxel_size).model_copy(update={"widths": (4, 4, 4)})
    network = build_network(config).eval()
    reach = config.receptive_field
    shape = [2 * -(-(r + 8) // m) * m for r, m in zip(reach, config.multiple, strict=True)]
    middle = [n // 2 for n in shape]
    image = torch.randn(1, 1, *shape[3 - dims :])
    outside = torch.ones(shape, dtype=torch.bool)
    z, y, x = (slice(max(0, at - r), at + r + 1) for at, r in zip(middle, reach, strict=True))
    outside[z, y, x] = False
    changed = torch.where(outside[middle[0]] if dims == 2 else outside, image + 10, image)
    at = tuple(middle[3 - dims :])
    with torch.no_grad():
        assert torch.allclose(network(image)[0, 0][at], network(changed)[0, 0][at], atol=1e-5)
        assert not torch.allclose(network(image), network(changed), atol=1e-3)


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.floats(1, 2000)] * 3),
    st.tuples(*[st.integers(1, 200)] * 3),
    st.sampled_from(["small", "medium", "large"]),
)
def test_a_preset_fits_any_voxel_size(spacing, extent, size) -> None:
    config = choose_network(size, 3, 1, 1, spacing, extent)
    assert all(m <= max(1, n) or m == 1 for m, n in zip(config.multiple, extent, strict=True))
    assert len(config.pools) == len(config.widths) - 1 == len(config.kernels) - 1
    finest = min(spacing)
    assert all(m == 1 for m, s in zip(config.stem, spacing, strict=True) if s >= 2 * finest)


def test_thin_stacks_of_thick_sections_are_seen_slice_by_slice_first() -> None:
    config = choose_network("medium", 3, 1, 1, (50.0, 4.0, 4.0), (20, 512, 512))
    assert config.stem == (1, 2, 2)
    assert config.kernels[0] == (1, 3, 3)
    assert config.kernels[-1] == (3, 3, 3)


def test_the_folded_network_gives_what_the_network_gives() -> None:
    torch.manual_seed(0)
    network = build_network(choose_network("small", 2, 1, 3))
    network(torch.randn(4, 1, 64, 64))
    image = torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        expected = network.eval()(image)
    assert torch.allclose(InferenceNetwork(network)(image), expected, atol=1e-4)
    low = InferenceNetwork(network, precision=torch.bfloat16)(image)
    assert low.dtype == torch.float32
    assert (low - expected).abs().mean() < 0.02 * expected.abs().mean() + 0.02


def test_work_is_counted_as_convolutions_do_it() -> None:
    config = NetworkConfig(dims=2, in_channels=1, heads=1, stem=(1, 1, 1), widths=(4,), pools=(), kernels=((1, 3, 3),))
    assert count_flops(config, (1, 10, 10)) == 100 * 2 * (9 * 4 + 9 * 16 + 4)


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:1", ""])
def test_an_unknown_device_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError, match="not known"):
        choose_device(name)


def test_a_device_that_is_not_there_is_an_error() -> None:
    with pytest.raises(DeviceError, match="not there"):
        choose_device("cuda:99")


def test_precision_is_what_was_asked_for() -> None:
    cpu = torch.device("cpu")
    assert choose_precision(cpu, "float32") == torch.float32
    assert choose_precision(cpu, "bfloat16") == torch.bfloat16
    assert choose_precision(cpu) in (torch.float32, torch.bfloat16)
