"""Reading any region at any magnification equals plain numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_aitrain.errors import ConfigError, VolumeError
from napari_aitrain.geometry import FINEST, Region, magnified_shape
from napari_aitrain.volumes import Volume
from napari_aitrain.volumes.building import build_volume

SHAPE = (5, 11, 13)


def blocks(array: npt.NDArray[Any], factor: tuple[int, ...], reduce: Any) -> npt.NDArray[Any]:
    """Downsample by a plain loop over blocks."""
    shape = magnified_shape(array.shape[1:], factor)
    out = np.empty((array.shape[0], *shape), array.dtype)
    for c in range(array.shape[0]):
        for place in np.ndindex(*shape):
            block = tuple(slice(p * f, (p + 1) * f) for p, f in zip(place, factor, strict=True))
            out[(c, *place)] = reduce(array[c][block])
    return out


def mode(block: npt.NDArray[Any]) -> int:
    ids, counts = np.unique(block, return_counts=True)
    return int(ids[counts == counts.max()].max())


def mean(block: npt.NDArray[Any]) -> float:
    value = float(block.astype(np.float64).mean())
    return round(value) if block.dtype.kind in "iu" else value


@st.composite
def regions(draw: st.DrawFn, shape: tuple[int, ...]) -> Region:
    pairs = [sorted(draw(st.tuples(st.integers(0, n), st.integers(0, n)))) for n in shape]
    return Region(tuple(a for a, _ in pairs), tuple(b for _, b in pairs))  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(["czyx", "zcyx", "zyxc", "yxzc"]), st.sampled_from(["<u2", ">u2", "<f4", ">i4"]))
def test_read_equals_numpy(data: st.DataObject, axes: str, dtype: str) -> None:
    plain = np.random.default_rng(0).integers(0, 999, (4, *SHAPE)).astype(dtype)
    stored = plain.transpose(["czyx".index(axis) for axis in axes])
    chosen = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=5))
    region = data.draw(regions(SHAPE))
    volume = Volume.from_array(stored, axes=axes).select(chosen)
    got = volume.read(region)
    assert got.dtype == plain.dtype.newbyteorder("=") == volume.dtype and got.dtype.isnative
    np.testing.assert_array_equal(got, plain[chosen][(slice(None), *region.slices)])


@settings(max_examples=40, deadline=None)
@given(st.data(), st.tuples(*[st.integers(1, 4)] * 3), st.sampled_from(["image", "labels"]))
def test_any_magnification_equals_blocks(data: st.DataObject, factor: tuple[int, ...], kind: str) -> None:
    array = np.random.default_rng(1).integers(0, 4, SHAPE).astype(np.uint16)
    volume = Volume.from_array(array, axes="zyx", kind=kind).at(factor)  # type: ignore[arg-type]
    expected = blocks(array[None], factor, mode if kind == "labels" else mean)
    assert volume.shape == expected.shape[1:]
    region = data.draw(regions(volume.shape))
    np.testing.assert_array_equal(volume.read(region), expected[(slice(None), *region.slices)])


def test_float_means_are_exact_and_keep_nan() -> None:
    array = np.arange(16, dtype=np.float16).reshape(4, 4)
    array[0, 0] = np.nan
    got = Volume.from_array(array).at((1, 2, 2)).read(Region((0, 0, 0), (1, 2, 2)))
    np.testing.assert_array_equal(got[0, 0], np.array([[np.nan, 4.5], [10.5, 12.5]], np.float16))


def pyramid(kind: str = "image", coarse: tuple[int, ...] = (5, 5, 6)) -> Volume:
    arrays: list[Any] = [(np.zeros(SHAPE, np.uint8), FINEST), (np.full(coarse, 7, np.uint8), (1, 2, 2))]
    return build_volume(arrays, "p", None, kind, asked="zyx", voxel_size=(50, 4, 5))  # type: ignore[arg-type]


def test_stored_level_is_used_and_rounded_down_shapes_are_padded() -> None:
    volume = pyramid().at((1, 2, 2))
    assert volume.shape == (5, 6, 7) and volume.voxel_size == (50, 8, 10)
    assert (volume.read(volume.region) == 7).all()
    edge = Region((4, 5, 6), (5, 6, 7))
    assert volume.read(edge).shape == (1, 1, 1, 1) and volume.read(edge).item() == 7


def test_image_goes_on_from_the_coarsest_level_and_labels_from_the_finest() -> None:
    assert (pyramid().at((1, 4, 4)).read(Region((0, 0, 0), (1, 1, 1))) == 7).all()
    assert (pyramid("labels").at((1, 4, 4)).read(Region((0, 0, 0), (1, 1, 1))) == 0).all()
    assert (pyramid("labels").at((1, 2, 2)).read(Region((0, 0, 0), (1, 1, 1))) == 7).all()


def test_magnifications_are_relative_to_the_volume() -> None:
    volume = pyramid()
    assert volume.magnifications == ((1, 1, 1), (1, 2, 2))
    assert volume.at((1, 2, 2)).magnifications == ((1, 1, 1),)
    assert volume.at((1, 2, 2)).at((3, 1, 2)).magnification == (3, 2, 4)


def test_level_of_a_wrong_size_is_left_out() -> None:
    assert pyramid(coarse=(5, 3, 3)).magnifications == ((1, 1, 1),)


def test_regions_outside_are_refused() -> None:
    volume = Volume.from_array(np.zeros(SHAPE, np.uint8))
    for region in (Region((0, 0, -1), (1, 1, 1)), Region((0, 0, 0), (6, 1, 1))):
        with pytest.raises(VolumeError, match="not inside"):
            volume.read(region)
    with pytest.raises(ConfigError, match="below 1"):
        volume.at((1, 0, 1))


def test_fingerprint_follows_the_voxels() -> None:
    array = np.zeros((40, 50), np.uint8)
    before = Volume.from_array(array).fingerprint
    assert Volume.from_array(array.copy()).fingerprint == before
    array[20, 25] = 1
    assert Volume.from_array(array).fingerprint != before
    assert Volume.from_array(array.astype(np.uint16)).fingerprint != Volume.from_array(array).fingerprint
