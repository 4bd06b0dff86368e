"""Normalisation by percentiles, from voxels inside the given regions and no others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from napari_aitrain.errors import VolumeError
from napari_aitrain.geometry import Region
from napari_aitrain.volumes import Normalisation, Volume, sample_voxels


def test_percentiles_per_channel() -> None:
    values = np.random.default_rng(0).normal(size=(2, 5000)) * [[1], [100]]
    found = Normalisation.estimate(values)
    for channel in range(2):
        assert found.low[channel] == pytest.approx(np.percentile(values[channel], 1))
        assert found.high[channel] == pytest.approx(np.percentile(values[channel], 99.8))
    several = Normalisation.estimate([values[:, :1000].reshape(2, 10, 100), values[:, 1000:]])
    assert several == found


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "u8", "f2", "f4", "f8"])
def test_apply_maps_low_to_0_and_high_to_1(dtype: str) -> None:
    image = np.array([[[[10, 60, 110, 0, 120]]]]).astype(dtype)
    got = Normalisation(low=(10,), high=(110,)).apply(image)
    assert got.dtype == np.float32 and got.shape == image.shape
    np.testing.assert_allclose(got.ravel(), [0, 0.5, 1, -0.1, 1.1], atol=1e-3)


def test_apply_is_bounded_and_finite() -> None:
    image = np.array([[np.nan, np.inf, -np.inf, 1e30, -1e30, 0.25]], np.float32)
    got = Normalisation(low=(0,), high=(1,)).apply(image)
    np.testing.assert_array_equal(got, np.array([[0, 3, -1, 3, -1, 0.25]], np.float32))


def test_large_offsets_keep_small_differences() -> None:
    image = np.array([[2**31 + 1, 2**31 + 2, 2**31 + 3]], np.uint32)
    got = Normalisation(low=(2**31 + 1,), high=(2**31 + 3,)).apply(image)
    np.testing.assert_array_equal(got, [[0, 0.5, 1]])


def test_constant_channel_becomes_0() -> None:
    found = Normalisation.estimate(np.stack([np.full(100, 7.0), np.arange(100.0)]))
    assert found.constant == (True, False)
    got = found.apply(np.stack([np.array([7, 9]), np.array([0, 99])]))
    assert (got[0] == 0).all() and got[1, 1] > 0.99


def test_few_bright_voxels_are_not_lost() -> None:
    values = np.zeros((1, 10_000))
    values[0, :5] = 50
    assert Normalisation.estimate(values) == Normalisation(low=(0,), high=(50,))


def test_not_finite_values_are_left_out() -> None:
    values = np.array([[np.nan, np.inf, 1.0, 2.0]])
    assert Normalisation.estimate(values).high[0] <= 2
    with pytest.raises(VolumeError, match="no finite value"):
        Normalisation.estimate(np.full((1, 3), np.nan))


def test_numbers_of_channels_must_agree() -> None:
    with pytest.raises(VolumeError, match="1 and 2 channels"):
        Normalisation.estimate([np.zeros((1, 3)), np.zeros((2, 3))])
    with pytest.raises(VolumeError, match="2 channels"):
        Normalisation(low=(0,), high=(1,)).apply(np.zeros((2, 3)))


@pytest.mark.parametrize("wrong", [{"low": [], "high": []}, {"low": [1], "high": [0]}, {"low": [0], "high": ["nan"]}])
def test_stored_numbers_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Normalisation.model_validate(wrong)
    good = Normalisation(low=(0, 1), high=(1, 2))
    assert Normalisation.model_validate_json(good.model_dump_json()) == good


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 6), st.integers(1, 30), st.integers(1, 40))
def test_sample_stays_inside_the_regions(limit: int, dz: int, dy: int, dx: int) -> None:
    array = np.zeros((8, 50, 60), np.uint8)
    regions = [Region((1, 5, 7), (1 + dz, 5 + dy, 7 + dx)), Region((7, 40, 50), (9, 60, 70))]
    for region in regions:
        array[region.intersect(Region.from_shape(array.shape)).slices] = 1
    sample = sample_voxels(Volume.from_array(array, axes="zyx"), regions, limit)
    assert sample.shape[0] == 1 and 1 <= sample.shape[1] <= limit
    assert (sample == 1).all()


def test_small_regions_are_sampled_whole_and_repeatably() -> None:
    array = np.arange(2 * 3 * 40 * 50).reshape(2, 3, 40, 50)
    volume = Volume.from_array(array, axes="czyx")
    np.testing.assert_array_equal(np.sort(sample_voxels(volume, [volume.region]), axis=1), array.reshape(2, -1))
    few = sample_voxels(volume, [volume.region], 500, seed=3)
    assert few.shape[1] <= 500
    np.testing.assert_array_equal(few, sample_voxels(volume, [volume.region], 500, seed=3))


def test_no_voxel_to_sample() -> None:
    with pytest.raises(VolumeError, match="no voxel"):
        sample_voxels(Volume.from_array(np.zeros((8, 8))), [Region((5, 0, 0), (6, 8, 8))])
