"""Places in an uncertainty map: which are found, which are left out, and how they are spread."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_aitrain.geometry import Region
from napari_aitrain.inference.blocks import PredictionCancelledError
from napari_aitrain.suggestions import scan as scanning
from napari_aitrain.suggestions.choose import choose, kinds_of
from napari_aitrain.suggestions.doubt import disagreement
from napari_aitrain.suggestions.maps import ArrayMap
from napari_aitrain.suggestions.onto import Onto
from napari_aitrain.suggestions.scan import scan, starts
from napari_aitrain.suggestions.settings import SuggestSettings


def onto(shape: tuple[int, int, int], factor: float = 1.0) -> Onto:
    return Onto((1.0 if shape[0] == 1 else factor, factor, factor), (0, 0, 0), shape)


def spots(shape: tuple[int, int, int], *places: tuple[int, int, int], reach: int = 6) -> np.ndarray:
    values = np.random.default_rng(0).uniform(0, 0.05, shape)
    for number, (z, y, x) in enumerate(places):
        values[z, max(0, y - reach) : y + reach, max(0, x - reach) : x + reach] = 1 - 0.1 * number
    return values


@given(first=st.integers(0, 50), extent=st.integers(0, 200), size=st.integers(1, 64), grid=st.integers(1, 8))
def test_boxes_cover_an_axis_on_its_grid(first, extent, size, grid):
    size = -(-size // grid) * grid
    found = starts(first, first + extent, size, grid)
    assert all(a % grid == 0 and first <= a and a + size <= first + extent for a in found)
    begin = -(-first // grid) * grid
    if begin + size <= first + extent:
        covered = np.zeros(first + extent + 1, bool)
        for a in found:
            covered[a : a + size] = True
        assert covered[begin : (first + extent - size) // grid * grid + size].all()
    else:
        assert not len(found)


class Watched(ArrayMap):
    """A map of which no more than a block is read at once."""

    def read(self, region: Region) -> np.ndarray:
        assert all(n <= most + 2 for n, most in zip(region.shape, (3, 25, 31), strict=True))
        return super().read(region)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_means_are_those_of_the_voxels_whatever_the_blocks(data):
    shape = data.draw(st.tuples(st.integers(1, 6), st.integers(20, 60), st.integers(20, 60)))
    factor = data.draw(st.sampled_from([1.0, 2.0, 1.37]))
    size = (1 if shape[0] < 3 else 2, 16, 12)
    lying = Onto((1.0, factor, factor), data.draw(st.tuples(st.just(0), st.integers(0, 5), st.integers(0, 5))), shape)
    values = np.random.default_rng(1).random(shape)
    before = dict(scanning._SPAN)
    try:
        scanning._SPAN.update({True: (1, 25, 31), False: (3, 25, 31)})
        found = scan(Watched(values), lying, size)
    finally:
        scanning._SPAN.update(before)
    assert found.places == len(found.best) == len({one.region for one in found.best})
    for one in found.best:
        assert lying.region.contains(one.region)
        assert one.score == pytest.approx(values[lying.seen(one.region).slices].mean(), abs=1e-5)
    scores = [one.score for one in found.best]
    assert scores == sorted(scores, reverse=True)


def test_nothing_is_suggested_in_what_is_taken_and_not_the_same_spot_twice():
    values = spots((1, 200, 200), (0, 40, 40), (0, 40, 150), (0, 150, 60))
    taken = [Region((0, 30, 30), (1, 60, 60))]
    found = choose(
        [scan(ArrayMap(values), onto((1, 200, 200)), (1, 32, 32), taken=taken)],
        SuggestSettings(count=8, random_share=0.25),
        depths=[1],
    )
    assert [one.kind[0] for one in found] == list("uuuruuur")
    regions = [one.region for one in found]
    assert not any(a.overlaps(b) for i, a in enumerate(regions) for b in regions[:i])
    assert not any(region.overlaps(taken[0]) for region in regions)
    unsure = [one for one in found if one.kind == "uncertain"]
    assert unsure[0].region.contains(Region((0, 38, 148), (1, 42, 152)))
    painted = unsure[0].region
    again = choose(
        [scan(ArrayMap(values), onto((1, 200, 200)), (1, 32, 32), taken=taken)],
        SuggestSettings(count=1, random_share=0),
        depths=[1],
        labelled=lambda image, region: region.overlaps(painted),
    )
    assert again[0].region.contains(Region((0, 148, 58), (1, 152, 62)))


def test_where_few_places_are_left_both_kinds_get_their_share():
    scanned = scan(ArrayMap(np.random.default_rng(0).random((1, 80, 80))), onto((1, 80, 80)), (1, 32, 32))
    found = choose([scanned], SuggestSettings(count=50, random_share=0.5), depths=[1])
    assert 2 <= len(found) <= 4
    assert {one.kind for one in found} == {"uncertain", "random"}


def test_slices_next_to_each_other_are_one_spot():
    values = np.full((40, 64, 64), 0.01)
    values[10:20, 10:30, 10:30] = 1
    values[33, 40:60, 40:60] = 0.5
    found = choose(
        [scan(ArrayMap(values), onto((40, 64, 64)), (1, 32, 32))], SuggestSettings(count=4, random_share=0), depths=[40]
    )
    depths = sorted(one.region.start[0] for one in found)
    assert all(b - a > 4 or a == b for a, b in itertools.pairwise(depths))
    assert 33 in depths


def test_places_by_chance_are_a_fair_sample_of_what_is_free():
    values = spots((1, 128, 128), (0, 16, 16), reach=14)
    counts = np.zeros(4, int)
    for seed in range(60):
        scanned = scan(ArrayMap(values), onto((1, 128, 128)), (1, 32, 32), seed=seed)
        for one in choose([scanned], SuggestSettings(count=2, random_share=1), depths=[1]):
            counts[2 * (one.region.start[1] >= 48) + (one.region.start[2] >= 48)] += 1
    # Of seven starts along an axis three lie before 48.
    expected = 120 * np.array([9, 12, 12, 16]) / 49
    assert (((counts - expected) ** 2) / expected).sum() < 16.3


@given(share=st.floats(0, 1), cuts=st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_the_share_of_chance_holds_over_several_rounds(share, cuts):
    total, kinds = 0, []
    for count in cuts:
        kinds += kinds_of(count, share, before=total)
        total += count
    assert abs(kinds.count("random") - share * total) <= 1 + 1e-6


def test_features_prefer_what_looks_different_and_what_is_known_counts():
    values = np.full((1, 128, 256), 0.5)
    scanned = scan(ArrayMap(values), onto((1, 128, 256)), (1, 32, 32))

    def describe(_image: int, region: Region) -> np.ndarray:
        return np.array([float(region.start[2] // 128)])

    wanted = SuggestSettings(count=2, random_share=0, spread="features")
    found = choose([scanned], wanted, depths=[1], describe=describe)
    assert {one.region.start[2] // 128 for one in found} == {0, 1}
    known = [(0, Region((0, 0, 0), (1, 32, 32)))]
    first = choose([scanned], wanted, depths=[1], describe=describe, known=known)[0]
    assert first.region.start[2] // 128 == 1


def test_several_images_are_compared_with_each_other():
    low, high = np.full((1, 64, 64), 0.2), np.full((1, 96, 64), 0.6)
    scans = [scan(ArrayMap(a), onto(a.shape), (1, 32, 32), image=n) for n, a in enumerate((low, high))]
    found = choose(scans, SuggestSettings(count=8, random_share=0), depths=[1, 1])
    # Where the model is surer than in the median, it is not unsure.
    assert len(found) >= 4 and {one.image for one in found} == {1}


def test_a_search_can_be_left():
    with pytest.raises(PredictionCancelledError):
        scan(ArrayMap(np.zeros((1, 64, 64))), onto((1, 64, 64)), (1, 32, 32), cancelled=lambda: True)


def test_disagreement_is_what_answers_differ_in_not_how_unsure_they_are():
    sure, unsure = np.array([0.99, 0.01]), np.array([0.5, 0.5])
    field = lambda p: np.tile(p.astype(np.float32)[:, None, None, None], (1, 1, 1, 4))  # noqa: E731
    assert disagreement([field(unsure)] * 3) == pytest.approx(0, abs=1e-3)
    against = disagreement([field(sure), field(sure[::-1])])
    half = disagreement([field(sure), field(unsure)])
    assert (against > half).all()
    assert against.max() <= 1 and half.min() > 0.2
