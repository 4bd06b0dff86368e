"""Properties of regions, alignment, tiles and magnifications."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_aitrain.errors import BoxError, ConfigError
from napari_aitrain.geometry import (
    Region,
    align_inwards,
    count_tiles,
    format_magnification,
    is_aligned,
    magnified_shape,
    parse_magnification,
    tiles,
    to_finest,
    triple,
)

extents = st.tuples(*[st.integers(1, 14)] * 3)
cores = st.tuples(*[st.integers(2, 9)] * 3)
halos = st.tuples(*[st.integers(0, 6)] * 3)
offsets = st.tuples(*[st.integers(-40, 40)] * 3)
magnifications = st.tuples(*[st.integers(1, 9)] * 3)
regions = st.builds(lambda start, shape: Region.from_shape(shape, start), offsets, st.tuples(*[st.integers(0, 30)] * 3))


@given(extents, cores, halos)
def test_every_voxel_is_in_exactly_one_core(shape, core, halo):
    seen = np.zeros(shape, int)
    steps = list(tiles(Region.from_shape(shape), core, halo))
    for tile in steps:
        seen[tile.core.slices] += 1
    assert np.array_equal(seen, np.ones(shape, int))
    assert len(steps) == count_tiles(shape, core)


@given(extents, cores, halos, offsets)
def test_a_halo_is_read_in_full_except_at_the_border(shape, core, halo, start):
    within = Region.from_shape(shape, start)
    for tile in tiles(within, core, halo):
        assert within.contains(tile.outer) and tile.outer.contains(tile.core)
        for axis in range(3):
            assert tile.core.start[axis] - tile.outer.start[axis] == min(
                halo[axis], tile.core.start[axis] - within.start[axis]
            )
            assert tile.outer.stop[axis] - tile.core.stop[axis] == min(
                halo[axis], within.stop[axis] - tile.core.stop[axis]
            )


@given(extents, cores, halos)
def test_core_in_outer_finds_the_core_again(shape, core, halo):
    numbers = np.arange(math.prod(shape)).reshape(shape)
    for tile in tiles(Region.from_shape(shape), core, halo):
        assert np.array_equal(numbers[tile.outer.slices][tile.core_in_outer.slices], numbers[tile.core.slices])


@given(regions, magnifications)
def test_alignment_never_grows_and_loses_less_than_a_voxel_per_side(region, magnification):
    aligned = align_inwards(region, magnification)
    back = to_finest(aligned, magnification)
    if aligned.empty:
        assert any(n < 2 * m - 1 for n, m in zip(region.shape, magnification, strict=True))
        return
    assert region.contains(back)
    for axis in range(3):
        assert 0 <= back.start[axis] - region.start[axis] < magnification[axis]
        assert 0 <= region.stop[axis] - back.stop[axis] < magnification[axis]


@given(regions, magnifications)
def test_going_to_the_finest_level_and_back_changes_nothing(region, magnification):
    fine = to_finest(region, magnification)
    assert align_inwards(fine, magnification) == region
    assert is_aligned(fine, magnification)


@given(regions, magnifications)
def test_unaligned_means_that_converting_back_differs(region, magnification):
    same = to_finest(align_inwards(region, magnification), magnification) == region
    assert is_aligned(region, magnification) == same


@given(magnifications)
def test_magnifications_are_read_as_they_are_written(magnification):
    assert parse_magnification(format_magnification(magnification)) == magnification


@given(extents, magnifications)
def test_a_magnified_volume_covers_the_whole_one(shape, magnification):
    small = magnified_shape(shape, magnification)
    assert all((n - 1) * m < full <= n * m for n, m, full in zip(small, magnification, shape, strict=True))


@given(regions, regions)
def test_the_common_part_is_in_both_and_the_same_both_ways(a, b):
    common = a.intersect(b)
    assert common.size == b.intersect(a).size
    assert a.contains(common) and b.contains(common)
    assert a.overlaps(b) == (common.size > 0)


@given(regions, offsets)
def test_moving_there_and_back_changes_nothing(region, by):
    assert region.shift(by).relative_to(by) == region
    assert region.shift(by).shape == region.shape


@pytest.mark.parametrize("text", ["0", "-1", "2-2", "1.5", "a", "", "2-0-1", "2-2-2-2", "²"])
def test_an_unknown_magnification_is_named(text):
    with pytest.raises(ConfigError, match="is not known"):
        parse_magnification(text)


def test_magnifications_are_written_x_y_z():
    assert parse_magnification("4-2-1") == (1, 2, 4)
    assert format_magnification((1, 2, 4)) == "4-2-1"


def test_two_numbers_are_no_position():
    with pytest.raises(BoxError, match="has 2 numbers"):
        triple([1, 2])
