"""Tiles cover every voxel, their weights sum to 1, and every kept voxel has its context."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_aitrain.inference.tiles import AxisTiling, round_up, tile_axis, tile_to_fit


def check_axis(tiling: AxisTiling, extent: int, halo: int, multiple: int) -> None:
    padded = round_up(extent, multiple)
    total = np.zeros(padded)
    last = len(tiling.starts) - 1
    for i, start in enumerate(tiling.starts):
        assert start % multiple == 0 and tiling.tile % multiple == 0
        a, b = tiling.answer(i)
        assert start <= a < b <= start + tiling.tile <= padded
        assert i == 0 or a - start >= halo, "context before"
        assert i == last or start + tiling.tile - b >= halo, "context after"
        total[a:b] += tiling.weights(i)
    np.testing.assert_allclose(total, 1, atol=1e-6)


@given(
    extent=st.integers(1, 700),
    count=st.integers(1, 9),
    halo=st.integers(0, 60),
    multiple=st.sampled_from([1, 2, 4, 8, 16]),
)
def test_tiles_of_an_axis(extent: int, count: int, halo: int, multiple: int) -> None:
    check_axis(tile_axis(extent, count, halo, multiple), extent, halo, multiple)


@settings(max_examples=40)
@given(
    shape=st.tuples(st.integers(1, 90), st.integers(1, 900), st.integers(1, 900)),
    halo=st.tuples(st.integers(0, 8), st.integers(0, 40), st.integers(0, 40)),
    most=st.integers(10_000, 2_000_000),
)
def test_tiles_that_fit(shape: tuple[int, int, int], halo: tuple[int, int, int], most: int) -> None:
    multiple = (1, 8, 8)
    axes = tile_to_fit(shape, halo, multiple, most)
    for axis, tiling in enumerate(axes):
        check_axis(tiling, shape[axis], halo[axis], multiple[axis])
    smallest = math.prod(2 * a.halo + 2 * m + 10 for a, m in zip(axes, multiple, strict=True))
    assert math.prod(a.tile for a in axes) <= max(most, smallest)


def test_a_small_array_is_one_tile() -> None:
    assert [len(a.starts) for a in tile_to_fit((1, 300, 500), (0, 60, 60), (1, 16, 16), 2**20)] == [1, 1, 1]
